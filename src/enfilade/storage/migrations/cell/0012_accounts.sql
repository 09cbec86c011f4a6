-- People: local accounts, second factors, groups, provisioning.

ALTER TABLE users
    ADD COLUMN display_name text,
    ADD COLUMN active boolean NOT NULL DEFAULT true,
    ADD COLUMN manager_id uuid,
    ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object'),
    ADD COLUMN external_id text,
    ADD COLUMN source text NOT NULL DEFAULT 'local' CHECK (source = 'local' OR source = 'scim' OR source LIKE 'oidc:%'),
    ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now(),
    ADD CHECK (manager_id <> id),
    ADD FOREIGN KEY (tenant_id, manager_id) REFERENCES users (tenant_id, id);
CREATE INDEX users_manager ON users (tenant_id, manager_id) WHERE manager_id IS NOT NULL;
CREATE INDEX users_external_id ON users (tenant_id, external_id) WHERE external_id IS NOT NULL AND removed_at IS NULL;
COMMENT ON COLUMN users.source IS 'Who looks after this row: local administrators, a SCIM client, or an issuer that people sign in with.';
COMMENT ON COLUMN users.attributes IS 'What policies may ask about a person: texts, whole numbers, booleans, lists of texts.';

CREATE TABLE groups (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    external_id text,
    source text NOT NULL DEFAULT 'local' CHECK (source = 'local' OR source = 'scim' OR source LIKE 'oidc:%'),
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX groups_live_name ON groups (tenant_id, name) WHERE removed_at IS NULL;

CREATE TABLE group_members (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, group_id, user_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX group_members_user ON group_members (tenant_id, user_id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['groups', 'group_members']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON groups TO enfilade_app;
GRANT SELECT, INSERT, DELETE ON group_members TO enfilade_app;
