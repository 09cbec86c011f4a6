-- Sign-in: issuers, sessions, devices that wait for their owner.

CREATE TABLE issuers (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    settings jsonb NOT NULL,
    client_secret bytea,
    secret_print bytea,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
COMMENT ON TABLE issuers IS 'Who says for a tenant who somebody is: OpenID providers and authorization servers.';
COMMENT ON COLUMN issuers.client_secret IS 'Sealed; the application role writes it and cannot read it.';
COMMENT ON COLUMN issuers.secret_print IS 'A keyed hash of the secret: whether it is another one shows without opening it.';

CREATE TABLE identities (
    tenant_id uuid NOT NULL,
    issuer_id uuid NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL,
    linked_at timestamptz NOT NULL,
    groups text[] NOT NULL DEFAULT '{}',
    withheld text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, issuer_id, subject),
    FOREIGN KEY (tenant_id, issuer_id) REFERENCES issuers (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX identities_users ON identities (tenant_id, user_id);
COMMENT ON TABLE identities IS 'By what name an issuer knows a user. Addresses change hands, subjects do not.';
COMMENT ON COLUMN identities.groups IS 'The groups with roles that the issuer named at the last sign-in.';
COMMENT ON COLUMN identities.withheld IS 'Roles that somebody took back: they stay away while the issuer goes on naming the groups that give them.';

CREATE TABLE sessions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    digest bytea NOT NULL,
    user_id uuid NOT NULL,
    issuer_id uuid,
    methods text[] NOT NULL,
    groups text[] NOT NULL,
    address text,
    user_agent text,
    created_at timestamptz NOT NULL,
    used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX sessions_users ON sessions (tenant_id, user_id, used_at);
CREATE INDEX sessions_ends ON sessions (tenant_id, expires_at);
COMMENT ON COLUMN sessions.digest IS 'SHA-256 of the token, which is stored nowhere.';
COMMENT ON COLUMN sessions.groups IS 'What the issuer said at sign-in; which roles they mean is looked up at each request.';

CREATE TABLE sign_ins (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    issuer_id uuid NOT NULL,
    state_digest bytea NOT NULL,
    browser_digest bytea NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    redirect_uri text NOT NULL,
    target text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, state_digest),
    FOREIGN KEY (tenant_id, issuer_id) REFERENCES issuers (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sign_ins_ends ON sign_ins (tenant_id, expires_at);
COMMENT ON TABLE sign_ins IS 'People who were sent to an issuer and are not back yet. A row is taken by whoever comes back.';

CREATE TABLE device_grants (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    code_digest bytea NOT NULL,
    user_code text,
    challenge text,
    redirect_uri text,
    address text,
    user_agent text,
    approved_tenant uuid,
    approved_session uuid,
    denied boolean NOT NULL DEFAULT false,
    polled_at timestamptz,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, code_digest)
);
CREATE UNIQUE INDEX device_grants_user_codes ON device_grants (tenant_id, user_code) WHERE user_code IS NOT NULL;
CREATE INDEX device_grants_ends ON device_grants (tenant_id, expires_at);
COMMENT ON TABLE device_grants IS 'Command lines that wait for their owner to confirm them in a browser (RFC 8628, RFC 8252).
They are the platform''s: whose they are is known when somebody confirms.';
COMMENT ON COLUMN device_grants.approved_session IS 'The session of whoever confirmed: the new one is like it.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['issuers', 'identities', 'sessions', 'sign_ins', 'device_grants']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT (tenant_id, id, name, url, settings, secret_print, version, created_at), INSERT, UPDATE, DELETE ON issuers
    TO enfilade_app;
GRANT SELECT ON issuers TO enfilade_operator;
GRANT SELECT, INSERT, UPDATE ON identities TO enfilade_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, sign_ins, device_grants TO enfilade_app;
