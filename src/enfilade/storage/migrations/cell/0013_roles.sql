-- Roles of a tenant's own, who has which where, what keys may do, and how the platform's people come in.

CREATE TABLE roles (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    permissions text[] NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE role_assignments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    role text NOT NULL,
    user_id uuid,
    group_id uuid,
    department_id uuid,
    application_id uuid,
    source text NOT NULL DEFAULT 'local',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, role, user_id, group_id, department_id, application_id, source),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id),
    FOREIGN KEY (tenant_id, department_id) REFERENCES departments (tenant_id, id),
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
    CHECK (num_nonnulls(user_id, group_id) = 1),
    CHECK (num_nonnulls(department_id, application_id) <= 1)
);
COMMENT ON COLUMN role_assignments.role IS 'The name of a built-in role or of one of the tenant''s own.';
COMMENT ON COLUMN role_assignments.source IS 'local; or oidc:<issuer>, which each sign-in replaces.';
CREATE INDEX role_assignments_user ON role_assignments (tenant_id, user_id);
CREATE INDEX role_assignments_group ON role_assignments (tenant_id, group_id);

CREATE TABLE break_glass (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    opened_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text,
    reviewed_at timestamptz,
    reviewed_by text,
    review_note text,
    PRIMARY KEY (tenant_id, id),
    CHECK (expires_at > opened_at),
    CHECK (num_nulls(reviewed_at, reviewed_by, review_note) IN (0, 3))
);
COMMENT ON TABLE break_glass IS 'When one of the platform''s people was let in by breaking the glass, and what came of it.';

CREATE TABLE security_settings (
    tenant_id uuid PRIMARY KEY,
    operator_access text NOT NULL DEFAULT 'standing' CHECK (operator_access IN ('standing', 'break_glass')),
    max_key_lifetime_s bigint CHECK (max_key_lifetime_s > 0),
    version bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE security_settings IS 'What a tenant''s owners demand; a tenant without a row goes by the defaults.';

CREATE TABLE key_uses (
    tenant_id uuid NOT NULL,
    key_id uuid NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key_id),
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id)
);
COMMENT ON COLUMN key_uses.last_used_at IS 'The beginning of the minute: however many processes there are, a row is written once in each.';

ALTER TABLE keys ADD COLUMN scopes text[] NOT NULL DEFAULT '{}';
ALTER TABLE keys ADD COLUMN only_department_id uuid;
ALTER TABLE keys ADD COLUMN only_application_id uuid;
ALTER TABLE keys ADD FOREIGN KEY (tenant_id, only_department_id) REFERENCES departments (tenant_id, id);
ALTER TABLE keys ADD FOREIGN KEY (tenant_id, only_application_id) REFERENCES applications (tenant_id, id);
ALTER TABLE keys ADD CHECK (num_nonnulls(only_department_id, only_application_id) <= 1);
COMMENT ON COLUMN keys.scopes IS 'What of its rights the key keeps; without any, all of them.';
COMMENT ON COLUMN keys.only_department_id IS 'Where the key''s roles hold, when that is not the whole tenant.';

CREATE INDEX key_secrets_hint ON key_secrets (tenant_id, hint) WHERE hint IS NOT NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['roles', 'role_assignments', 'break_glass', 'security_settings', 'key_uses']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON roles TO enfilade_app;
GRANT SELECT, INSERT, DELETE ON role_assignments TO enfilade_app;
GRANT SELECT, INSERT, UPDATE ON break_glass TO enfilade_app;
GRANT SELECT, INSERT, UPDATE ON security_settings TO enfilade_app;
GRANT SELECT, INSERT, UPDATE ON key_uses TO enfilade_app;
