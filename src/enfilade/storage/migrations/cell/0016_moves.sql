-- Moves: how the owner reaches the rows of one tenant, what changed while it is copied to another cell, and where its
-- ledger goes on.

-- Forced row-level security binds the owner. It may read and write the rows of the tenant that its transaction names, and
-- no others: a statement that forgets to say whose rows it means finds none. Called by the owner, for tables of later
-- migrations too; returns how many tables it had to open.
CREATE FUNCTION admit_owner() RETURNS integer LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    name text;
    admitted integer := 0;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p')
            AND NOT c.relispartition
            AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname IN ('owner', 'owner_by_tenant'))
    LOOP
        EXECUTE format('CREATE POLICY owner_by_tenant ON %I TO CURRENT_USER
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        admitted := admitted + 1;
    END LOOP;
    RETURN admitted;
END $$;
REVOKE ALL ON FUNCTION admit_owner() FROM PUBLIC;

-- What is captured, by whoever writes it: the writer names no tenant in its transactions, so the owner's policy is open.
CREATE TABLE move_changes (
    tenant_id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    table_name text NOT NULL,
    key jsonb NOT NULL,
    PRIMARY KEY (tenant_id, position)
);
COMMENT ON TABLE move_changes IS 'Rows that changed while their tenant is copied elsewhere, by their primary keys. Empty at all other times.';

-- Called by triggers that a move puts on every table, for the rows of its tenant alone: the table's name, then the
-- columns of its primary key.
CREATE FUNCTION capture_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    row_then jsonb;
    row_now jsonb;
    key_then jsonb;
    key_now jsonb;
    tenant uuid;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        row_then := to_jsonb(OLD);
        tenant := OLD.tenant_id;
        SELECT jsonb_object_agg(k, row_then -> k) INTO key_then FROM unnest(TG_ARGV[1:]) AS k;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        row_now := to_jsonb(NEW);
        tenant := NEW.tenant_id;
        SELECT jsonb_object_agg(k, row_now -> k) INTO key_now FROM unnest(TG_ARGV[1:]) AS k;
    END IF;
    IF TG_ARGV[0] <> 'intents' AND EXISTS (SELECT FROM departures d WHERE d.tenant_id = tenant AND d.returned_at IS NULL) THEN
        RAISE EXCEPTION 'the tenant has gone to another cell' USING ERRCODE = 'EF001';
    END IF;
    INSERT INTO move_changes (tenant_id, table_name, key)
    SELECT tenant, TG_ARGV[0], k FROM (SELECT key_then UNION SELECT key_now) AS keys (k) WHERE k IS NOT NULL;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION capture_change() FROM PUBLIC;

-- ── The ledger of a tenant that came from elsewhere ─────────────────────────────────────────────────────────

-- Numbers of transactions mean something on one server only. Entries that come to a cell go back by 2^48 places, below all
-- that its server will ever post, and keep their order. A place that somebody outside remembers, like how far the ledger
-- is billed or read, counts from the tenant's beginning: the base is what lies between the two.
CREATE TABLE ledger_bases (
    tenant_id uuid PRIMARY KEY,
    moves integer NOT NULL CHECK (moves BETWEEN 1 AND 32000)
);
COMMENT ON TABLE ledger_bases IS 'How often a tenant''s ledger came from another cell.';
CREATE FUNCTION ledger_base(tenant uuid) RETURNS bigint LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT coalesce((SELECT b.moves FROM ledger_bases b WHERE b.tenant_id = tenant), 0)::bigint << 48
$$;
REVOKE ALL ON FUNCTION ledger_base(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_base(uuid) TO enfilade_app;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['move_changes', 'ledger_bases']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;
CREATE POLICY owner ON move_changes TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT ON ledger_bases TO enfilade_app;
SELECT admit_owner();

-- ── Roll-ups: from the lowest place on, which is not 0 any more ─────────────────────────────────────────────

CREATE OR REPLACE FUNCTION roll_up_spend(now_is timestamptz, tenants uuid[], zones text[], most integer, most_values integer,
                              OUT entries bigint, OUT behind boolean) RETURNS SETOF record
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    progress spend_progress;
    horizon bigint;
    high bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('enfilade.spend', 0)) THEN
        RETURN;
    END IF;
    SELECT * INTO STRICT progress FROM spend_progress;
    horizon := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    INSERT INTO spend_tenants (tenant_id, time_zone) SELECT * FROM unnest(tenants, zones) ON CONFLICT DO NOTHING;
    IF progress.server <> spend_server() OR progress.watermark > horizon THEN
        -- The database was moved: what the old server posted is older than all that this one posts.
        UPDATE ledger SET posted_xact = 0 WHERE posted_xact >= horizon;
        UPDATE calls SET posted_xact = 0 WHERE posted_xact >= horizon;
        DELETE FROM spend_hours;
        DELETE FROM spend_days;
        DELETE FROM spend_months;
        DELETE FROM spend_metadata;
        progress.watermark := 0;
        -- Entries that came from another cell stand below all transactions, where batches do not look.
        UPDATE spend_tenants t SET rebuild_from = '-infinity'
        WHERE EXISTS (SELECT FROM ledger l WHERE l.tenant_id = t.tenant_id AND l.posted_xact < 0);
    END IF;
    LOOP
        high := least(horizon, progress.watermark + progress.stride);
        entries := greatest(
            (SELECT count(*) FROM ledger WHERE posted_xact >= progress.watermark AND posted_xact < high),
            (SELECT count(*) FROM calls WHERE posted_xact >= progress.watermark AND posted_xact < high));
        IF entries > most AND high > progress.watermark + 1 THEN
            progress.stride := greatest((high - progress.watermark) / 2, 1);
        ELSIF entries = 0 AND high < horizon THEN
            progress.watermark := high;
            progress.stride := least(progress.stride * 4, 1::bigint << 40);
        ELSE
            EXIT;
        END IF;
    END LOOP;
    IF entries > 0 THEN
        PERFORM merge_spend(progress.watermark, high, NULL, '-infinity', 'infinity', NULL, NULL, most_values);
        IF entries < most / 4 THEN
            progress.stride := least(progress.stride * 2, 1::bigint << 40);
        END IF;
    END IF;
    behind := high < horizon;
    UPDATE spend_progress SET watermark = greatest(high, progress.watermark), stride = progress.stride,
        server = spend_server(), caught_up_at = CASE WHEN behind THEN caught_up_at ELSE now_is END;
    RETURN NEXT;
END $$;

CREATE OR REPLACE FUNCTION move_spend(tenant uuid, zone text, most_values integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('enfilade.spend', 0))
        OR EXISTS (SELECT FROM spend_tenants WHERE tenant_id = tenant AND time_zone = zone) THEN
        RETURN false;
    END IF;
    INSERT INTO spend_tenants (tenant_id, time_zone) VALUES (tenant, zone)
    ON CONFLICT (tenant_id) DO UPDATE SET time_zone = excluded.time_zone, rebuild_from = NULL;
    DELETE FROM spend_hours WHERE tenant_id = tenant;
    DELETE FROM spend_days WHERE tenant_id = tenant;
    DELETE FROM spend_months WHERE tenant_id = tenant;
    DELETE FROM spend_metadata WHERE tenant_id = tenant;
    PERFORM merge_spend('-9223372036854775808', (SELECT watermark FROM spend_progress), tenant, '-infinity', 'infinity', NULL, NULL, most_values);
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION rebuild_spend_month(most_values integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    waiting spend_tenants;
    start timestamptz;
    month date;
    next date := 'infinity';
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('enfilade.spend', 0)) THEN
        RETURN false;
    END IF;
    SELECT * INTO waiting FROM spend_tenants WHERE rebuild_from IS NOT NULL ORDER BY tenant_id LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- Two hours of grace where a month's first midnight comes twice.
    start := (waiting.rebuild_from::timestamp AT TIME ZONE waiting.time_zone) - interval '2 hours';
    start := least((SELECT min(started_at) FROM ledger WHERE tenant_id = waiting.tenant_id AND started_at >= start),
                   (SELECT min(started_at) FROM calls WHERE tenant_id = waiting.tenant_id AND started_at >= start));
    IF start IS NOT NULL THEN
        month := greatest(date_trunc('month', start AT TIME ZONE waiting.time_zone)::date, waiting.rebuild_from);
        next := month + interval '1 month';
    END IF;
    DELETE FROM spend_hours WHERE tenant_id = waiting.tenant_id
        AND (bucket AT TIME ZONE waiting.time_zone)::date >= waiting.rebuild_from
        AND (bucket AT TIME ZONE waiting.time_zone)::date < next;
    DELETE FROM spend_days WHERE tenant_id = waiting.tenant_id AND bucket >= waiting.rebuild_from AND bucket < next;
    DELETE FROM spend_months WHERE tenant_id = waiting.tenant_id AND bucket >= waiting.rebuild_from AND bucket < next;
    DELETE FROM spend_metadata WHERE tenant_id = waiting.tenant_id AND bucket >= waiting.rebuild_from AND bucket < next;
    IF start IS NOT NULL THEN
        PERFORM merge_spend(
            '-9223372036854775808', (SELECT watermark FROM spend_progress), waiting.tenant_id,
            (month::timestamp AT TIME ZONE waiting.time_zone) - interval '2 hours',
            (next::timestamp AT TIME ZONE waiting.time_zone) + interval '2 hours', month, next, most_values);
    END IF;
    UPDATE spend_tenants SET rebuild_from = nullif(next, 'infinity') WHERE tenant_id = waiting.tenant_id;
    RETURN true;
END $$;

-- The roll-ups of what came from elsewhere and began in this period. The owner calls it while a tenant comes, and nobody
-- else is at them: what stands below all transactions is in no batch.
CREATE FUNCTION roll_up_arrivals(tenant uuid, low bigint, high bigint, earliest timestamptz, most_values integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('enfilade.spend', 0));
    PERFORM merge_spend(low, high, tenant, earliest, 'infinity', NULL, NULL, most_values);
END $$;
REVOKE ALL ON FUNCTION roll_up_arrivals(uuid, bigint, bigint, timestamptz, integer) FROM PUBLIC;
GRANT CREATE ON SCHEMA :schema TO enfilade_settler;
ALTER FUNCTION roll_up_arrivals(uuid, bigint, bigint, timestamptz, integer) OWNER TO enfilade_settler;
REVOKE CREATE ON SCHEMA :schema FROM enfilade_settler;
DO $$
BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION roll_up_arrivals(uuid, bigint, bigint, timestamptz, integer) TO %I', current_user);
END $$;
