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

-- ── Local accounts ──────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE passwords (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    hash text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
COMMENT ON COLUMN passwords.hash IS 'Argon2id with its parameters and salt, as the PHC string format has them.';

CREATE TABLE second_factors (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('totp', 'webauthn')),
    name text NOT NULL,
    secret bytea,
    last_step bigint NOT NULL DEFAULT 0,
    credential_id bytea,
    public_key bytea,
    sign_count bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    used_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, credential_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    CHECK (CASE kind WHEN 'totp' THEN secret IS NOT NULL ELSE num_nonnulls(credential_id, public_key) = 2 END)
);
CREATE INDEX second_factors_user ON second_factors (tenant_id, user_id);
COMMENT ON COLUMN second_factors.secret IS 'Sealed.';
COMMENT ON COLUMN second_factors.last_step IS 'The time step of the last code that was taken: no code is taken twice.';
COMMENT ON COLUMN second_factors.public_key IS 'As the authenticator gave it, a COSE key.';

CREATE TABLE recovery_codes (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, user_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
COMMENT ON TABLE recovery_codes IS 'SHA-256 of codes of 80 bits that stand in for a second factor, each once.';

CREATE TABLE password_links (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    digest bytea NOT NULL,
    issued_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    UNIQUE (tenant_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
COMMENT ON TABLE password_links IS 'Who may set a password without knowing the one before, once. A new link replaces the one before.';

CREATE TABLE challenges (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    digest bytea NOT NULL,
    user_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('second_factor', 'enrolment', 'registration')),
    nonce bytea NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX challenges_user ON challenges (tenant_id, user_id);
CREATE INDEX challenges_ends ON challenges (tenant_id, expires_at);
COMMENT ON TABLE challenges IS 'People whose password was right and who have yet to show or to set up a second factor.';
COMMENT ON COLUMN challenges.nonce IS 'What an authenticator signs.';

CREATE TABLE sign_in_attempts (
    tenant_id uuid NOT NULL,
    bucket bytea NOT NULL,
    failures integer NOT NULL,
    last_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    succeeded_at timestamptz,
    PRIMARY KEY (tenant_id, bucket)
);
CREATE INDEX sign_in_attempts_age ON sign_in_attempts (tenant_id, last_at);
COMMENT ON TABLE sign_in_attempts IS 'How often somebody tried lately, under the platform: who tries need not be a user of any tenant.';
COMMENT ON COLUMN sign_in_attempts.bucket IS 'SHA-256 of an account, a network, or both.';

CREATE TABLE account_rules (
    tenant_id uuid PRIMARY KEY,
    require_second_factor text NOT NULL CHECK (require_second_factor IN ('never', 'administrators', 'everyone')),
    local_accounts boolean NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE account_rules IS 'What a tenant demands at sign-in. The platform''s row is the least that all of them demand.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['passwords', 'second_factors', 'recovery_codes', 'password_links', 'challenges',
                                'sign_in_attempts', 'account_rules']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        -- What people prove themselves with is nobody's to read for all tenants at once.
        IF name NOT IN ('passwords', 'recovery_codes', 'password_links', 'challenges') THEN
            EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
        END IF;
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON passwords, second_factors, password_links, challenges, sign_in_attempts,
    account_rules TO enfilade_app;
GRANT SELECT, INSERT, DELETE ON recovery_codes TO enfilade_app;
