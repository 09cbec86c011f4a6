-- Cells: the servers that tenants can live on, where each tenant is, and what a process must load anew.

CREATE TABLE cell_hosts (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
    spec jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
CREATE UNIQUE INDEX cell_hosts_live_name ON cell_hosts (name) WHERE removed_at IS NULL;
COMMENT ON TABLE cell_hosts IS 'Databases, beside the installation''s own, in or next to which tenants can live. An address stands in spec as a reference only.';
GRANT SELECT, INSERT, UPDATE ON cell_hosts TO enfilade_operator;

ALTER TABLE tenants ALTER COLUMN cell SET DEFAULT 'home';
ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
UPDATE tenants SET cell = 'home';
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
ALTER TABLE tenants
    ADD COLUMN state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended')),
    ADD COLUMN state_reason text;
COMMENT ON COLUMN tenants.cell IS 'The host of the tenant''s cell; with isolation and id it says where the rows are. In a database that is not the installation''s own, the table holds copies of the rows of the tenants that live there.';
COMMENT ON COLUMN tenants.state IS 'A suspended tenant is refused everything; its rows stay.';

-- Where revisions are counted: once in the installation's own database, whatever cell a change was made in.
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

CREATE TABLE pending_changes (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE pending_changes IS 'Changes that are about to be committed in another database. Who dies before announcing one leaves it here, and it counts as announced after a while.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tenant_revisions', 'pending_changes']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = nullif(current_setting(''enfilade.tenant'', true), '''')::uuid)
                        WITH CHECK (tenant_id = nullif(current_setting(''enfilade.tenant'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;
CREATE POLICY operator_ends ON pending_changes FOR DELETE TO enfilade_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON tenant_revisions TO enfilade_app;
GRANT SELECT, UPDATE ON revision_counter TO enfilade_app;
GRANT SELECT, INSERT, DELETE ON pending_changes TO enfilade_app;
GRANT DELETE ON pending_changes TO enfilade_operator;

-- The door of every transaction: who is in it, and whether the tenant is still here. Whoever moves a tenant holds the
-- gate, and the others wait for what becomes of it. Who has left stands in the cell that the search path leads to.
CREATE FUNCTION enter(tenant uuid, writes boolean, alone boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF writes THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('gate ' || tenant::text, 0));
    END IF;
    IF alone THEN
        -- Changes to one tenant are made one after the other: what a change has read is still true when it writes.
        PERFORM pg_advisory_xact_lock(hashtextextended(tenant::text, 0));
    END IF;
    RETURN NOT EXISTS (SELECT FROM departures d WHERE d.tenant_id = tenant AND d.returned_at IS NULL);
END $$;
REVOKE ALL ON FUNCTION enter(uuid, boolean, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enter(uuid, boolean, boolean) TO enfilade_app;

-- Who issues invoices, and how far the invoices of a year are numbered: in the installation's own database for all who live
-- in it. A database elsewhere numbers its own invoices, in a series of its own.
CREATE TABLE billing_issuer (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    profile jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE billing_issuer IS 'Who issues invoices. It stands on each of them, so every tenant may read it.';
CREATE TABLE invoice_series (
    type text NOT NULL CHECK (type IN ('invoice', 'credit_note')),
    year smallint NOT NULL,
    sequence integer NOT NULL CHECK (sequence > 0),
    PRIMARY KEY (type, year)
);
COMMENT ON TABLE invoice_series IS 'The last number that was given. Its row lock makes the numbers gapless.';
GRANT SELECT ON billing_issuer TO enfilade_app;
GRANT INSERT, UPDATE, DELETE ON billing_issuer TO enfilade_operator;
GRANT SELECT, INSERT, UPDATE ON invoice_series TO enfilade_operator;
