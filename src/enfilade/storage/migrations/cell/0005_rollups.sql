-- Roll-ups of the ledger and of calls: sums for each local hour, day and month of a tenant, by what calls are told apart
-- by. They hold nothing that the ledger and the calls do not say, and can be made anew from those at any time.

CREATE TABLE spend_progress (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    watermark bigint NOT NULL DEFAULT 0,
    stride bigint NOT NULL DEFAULT 1024 CHECK (stride > 0),
    server text,
    caught_up_at timestamptz
);
INSERT INTO spend_progress DEFAULT VALUES;
COMMENT ON COLUMN spend_progress.watermark IS 'All that transactions below it posted is in the roll-ups, and nothing else is.';
COMMENT ON COLUMN spend_progress.stride IS 'How many transactions the next batch tries to take.';
COMMENT ON COLUMN spend_progress.server IS 'Whose transactions are counted: on another server their numbers mean nothing.';

CREATE TABLE spend_tenants (
    tenant_id uuid PRIMARY KEY,
    time_zone text NOT NULL,
    rebuild_from date
);
COMMENT ON TABLE spend_tenants IS 'The time zone that a tenant''s roll-ups are made in.';
COMMENT ON COLUMN spend_tenants.rebuild_from IS 'The roll-ups from this month on wait to be made anew.';

CREATE FUNCTION latency_place(microseconds bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT width_bucket(microseconds, ARRAY[
        1000, 1320, 1742, 2300, 3036, 4007, 5290, 6983, 9217, 12166, 16060, 21199, 27983, 36937, 48757, 64359, 84954,
        112139, 148024, 195391, 257916, 340449, 449393, 593199, 783023, 1033590, 1364339, 1800927, 2377224, 3137935,
        4142075, 5467539, 7217151, 9526639, 12575164, 16599217, 21910966, 28922475, 38177667, 50394520, 66520767,
        87807412, 115905784, 152995635, 201954239, 266579595, 351885066, 464488287, 613124539
    ]::bigint[])
$$;
COMMENT ON FUNCTION latency_place(bigint) IS 'Where a duration is counted: bounds from 1 ms on, each 1.32 times the one before.';

-- The measures of all roll-ups, in one order. A measure of nothing is null: rows hold a few of them each, and what is
-- null takes no room. q_ and a_ are quantities and amounts by kind, l_ and f_ how many calls had their end and their
-- first byte in which place.
DO $$
DECLARE
    kinds text[] := ARRAY['input', 'cached_input', 'cache_write', 'cache_write_1h', 'output', 'reasoning', 'audio_input',
                          'cached_audio_input', 'audio_output', 'image_input', 'cached_image_input', 'image_output',
                          'requests', 'web_searches', 'characters', 'pages', 'seconds'];
    statuses text[] := ARRAY['refused', 'failed', 'cut', 'abandoned', 'interrupted'];
    flags text[] := ARRAY['cached', 'stream', 'estimated'];
    sums text[] := ARRAY['tokens', 'amount_nano', 'provider_nano', 'list_nano', 'saved_nano', 'could_save_nano',
                         'overrun_nano'];
    dims text := 'department_id, application_id, user_id, key_id, model, provider, deployment, region, use_case, prompt';
    names text[];
    posted text[];    -- sums over the ledger `l`, in the order of their columns
    counted text[];   -- counts of the calls `c`, in the order of theirs
    columns text;
    merged text;
    added text;
    grain record;
    name text;
BEGIN
    names := sums || ARRAY(SELECT 'q_' || k FROM unnest(kinds) k) || ARRAY(SELECT 'a_' || k FROM unnest(kinds) k)
        || ARRAY['calls'] || statuses || flags
        || ARRAY(SELECT 'l_' || i FROM generate_series(0, 49) i) || ARRAY(SELECT 'f_' || i FROM generate_series(0, 49) i);
    posted := ARRAY(SELECT format('sum(nullif(l.%1$s, 0))::bigint AS %1$s', s) FROM unnest(sums) s)
        || ARRAY(SELECT format('sum(l.quantities[array_position(l.kinds, %1$L)])::bigint AS q_%1$s', k) FROM unnest(kinds) k)
        || ARRAY(SELECT format('sum(l.amounts[array_position(l.kinds, %1$L)])::bigint AS a_%1$s', k) FROM unnest(kinds) k);
    counted := ARRAY['count(*) AS calls']
        || ARRAY(SELECT format('nullif(count(*) FILTER (WHERE c.status = %1$L), 0) AS %1$s', s) FROM unnest(statuses) s)
        || ARRAY(SELECT format('nullif(count(*) FILTER (WHERE c.%1$s), 0) AS %1$s', f) FROM unnest(flags) f)
        || ARRAY(SELECT format('nullif(count(*) FILTER (WHERE c.took = %1$s), 0) AS l_%1$s', i) FROM generate_series(0, 49) i)
        || ARRAY(SELECT format('nullif(count(*) FILTER (WHERE c.began = %1$s), 0) AS f_%1$s', i) FROM generate_series(0, 49) i);
    columns := array_to_string(names, ', ');
    merged := (SELECT string_agg(format('%1$s = coalesce(old.%1$s + excluded.%1$s, old.%1$s, excluded.%1$s)', n), ', ')
               FROM unnest(names) n);
    added := (SELECT string_agg(format('sum(r.%1$s)::bigint AS %1$s', n), ', ') FROM unnest(names) n);

    FOR grain IN SELECT * FROM (VALUES ('spend_hours', 'timestamptz'), ('spend_days', 'date'), ('spend_months', 'date'))
                 AS g (relation, type)
    LOOP
        EXECUTE format(
            'CREATE TABLE %I (tenant_id uuid NOT NULL, bucket %s NOT NULL, place bytea NOT NULL, department_id uuid,
             application_id uuid, user_id uuid, key_id uuid, model text, provider text, deployment text, region text,
             use_case text, prompt text, %s, PRIMARY KEY (tenant_id, bucket, place))',
            grain.relation, grain.type, (SELECT string_agg(n || ' bigint', ', ') FROM unnest(names) n));
    END LOOP;
    EXECUTE format(
        'CREATE TABLE spend_metadata (tenant_id uuid NOT NULL, bucket date NOT NULL, place bytea NOT NULL, key text NOT NULL,
         value text NOT NULL, application_id uuid, model text, %s, PRIMARY KEY (tenant_id, bucket, place))',
        (SELECT string_agg(n || ' bigint', ', ') FROM unnest(names) n));

    -- One row for each local hour and place: the sums of what transactions from `low` up to, without, `high` posted.
    -- The job rolls up what it says, and reports read from it what is not rolled up yet: both in the same words.
    EXECUTE format($function$
        CREATE FUNCTION sum_up_spend(low bigint, high bigint, tenant uuid, earliest timestamptz, latest timestamptz,
                                     unlisted uuid[], zones text[]) RETURNS SETOF spend_hours
            LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $body$
        BEGIN
            -- Planned for these very numbers: a plan for any would read whole tables.
            RETURN QUERY EXECUTE $query$
                WITH known AS MATERIALIZED (
                    SELECT t.tenant_id, t.time_zone FROM spend_tenants t WHERE $3 IS NULL OR t.tenant_id = $3
                    UNION ALL
                    SELECT u.id, u.zone FROM unnest($6, $7) AS u (id, zone)
                    WHERE NOT EXISTS (SELECT FROM spend_tenants t WHERE t.tenant_id = u.id)
                ), posted AS (
                    SELECT l.tenant_id, date_trunc('hour', l.started_at, coalesce(k.time_zone, 'UTC')) AS bucket, %1$s,
                           %2$s
                    FROM ledger l LEFT JOIN known k ON k.tenant_id = l.tenant_id
                    WHERE l.posted_xact >= $1 AND l.posted_xact < $2 AND ($3 IS NULL OR l.tenant_id = $3)
                        AND l.started_at >= $4 AND l.started_at < $5
                    GROUP BY l.tenant_id, 2, %1$s
                ), counted AS (
                    SELECT c.tenant_id, c.bucket, %1$s, %3$s
                    FROM (SELECT c.*, date_trunc('hour', c.started_at, coalesce(k.time_zone, 'UTC')) AS bucket,
                                 latency_place(c.latency_us) AS took, latency_place(c.first_byte_us) AS began
                          FROM calls c LEFT JOIN known k ON k.tenant_id = c.tenant_id
                          WHERE c.posted_xact >= $1 AND c.posted_xact < $2 AND ($3 IS NULL OR c.tenant_id = $3)
                              AND c.started_at >= $4 AND c.started_at < $5) AS c
                    GROUP BY c.tenant_id, c.bucket, %1$s
                )
                SELECT tenant_id, bucket, place, %4$s, %5$s
                FROM (SELECT *, %6$s AS place FROM posted) AS p
                FULL JOIN (SELECT *, %6$s AS place FROM counted) AS c USING (tenant_id, bucket, place)
            $query$ USING low, high, tenant, earliest, latest, unlisted, zones;
        END $body$
        $function$,
        dims, array_to_string(posted, ', '), array_to_string(counted, ', '),
        (SELECT string_agg(format('coalesce(p.%1$s, c.%1$s)', d), ', ') FROM unnest(string_to_array(dims, ', ')) d),
        columns, format('substr(sha256(convert_to(ROW(%s)::text, ''UTF8'')), 1, 16)', dims));

    -- The same by what callers say of their calls: of each call the first eight names, of a value the first 100 characters.
    EXECUTE format($function$
        CREATE FUNCTION sum_up_metadata(low bigint, high bigint, tenant uuid, earliest timestamptz, latest timestamptz,
                                        unlisted uuid[], zones text[]) RETURNS SETOF spend_metadata
            LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $body$
        BEGIN
            RETURN QUERY EXECUTE $query$
                WITH known AS MATERIALIZED (
                    SELECT t.tenant_id, t.time_zone FROM spend_tenants t WHERE $3 IS NULL OR t.tenant_id = $3
                    UNION ALL
                    SELECT u.id, u.zone FROM unnest($6, $7) AS u (id, zone)
                    WHERE NOT EXISTS (SELECT FROM spend_tenants t WHERE t.tenant_id = u.id)
                ), marked AS MATERIALIZED (
                    SELECT c.*, latency_place(c.latency_us) AS took, latency_place(c.first_byte_us) AS began
                    FROM calls c
                    WHERE c.posted_xact >= $1 AND c.posted_xact < $2 AND ($3 IS NULL OR c.tenant_id = $3)
                        AND c.started_at >= $4 AND c.started_at < $5 AND c.metadata IS NOT NULL
                ), entries AS (
                    -- A call's own entries are posted with it; corrections come later.
                    SELECT l.*, m.metadata FROM marked m
                    JOIN ledger l ON l.started_at = m.started_at AND l.call_id = m.call_id
                    WHERE l.posted_xact >= $1 AND l.posted_xact < $2 AND l.started_at >= $4 AND l.started_at < $5
                        AND l.source IS NULL
                    UNION ALL
                    SELECT l.*, c.metadata FROM ledger l
                    JOIN calls c ON c.started_at = l.started_at AND c.call_id = l.call_id
                    WHERE l.posted_xact >= $1 AND l.posted_xact < $2 AND ($3 IS NULL OR l.tenant_id = $3)
                        AND l.started_at >= $4 AND l.started_at < $5 AND l.source IS NOT NULL AND c.metadata IS NOT NULL
                ), posted AS (
                    SELECT l.tenant_id, (l.started_at AT TIME ZONE coalesce(k.time_zone, 'UTC'))::date AS bucket, e.key,
                           e.value, l.application_id, l.model, %1$s
                    FROM entries l LEFT JOIN known k ON k.tenant_id = l.tenant_id CROSS JOIN LATERAL (
                        SELECT n.key, left(n.value, 100) AS value FROM jsonb_each_text(l.metadata) n
                        ORDER BY n.key COLLATE "C" LIMIT 8) AS e
                    GROUP BY 1, 2, 3, 4, 5, 6
                ), counted AS (
                    SELECT c.tenant_id, (c.started_at AT TIME ZONE coalesce(k.time_zone, 'UTC'))::date AS bucket, e.key,
                           e.value, c.application_id, c.model, %2$s
                    FROM marked c LEFT JOIN known k ON k.tenant_id = c.tenant_id CROSS JOIN LATERAL (
                        SELECT n.key, left(n.value, 100) AS value FROM jsonb_each_text(c.metadata) n
                        ORDER BY n.key COLLATE "C" LIMIT 8) AS e
                    GROUP BY 1, 2, 3, 4, 5, 6
                )
                SELECT tenant_id, bucket, place, coalesce(p.key, c.key), coalesce(p.value, c.value),
                       coalesce(p.application_id, c.application_id), coalesce(p.model, c.model), %3$s
                FROM (SELECT *, %4$s AS place FROM posted) AS p
                FULL JOIN (SELECT *, %4$s AS place FROM counted) AS c USING (tenant_id, bucket, place)
            $query$ USING low, high, tenant, earliest, latest, unlisted, zones;
        END $body$
        $function$,
        array_to_string(posted, ', '), array_to_string(counted, ', '), columns,
        'substr(sha256(convert_to(ROW(key, value, application_id, model)::text, ''UTF8'')), 1, 16)');

    -- Adds what these transactions posted to the roll-ups: of all tenants or of one, of all days or from `first` up to,
    -- without, `next`. Hours, days and months come from the same sums, so that they always agree.
    EXECUTE format($function$
        CREATE FUNCTION merge_spend(low bigint, high bigint, tenant uuid, earliest timestamptz, latest timestamptz,
                                    first date, next date, most_values integer) RETURNS void
            LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
        BEGIN
            WITH fresh AS MATERIALIZED (
                SELECT r.*, (r.bucket AT TIME ZONE coalesce(t.time_zone, 'UTC'))::date AS day
                FROM sum_up_spend(low, high, tenant, earliest, latest, '{}', '{}') r LEFT JOIN spend_tenants t USING (tenant_id)
                WHERE first IS NULL OR (r.bucket AT TIME ZONE coalesce(t.time_zone, 'UTC'))::date >= first
                    AND (r.bucket AT TIME ZONE coalesce(t.time_zone, 'UTC'))::date < next
            ), daily AS MATERIALIZED (
                SELECT tenant_id, day AS bucket, place, %1$s, %2$s FROM fresh r GROUP BY tenant_id, day, place, %1$s
            ), met AS (
                INSERT INTO spend_tenants (tenant_id, time_zone) SELECT DISTINCT tenant_id, 'UTC' FROM fresh
                ON CONFLICT DO NOTHING
            ), hours AS (
                INSERT INTO spend_hours AS old (tenant_id, bucket, place, %1$s, %3$s)
                SELECT tenant_id, bucket, place, %1$s, %3$s FROM fresh
                ON CONFLICT (tenant_id, bucket, place) DO UPDATE SET %4$s
            ), days AS (
                INSERT INTO spend_days AS old (tenant_id, bucket, place, %1$s, %3$s)
                SELECT tenant_id, bucket, place, %1$s, %3$s FROM daily
                ON CONFLICT (tenant_id, bucket, place) DO UPDATE SET %4$s
            )
            INSERT INTO spend_months AS old (tenant_id, bucket, place, %1$s, %3$s)
            SELECT tenant_id, date_trunc('month', bucket::timestamp)::date, place, %1$s, %2$s FROM daily r
            GROUP BY tenant_id, 2, place, %1$s
            ON CONFLICT (tenant_id, bucket, place) DO UPDATE SET %4$s;

            -- Callers invent values: beyond so many a day they are counted as one, and so are names beyond a tenth of it.
            WITH fresh AS MATERIALIZED (
                SELECT r.* FROM sum_up_metadata(low, high, tenant, earliest, latest, '{}', '{}') r
                WHERE first IS NULL OR r.bucket >= first AND r.bucket < next
            ), before AS MATERIALIZED (
                SELECT m.tenant_id, m.bucket, m.place, m.key FROM spend_metadata m
                WHERE (m.tenant_id, m.bucket) IN (SELECT f.tenant_id, f.bucket FROM fresh f)
            ), seen AS MATERIALIZED (
                SELECT tenant_id, bucket, count(*) AS places, count(DISTINCT key) AS keys FROM before GROUP BY 1, 2
            ), new_keys AS (
                SELECT f.tenant_id, f.bucket, f.key,
                       row_number() OVER (PARTITION BY f.tenant_id, f.bucket ORDER BY f.key COLLATE "C") AS number
                FROM (SELECT DISTINCT tenant_id, bucket, key FROM fresh EXCEPT SELECT tenant_id, bucket, key FROM before) f
            ), keyed AS MATERIALIZED (
                SELECT f.*, coalesce(s.keys, 0) + k.number > greatest(most_values / 10, 1) AS key_over
                FROM fresh f LEFT JOIN seen s USING (tenant_id, bucket) LEFT JOIN new_keys k USING (tenant_id, bucket, key)
            ), numbered AS (
                SELECT f.tenant_id, f.bucket, f.place,
                       row_number() OVER (PARTITION BY f.tenant_id, f.bucket ORDER BY f.place) AS number
                FROM keyed f WHERE f.key_over IS NOT TRUE AND NOT EXISTS (
                    SELECT FROM before b WHERE b.tenant_id = f.tenant_id AND b.bucket = f.bucket AND b.place = f.place)
            ), folded AS (
                SELECT r.*, coalesce(s.places, 0) + n.number > most_values AS value_over
                FROM keyed r LEFT JOIN seen s USING (tenant_id, bucket) LEFT JOIN numbered n USING (tenant_id, bucket, place)
            ), kept AS (
                SELECT r.tenant_id, r.bucket, CASE WHEN r.key_over THEN '(other)' ELSE r.key END AS key,
                       CASE WHEN r.key_over OR r.value_over THEN '(other)' ELSE r.value END AS value,
                       CASE WHEN r.key_over OR r.value_over THEN NULL ELSE r.application_id END AS application_id,
                       CASE WHEN r.key_over OR r.value_over THEN NULL ELSE r.model END AS model, %3$s
                FROM folded r
            )
            INSERT INTO spend_metadata AS old (tenant_id, bucket, place, key, value, application_id, model, %3$s)
            SELECT tenant_id, bucket, %5$s, key, value, application_id, model, %2$s FROM kept r
            GROUP BY tenant_id, bucket, key, value, application_id, model
            ON CONFLICT (tenant_id, bucket, place) DO UPDATE SET %4$s;
        END $body$
        $function$,
        dims, added, columns, merged,
        'substr(sha256(convert_to(ROW(key, value, application_id, model)::text, ''UTF8'')), 1, 16)');
END $$;

CREATE FUNCTION spend_server() RETURNS text LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    IF has_function_privilege('pg_control_system()', 'EXECUTE') THEN
        RETURN (SELECT system_identifier::text FROM pg_control_system());
    END IF;
    RETURN 'unknown';
END $$;
COMMENT ON FUNCTION spend_server() IS 'Which cluster of databases this is: another one counts its transactions anew.';

-- ── The job ─────────────────────────────────────────────────────────────────────────────────────────────────

-- One batch: what is posted since the last one, up to the oldest transaction that is still running, so that nothing is
-- missed that commits late. The watermark moves in the same transaction. Returns no row when another process is at it.
CREATE FUNCTION roll_up_spend(now_is timestamptz, tenants uuid[], zones text[], most integer, most_values integer,
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

-- A tenant's days begin elsewhere from now on: its roll-ups are made anew, in one piece. Returns whether this was done
-- here, and not by another process.
CREATE FUNCTION move_spend(tenant uuid, zone text, most_values integer) RETURNS boolean
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
    PERFORM merge_spend(0, (SELECT watermark FROM spend_progress), tenant, '-infinity', 'infinity', NULL, NULL, most_values);
    RETURN true;
END $$;

CREATE FUNCTION request_spend_rebuild(tenant uuid) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH waiting AS (
        UPDATE spend_tenants SET rebuild_from = '-infinity' WHERE tenant IS NULL OR tenant_id = tenant RETURNING 1
    )
    SELECT count(*) FROM waiting
$$;

-- Makes one month of one tenant anew, of those that wait for it. Reports are right before, meanwhile and after.
-- Returns whether there was one, and no other process at it.
CREATE FUNCTION rebuild_spend_month(most_values integer) RETURNS boolean
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
            0, (SELECT watermark FROM spend_progress), waiting.tenant_id,
            (month::timestamp AT TIME ZONE waiting.time_zone) - interval '2 hours',
            (next::timestamp AT TIME ZONE waiting.time_zone) + interval '2 hours', month, next, most_values);
    END IF;
    UPDATE spend_tenants SET rebuild_from = nullif(next, 'infinity') WHERE tenant_id = waiting.tenant_id;
    RETURN true;
END $$;

-- ── Rights ──────────────────────────────────────────────────────────────────────────────────────────────────

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['spend_hours', 'spend_days', 'spend_months', 'spend_metadata', 'spend_tenants']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
        EXECUTE format('CREATE POLICY settler ON %I TO enfilade_settler USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT ON spend_hours, spend_days, spend_months, spend_metadata, spend_tenants, spend_progress TO enfilade_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON spend_hours, spend_days, spend_months, spend_metadata TO enfilade_settler;
GRANT SELECT, INSERT, UPDATE ON spend_tenants TO enfilade_settler;
GRANT SELECT, UPDATE ON spend_progress TO enfilade_settler;
-- No fact, but an entry's place in the order of this server's transactions.
GRANT UPDATE (posted_xact) ON ledger, calls TO enfilade_settler;

REVOKE ALL ON FUNCTION latency_place(bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION spend_server() FROM PUBLIC;
REVOKE ALL ON FUNCTION sum_up_spend(bigint, bigint, uuid, timestamptz, timestamptz, uuid[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION sum_up_metadata(bigint, bigint, uuid, timestamptz, timestamptz, uuid[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION merge_spend(bigint, bigint, uuid, timestamptz, timestamptz, date, date, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION roll_up_spend(timestamptz, uuid[], text[], integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION move_spend(uuid, text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION request_spend_rebuild(uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION rebuild_spend_month(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION latency_place(bigint), spend_server() TO enfilade_app, enfilade_settler;
GRANT EXECUTE ON FUNCTION sum_up_spend(bigint, bigint, uuid, timestamptz, timestamptz, uuid[], text[]),
    sum_up_metadata(bigint, bigint, uuid, timestamptz, timestamptz, uuid[], text[]) TO enfilade_app, enfilade_settler;
GRANT EXECUTE ON FUNCTION merge_spend(bigint, bigint, uuid, timestamptz, timestamptz, date, date, integer)
    TO enfilade_settler;
GRANT EXECUTE ON FUNCTION roll_up_spend(timestamptz, uuid[], text[], integer, integer), move_spend(uuid, text, integer),
    request_spend_rebuild(uuid), rebuild_spend_month(integer) TO enfilade_operator;

GRANT CREATE ON SCHEMA :schema TO enfilade_settler;
ALTER FUNCTION roll_up_spend(timestamptz, uuid[], text[], integer, integer) OWNER TO enfilade_settler;
ALTER FUNCTION move_spend(uuid, text, integer) OWNER TO enfilade_settler;
ALTER FUNCTION request_spend_rebuild(uuid) OWNER TO enfilade_settler;
ALTER FUNCTION rebuild_spend_month(integer) OWNER TO enfilade_settler;
REVOKE CREATE ON SCHEMA :schema FROM enfilade_settler;
