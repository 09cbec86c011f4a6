-- Stored responses: what callers of the Responses API leave with us between their calls. Providers keep nothing of it,
-- because one key of ours serves many tenants there. Contents are sealed; ids, times and names of models are not.

CREATE TABLE conversations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    application_id uuid,
    user_id uuid,
    key_id uuid NOT NULL,
    owner_id uuid NOT NULL CHECK (owner_id = coalesce(application_id, user_id)),
    metadata bytea NOT NULL,
    last_position bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id)
);
CREATE INDEX conversations_owner ON conversations (tenant_id, owner_id, id);
CREATE INDEX conversations_expiry ON conversations (expires_at, tenant_id);
COMMENT ON COLUMN conversations.owner_id IS 'For whom it exists: the application, or the user where the key is a user''s.';
COMMENT ON COLUMN conversations.expires_at IS 'So many days after its last use.';

CREATE TABLE conversation_items (
    tenant_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    position bigint NOT NULL,
    item_id text NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (tenant_id, conversation_id, position),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX conversation_items_name ON conversation_items (tenant_id, conversation_id, item_id);

CREATE TABLE responses (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    application_id uuid,
    user_id uuid,
    key_id uuid NOT NULL,
    owner_id uuid NOT NULL CHECK (owner_id = coalesce(application_id, user_id)),
    previous_id uuid,
    conversation_id uuid,
    model text NOT NULL,
    status text NOT NULL,
    input bytea NOT NULL,
    reply bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id)
);
CREATE INDEX responses_owner ON responses (tenant_id, owner_id, id);
CREATE INDEX responses_expiry ON responses (expires_at, tenant_id);
COMMENT ON COLUMN responses.id IS 'The id of the call that it answered.';
COMMENT ON COLUMN responses.previous_id IS 'No foreign key: that an earlier response is gone must be seen by who continues it.';
COMMENT ON COLUMN responses.conversation_id IS 'No foreign key, for the same reason.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['conversations', 'conversation_items', 'responses']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON conversations TO enfilade_app;
GRANT SELECT, INSERT, DELETE ON conversation_items, responses TO enfilade_app;
