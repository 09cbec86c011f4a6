-- What belongs to the installation rather than to a tenant: the registry of tenants, the catalogue of
-- providers and models, prices, and the processes that serve.

CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
    isolation text NOT NULL DEFAULT 'row' CHECK (isolation IN ('row', 'schema', 'database')),
    cell text NOT NULL DEFAULT 'shared',
    region text,
    security_level text,
    time_zone text NOT NULL DEFAULT 'UTC',
    allowed_models text[] NOT NULL DEFAULT '{*}',
    max_tokens_per_request bigint CHECK (max_tokens_per_request > 0),
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
CREATE UNIQUE INDEX tenants_live_name ON tenants (name) WHERE removed_at IS NULL;
COMMENT ON TABLE tenants IS 'Organisations. The row with the nil UUID is the platform itself.';

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenants_own ON tenants FOR SELECT TO enfilade_app
    USING (id = nullif(current_setting('enfilade.tenant', true), '')::uuid);
CREATE POLICY tenants_operator ON tenants TO enfilade_operator USING (true) WITH CHECK (true);
CREATE POLICY tenants_owner ON tenants TO CURRENT_USER USING (true) WITH CHECK (true);

INSERT INTO tenants (id, name) VALUES ('00000000-0000-0000-0000-000000000000', 'platform');

CREATE TABLE providers (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$'),
    spec jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
CREATE UNIQUE INDEX providers_live_name ON providers (name) WHERE removed_at IS NULL;
COMMENT ON TABLE providers IS 'Services that serve models. A credential stands in spec as a reference only.';

CREATE TABLE models (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    spec jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
CREATE UNIQUE INDEX models_live_name ON models (name) WHERE removed_at IS NULL;

CREATE TABLE aliases (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    spec jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
CREATE UNIQUE INDEX aliases_live_name ON aliases (name) WHERE removed_at IS NULL;

CREATE TABLE price_overrides (
    model text NOT NULL,
    effective_from timestamptz NOT NULL,
    rates jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, effective_from)
);
COMMENT ON COLUMN price_overrides.rates IS 'Nano-dollars per million units by kind; null ends the override: the book decides again.';

CREATE TABLE price_books (
    version text PRIMARY KEY,
    body text NOT NULL,
    compiled_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE secrets (
    name text PRIMARY KEY,
    sealed bytea NOT NULL,
    fingerprint bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE secrets IS 'Values sealed with AES-256-GCM under the master key. No role but the owner reads them.';
COMMENT ON COLUMN secrets.fingerprint IS 'A keyed hash of the value, which tells whether a new one is the same.';

CREATE TABLE replicas (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    program_version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    applied_revision bigint NOT NULL DEFAULT 0,
    stopped_at timestamptz
);

-- The catalogue has no tenant: the request path reads none of it (each process holds it in memory, loaded by
-- the operator role), so no other role is granted anything here.
GRANT USAGE ON SCHEMA :schema TO enfilade_app, enfilade_operator;
GRANT SELECT ON tenants TO enfilade_app;
GRANT SELECT, INSERT, UPDATE ON tenants, providers, models, aliases, price_overrides TO enfilade_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON replicas TO enfilade_operator;
GRANT SELECT, INSERT ON price_books TO enfilade_operator;
GRANT INSERT, UPDATE, DELETE ON secrets TO enfilade_operator;
GRANT SELECT (name, fingerprint) ON secrets TO enfilade_operator;
