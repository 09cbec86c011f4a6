-- Cells: a tenant that has gone to another one leaves a note, and nothing can be written for it here any more.

CREATE TABLE departures (
    tenant_id uuid PRIMARY KEY,
    left_at timestamptz NOT NULL DEFAULT now(),
    returned_at timestamptz
);
COMMENT ON TABLE departures IS 'Tenants whose rows have gone to another cell. Its event head goes with a tenant, so that `settle` refuses it.';
ALTER TABLE departures ENABLE ROW LEVEL SECURITY;
ALTER TABLE departures FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON departures FOR SELECT TO enfilade_app USING (tenant_id = current_tenant());
CREATE POLICY operator_reads ON departures FOR SELECT TO enfilade_operator USING (true);
CREATE POLICY settler ON departures FOR SELECT TO enfilade_settler USING (true);
CREATE POLICY owner ON departures TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT ON departures TO enfilade_app, enfilade_settler;

-- Revisions are counted in the installation's schema from now on. They go on from where they were.
DO $$
BEGIN
    IF to_regclass('enfilade.revision_counter') IS NOT NULL THEN
        UPDATE enfilade.revision_counter r SET revision = old.revision + 1 FROM revision_counter old
        WHERE old.revision >= r.revision AND old.revision > 0;
    END IF;
END $$;
DROP TABLE tenant_revisions, revision_counter;

CREATE OR REPLACE FUNCTION append_leaves(tenants uuid[], types text[], times timestamptz[], bodies text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    appended integer;
BEGIN
    INSERT INTO event_heads (tenant_id)
    SELECT DISTINCT t.id FROM unnest(tenants) AS t (id)
    WHERE NOT EXISTS (SELECT FROM event_heads h WHERE h.tenant_id = t.id)
        AND NOT EXISTS (SELECT FROM departures d WHERE d.tenant_id = t.id AND d.returned_at IS NULL)
    ORDER BY 1
    ON CONFLICT DO NOTHING;

    -- Locked in one order by everybody, so that two batches over the same tenants cannot deadlock.
    PERFORM FROM event_heads WHERE tenant_id = ANY (tenants) ORDER BY tenant_id FOR UPDATE;

    INSERT INTO events (tenant_id, seq, at, type, body, leaf)
    SELECT e.tenant,
           h.next_seq + row_number() OVER (PARTITION BY e.tenant ORDER BY e.position) - 1,
           e.at, e.type, e.body, sha256('\x00'::bytea || convert_to(e.body, 'UTF8'))
    FROM unnest(tenants, types, times, bodies) WITH ORDINALITY AS e (tenant, type, at, body, position)
    JOIN event_heads h ON h.tenant_id = e.tenant;
    GET DIAGNOSTICS appended = ROW_COUNT;
    IF appended <> cardinality(tenants) THEN
        -- A log that has gone to another cell took its head with it, perhaps while this waited for it.
        RAISE EXCEPTION 'an event names a tenant that lives elsewhere' USING ERRCODE = 'EF001';
    END IF;

    UPDATE event_heads h SET next_seq = h.next_seq + n.added
    FROM (SELECT t.id, count(*) AS added FROM unnest(tenants) AS t (id) GROUP BY t.id) AS n
    WHERE h.tenant_id = n.id;
END $$;

-- Invoices are numbered by the installation, not by a cell.
INSERT INTO enfilade.billing_issuer (profile, version) SELECT profile, version FROM billing_issuer
ON CONFLICT DO NOTHING;
DROP TABLE billing_issuer;
ALTER TABLE invoices ADD COLUMN series text NOT NULL DEFAULT '';
ALTER TABLE invoices DROP CONSTRAINT invoices_type_year_sequence_key;
ALTER TABLE invoices ADD UNIQUE (series, type, year, sequence);
COMMENT ON COLUMN invoices.series IS 'Empty: the installation''s own. A tenant in another database has a series of its own, named as it stands in the numbers.';
ALTER TABLE invoices NO FORCE ROW LEVEL SECURITY;
INSERT INTO enfilade.invoice_series (type, year, sequence) SELECT type, year, max(sequence) FROM invoices GROUP BY 1, 2
ON CONFLICT DO NOTHING;
ALTER TABLE invoices FORCE ROW LEVEL SECURITY;
