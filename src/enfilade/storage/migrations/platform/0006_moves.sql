-- Moves of tenants from cell to cell, and what is left of tenants that were erased.

CREATE TABLE tenant_moves (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL UNIQUE,
    from_isolation text NOT NULL CHECK (from_isolation IN ('row', 'schema', 'database')),
    from_cell text NOT NULL,
    to_isolation text NOT NULL CHECK (to_isolation IN ('row', 'schema', 'database')),
    to_cell text NOT NULL,
    actor text NOT NULL,
    step text NOT NULL DEFAULT 'preparing' CHECK (step IN (
        'preparing', 'capturing', 'copying', 'verifying', 'switching', 'arriving', 'clearing', 'aborting', 'done', 'aborted')),
    units text[] NOT NULL DEFAULT '{}',
    rows bigint NOT NULL DEFAULT 0,
    rows_expected bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    waited_us bigint,
    revision bigint,
    tables jsonb NOT NULL DEFAULT '{}',
    abort_asked boolean NOT NULL DEFAULT false,
    error text,
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((step IN ('done', 'aborted')) = (ended_at IS NOT NULL)),
    CHECK ((from_isolation, from_cell) <> (to_isolation, to_cell))
);
CREATE UNIQUE INDEX tenant_moves_open ON tenant_moves (tenant_id) WHERE ended_at IS NULL;
COMMENT ON TABLE tenant_moves IS 'Tenants on their way from one cell to another. Whoever coordinates a move holds its advisory lock.';
COMMENT ON COLUMN tenant_moves.units IS 'What was copied whole: tables, and months of those that have partitions.';
COMMENT ON COLUMN tenant_moves.tables IS 'Counts and hashes of each table, as they were found to be the same in both cells.';
COMMENT ON COLUMN tenant_moves.waited_us IS 'For how long the tenant''s writes waited at the switch.';
COMMENT ON COLUMN tenant_moves.revision IS 'Processes that have applied it look for the tenant in its new cell.';

CREATE TABLE tenant_erasures (
    id uuid PRIMARY KEY,
    erased uuid NOT NULL UNIQUE,
    name text NOT NULL,
    isolation text NOT NULL,
    cell text NOT NULL,
    actor text NOT NULL,
    step text NOT NULL DEFAULT 'closing' CHECK (step IN ('closing', 'counting', 'destroying', 'clearing', 'freeing', 'done')),
    revision bigint,
    counts jsonb NOT NULL DEFAULT '{}',
    head jsonb,
    record text,
    signature text,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
COMMENT ON TABLE tenant_erasures IS 'What is left of an erased tenant: that there was one, what it was made of, and who erased it.';
COMMENT ON COLUMN tenant_erasures.record IS 'Canonical JSON (RFC 8785), kept as text: its bytes are what was signed.';

ALTER TABLE tenant_moves ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_moves FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON tenant_moves TO enfilade_operator USING (true) WITH CHECK (true);
CREATE POLICY owner ON tenant_moves TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON tenant_moves, tenant_erasures TO enfilade_operator;

-- Whoever moves a tenant announces it in the transaction that does it.
CREATE POLICY owner ON tenant_revisions TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY owner ON pending_changes TO CURRENT_USER USING (true) WITH CHECK (true);
