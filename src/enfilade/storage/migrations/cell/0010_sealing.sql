-- Subjects' keys: one for each person, or application, whose contents are kept. Wrapped under the tenant's key, which
-- is elsewhere and which no role that can read these rows can read.

CREATE TABLE subject_keys (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    subject_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    tenant_key uuid NOT NULL,
    wrapped bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, subject_id, version),
    CHECK ((destroyed_at IS NULL) = (wrapped IS NOT NULL))
);
CREATE INDEX subject_keys_under ON subject_keys (tenant_id, tenant_key) WHERE destroyed_at IS NULL;
COMMENT ON COLUMN subject_keys.subject_id IS 'A user, or the application where there is no user.';
COMMENT ON COLUMN subject_keys.tenant_key IS 'The version of the tenant''s key under which it is wrapped. No foreign key: that may be in another database.';

ALTER TABLE subject_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE subject_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON subject_keys TO enfilade_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY operator_reads ON subject_keys FOR SELECT TO enfilade_operator USING (true);

GRANT SELECT, INSERT, UPDATE (tenant_key, wrapped, destroyed_at) ON subject_keys TO enfilade_app;

-- What was sealed directly under the master key is sealed anew under subjects' keys.
GRANT UPDATE (input, reply) ON responses TO enfilade_app;
GRANT UPDATE (content) ON conversation_items TO enfilade_app;
