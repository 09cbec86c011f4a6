-- One cell: everything that belongs to tenants. The same files make every cell, whatever its isolation, and
-- row-level security is forced in all of them.

CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('enfilade.tenant', true), '')::uuid $$;
COMMENT ON FUNCTION current_tenant() IS 'The tenant of this transaction; null, which matches nothing, when none is set.';

-- ── Identity ────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE departments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX departments_live_name ON departments (tenant_id, name) WHERE removed_at IS NULL;

CREATE TABLE users (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    email text NOT NULL,
    department_id uuid,
    roles text[] NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, department_id) REFERENCES departments (tenant_id, id)
);
CREATE UNIQUE INDEX users_live_email ON users (tenant_id, email) WHERE removed_at IS NULL;
COMMENT ON COLUMN users.email IS 'The only place where an address stands: other tables name people by id.';

CREATE TABLE applications (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    department_id uuid,
    allowed_models text[] NOT NULL DEFAULT '{*}',
    settings jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, department_id) REFERENCES departments (tenant_id, id)
);
CREATE UNIQUE INDEX applications_live_name ON applications (tenant_id, name) WHERE removed_at IS NULL;

CREATE TABLE keys (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    application_id uuid,
    user_id uuid,
    roles text[] NOT NULL DEFAULT '{}',
    expires_at timestamptz,
    allowed_ips text[] NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX keys_live_name ON keys (tenant_id, name) WHERE revoked_at IS NULL;

CREATE TABLE key_secrets (
    tenant_id uuid NOT NULL,
    key_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    hint text,
    valid_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key_id, digest),
    UNIQUE (digest),
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id)
);
COMMENT ON COLUMN key_secrets.hint IS 'The public beginning of a secret that we made, to recognise one that leaked.';
COMMENT ON TABLE key_secrets IS 'SHA-256 digests; a rotated key has two for the length of its grace period.';

-- ── Costs ───────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE limits (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    subject_kind text NOT NULL CHECK (subject_kind IN ('tenant', 'department', 'application', 'user', 'key')),
    subject_id uuid,
    model text,
    measure text NOT NULL CHECK (measure IN ('requests', 'tokens', 'concurrency')),
    amount bigint NOT NULL CHECK (amount >= 0),
    per text CHECK (per IN ('second', 'minute', 'hour', 'day')),
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, subject_kind, subject_id, model, measure, per),
    CHECK ((measure = 'concurrency') = (per IS NULL))
);
COMMENT ON COLUMN limits.subject_id IS 'Null: the tenant itself, or each one of the kind.';

CREATE TABLE budgets (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    subject_kind text NOT NULL CHECK (subject_kind IN ('tenant', 'department', 'application', 'user', 'key')),
    subject_id uuid,
    model text,
    period text NOT NULL CHECK (period IN ('minute', 'hour', 'day', 'week', 'month', 'quarter', 'year', 'total')),
    limit_nano bigint NOT NULL CHECK (limit_nano >= 0),
    alerts numeric[] NOT NULL DEFAULT '{}',
    action text NOT NULL DEFAULT 'block' CHECK (action IN ('block', 'cut', 'warn')),
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, subject_kind, subject_id, model, period)
);

CREATE TABLE intents (
    call_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    replica_id uuid NOT NULL,
    body text NOT NULL
);
COMMENT ON TABLE intents IS 'Admitted calls that are not settled yet: what a crash leaves behind is settled from here.';

CREATE TABLE ledger (
    tenant_id uuid NOT NULL,
    call_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    posted_at timestamptz NOT NULL,
    line smallint NOT NULL DEFAULT 0,
    department_id uuid,
    application_id uuid,
    user_id uuid,
    key_id uuid,
    model text,
    tokens bigint NOT NULL,
    amount_nano bigint NOT NULL CHECK (amount_nano >= 0),
    overrun_nano bigint NOT NULL DEFAULT 0,
    estimated boolean NOT NULL,
    price text,
    PRIMARY KEY (started_at, call_id, line)
) PARTITION BY RANGE (started_at);
CREATE INDEX ledger_tenant_time ON ledger (tenant_id, started_at);
COMMENT ON TABLE ledger IS 'What calls cost, append-only. started_at is when the hold was taken: it decides the budget window.';

CREATE TABLE calls (
    tenant_id uuid NOT NULL,
    call_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    department_id uuid,
    application_id uuid,
    user_id uuid,
    key_id uuid,
    dialect text NOT NULL,
    model text,
    provider text,
    deployment text,
    status text NOT NULL,
    http_status smallint NOT NULL,
    error_code text,
    stream boolean NOT NULL,
    cached boolean NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    amount_nano bigint NOT NULL,
    estimated boolean NOT NULL,
    attempts smallint NOT NULL,
    latency_us bigint NOT NULL,
    first_byte_us bigint,
    use_case text,
    metadata jsonb,
    PRIMARY KEY (started_at, call_id)
) PARTITION BY RANGE (started_at);
CREATE INDEX calls_tenant_time ON calls (tenant_id, started_at, call_id);

-- ── Facts ───────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE event_heads (
    tenant_id uuid PRIMARY KEY,
    next_seq bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE event_heads IS 'The next leaf index of each tenant''s log. Its row lock makes the sequence gapless.';

CREATE TABLE events (
    tenant_id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    type text NOT NULL,
    body text NOT NULL,
    leaf bytea NOT NULL,
    PRIMARY KEY (tenant_id, seq, at)
) PARTITION BY RANGE (at);
CREATE INDEX events_tenant_time ON events (tenant_id, at, seq);
COMMENT ON COLUMN events.body IS 'Canonical JSON (RFC 8785), kept as text: its bytes are what was hashed.';
COMMENT ON COLUMN events.leaf IS 'SHA-256(0x00 || body), the leaf hash of RFC 9162; seq is its index.';

-- ── The directory's revisions, and replies that may be asked for twice ───────────────────────────────────────

CREATE TABLE revision_counter (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision bigint NOT NULL DEFAULT 0
);
INSERT INTO revision_counter DEFAULT VALUES;
COMMENT ON TABLE revision_counter IS 'Updated last in a changing transaction: its row lock makes revisions visible in order.';

CREATE TABLE tenant_revisions (
    tenant_id uuid PRIMARY KEY,
    revision bigint NOT NULL
);
CREATE INDEX tenant_revisions_order ON tenant_revisions (revision);

CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    key text NOT NULL,
    actor text NOT NULL,
    request_digest bytea NOT NULL,
    status smallint,
    headers jsonb,
    body text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, actor, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- ── Row-level security ──────────────────────────────────────────────────────────────────────────────────────

-- One policy for each role and table. `app` sees its tenant; `operator` inherits that and may also read all;
-- `settler` owns the functions below and can be logged in as by nobody.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['departments', 'users', 'applications', 'keys', 'key_secrets', 'limits', 'budgets',
                                'intents', 'ledger', 'calls', 'event_heads', 'events', 'tenant_revisions',
                                'idempotency_keys']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['intents', 'ledger', 'calls', 'event_heads', 'events']
    LOOP
        EXECUTE format('CREATE POLICY settler ON %I TO enfilade_settler USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA :schema TO enfilade_app, enfilade_writer, enfilade_operator, enfilade_settler;
GRANT SELECT, INSERT, UPDATE ON departments, users, applications, keys TO enfilade_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON key_secrets, limits, budgets, idempotency_keys TO enfilade_app;
GRANT SELECT ON ledger, calls, events, event_heads TO enfilade_app;
GRANT SELECT, INSERT, UPDATE ON tenant_revisions TO enfilade_app;
GRANT SELECT, UPDATE ON revision_counter TO enfilade_app;
GRANT SELECT ON intents TO enfilade_operator;
GRANT SELECT, INSERT ON ledger, calls, events TO enfilade_settler;
GRANT SELECT, INSERT, UPDATE ON event_heads TO enfilade_settler;
GRANT SELECT, INSERT, DELETE ON intents TO enfilade_settler;
