-- Sealing: master keys and tenants' keys. They stand in the installation's own database, wherever a tenant lives.

CREATE TABLE master_keys (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    for_tenant uuid REFERENCES tenants (id),
    check_value bytea NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (name, for_tenant)
);
COMMENT ON TABLE master_keys IS 'Which master keys this installation knows. The keys themselves are elsewhere.';
COMMENT ON COLUMN master_keys.name IS 'Of a local key local: and a fingerprint; of others their service and place.';
COMMENT ON COLUMN master_keys.for_tenant IS 'Whose own key it is; null: the installation''s.';
COMMENT ON COLUMN master_keys.check_value IS 'A known value, wrapped: what unwraps it is this master key and no other.';

CREATE TABLE tenant_keys (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    version integer NOT NULL CHECK (version > 0),
    id uuid NOT NULL UNIQUE,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'retired', 'withdrawn', 'destroyed')),
    master_key uuid NOT NULL REFERENCES master_keys (id),
    wrapped bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    renewed_at timestamptz,
    withdrawn_by text CHECK (withdrawn_by IN ('tenant', 'platform')),
    PRIMARY KEY (tenant_id, version),
    CHECK ((state = 'destroyed') = (wrapped IS NULL)),
    CHECK ((state = 'withdrawn') = (withdrawn_by IS NOT NULL))
);
CREATE UNIQUE INDEX tenant_keys_active ON tenant_keys (tenant_id) WHERE state = 'active';
CREATE INDEX tenant_keys_master ON tenant_keys (master_key, tenant_id) WHERE state <> 'destroyed';
CREATE INDEX tenant_keys_outdated ON tenant_keys (tenant_id) WHERE state = 'retired' AND renewed_at IS NULL;
COMMENT ON TABLE tenant_keys IS 'Tenants'' keys, wrapped under a master key; the nil tenant''s key seals the platform''s secrets. No role but the owner reads wrapped keys.';
COMMENT ON COLUMN tenant_keys.withdrawn_by IS 'What the platform withdrew, the platform alone gives back or destroys.';
COMMENT ON COLUMN tenant_keys.renewed_at IS 'When the last thing sealed under a retired version had been sealed anew.';

CREATE TABLE tenant_master_keys (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id),
    master_key uuid NOT NULL REFERENCES master_keys (id)
);
COMMENT ON TABLE tenant_master_keys IS 'Tenants that bring their own master key.';

CREATE TABLE key_acts (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    recorded_at timestamptz
);
CREATE INDEX key_acts_open ON key_acts (id) WHERE recorded_at IS NULL;
COMMENT ON TABLE key_acts IS 'What was done to keys, until the tenant''s log holds it: the log may be in another database.';

CREATE TABLE sealing_marks (
    name text PRIMARY KEY,
    set_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sealing_marks IS 'Upgrades of sealed things that are finished and need not be looked for again.';

GRANT SELECT (tenant_id, version, id, state, master_key, created_at, retired_at, renewed_at, withdrawn_by) ON tenant_keys TO enfilade_operator;
GRANT SELECT (id, name, for_tenant, registered_at) ON master_keys TO enfilade_operator;
GRANT SELECT ON tenant_master_keys TO enfilade_operator;
