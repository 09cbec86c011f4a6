-- The only ways to write facts. Each function runs as `settler`, whom nobody can log in as: the roles that call
-- them can append, and can neither change nor remove what was appended.

CREATE FUNCTION append_leaves(tenants uuid[], types text[], times timestamptz[], bodies text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO event_heads (tenant_id)
    SELECT DISTINCT t.id FROM unnest(tenants) AS t (id)
    WHERE NOT EXISTS (SELECT FROM event_heads h WHERE h.tenant_id = t.id)
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

    UPDATE event_heads h SET next_seq = h.next_seq + n.added
    FROM (SELECT t.id, count(*) AS added FROM unnest(tenants) AS t (id) GROUP BY t.id) AS n
    WHERE h.tenant_id = n.id;
END $$;

CREATE FUNCTION append_events(tenants uuid[], types text[], times timestamptz[], bodies text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(tenants) AS t (id) WHERE t.id IS DISTINCT FROM current_tenant()) THEN
        RAISE insufficient_privilege USING MESSAGE = 'events may be appended for the current tenant only';
    END IF;
    PERFORM append_leaves(tenants, types, times, bodies);
END $$;

CREATE FUNCTION settle(settlements text[], alert_tenants uuid[], alert_types text[], alert_times timestamptz[],
                       alert_bodies text[], new_intents text[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    settled integer;
    appended integer;
BEGIN
    -- The event is the record; the tables are its projections. A call that is settled twice is settled once: what the
    -- ledger already holds is left out of everything else. One statement does it all, because at some thousand calls a
    -- second the number of statements is what counts; `json` is read rather than `jsonb` for the same reason.
    WITH parsed AS MATERIALIZED (
        SELECT s.body, s.position, e.tenant, e.at AS ended_at, e.type, d.*
        FROM unnest(settlements) WITH ORDINALITY AS s (body, position)
        CROSS JOIN LATERAL json_to_record(s.body::json) AS e (tenant uuid, at timestamptz, type text, data json)
        CROSS JOIN LATERAL json_to_record(e.data) AS d (
            id uuid, started_at timestamptz, department uuid, application uuid, "user" uuid, key uuid,
            dialect text, model text, provider text, deployment text, status text, http_status smallint, error text,
            stream boolean, cached boolean, input_tokens bigint, cached_input_tokens bigint,
            cache_write_tokens bigint, output_tokens bigint, reasoning_tokens bigint, cost_nano bigint,
            overrun_nano bigint, estimated boolean, price text, attempts smallint, latency_us bigint,
            first_byte_us bigint, use_case text, metadata jsonb)
    ), posted AS (
        INSERT INTO ledger (tenant_id, call_id, started_at, posted_at, department_id, application_id, user_id, key_id,
                            model, tokens, amount_nano, overrun_nano, estimated, price)
        SELECT tenant, id, started_at, ended_at, department, application, "user", key,
               model, input_tokens + output_tokens, cost_nano, overrun_nano, estimated, price
        FROM parsed
        -- In one order by everybody: two batches with the same calls wait for one another, and cannot deadlock.
        ORDER BY id
        ON CONFLICT DO NOTHING
        RETURNING call_id
    ), fresh AS MATERIALIZED (
        SELECT * FROM parsed WHERE id IN (SELECT call_id FROM posted)
    ), recorded AS (
        INSERT INTO calls (tenant_id, call_id, started_at, ended_at, department_id, application_id, user_id, key_id,
                           dialect, model, provider, deployment, status, http_status, error_code, stream, cached,
                           input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
                           amount_nano, estimated, attempts, latency_us, first_byte_us, use_case, metadata)
        SELECT tenant, id, started_at, ended_at, department, application, "user", key,
               dialect, model, provider, deployment, status, http_status, error, stream, cached,
               input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
               cost_nano, estimated, attempts, latency_us, first_byte_us, use_case, metadata
        FROM fresh
    ), finished AS (
        DELETE FROM intents WHERE call_id = ANY (ARRAY(SELECT id FROM parsed))
    ), counted AS MATERIALIZED (
        SELECT tenant, count(*) AS added FROM fresh GROUP BY tenant
    ), heads AS MATERIALIZED (
        -- Locked in one order by everybody, so that two batches over the same tenants cannot deadlock.
        SELECT tenant_id, next_seq FROM event_heads WHERE tenant_id IN (SELECT tenant FROM counted)
        ORDER BY tenant_id FOR UPDATE
    ), leaves AS (
        INSERT INTO events (tenant_id, seq, at, type, body, leaf)
        SELECT f.tenant, h.next_seq + row_number() OVER (PARTITION BY f.tenant ORDER BY f.position) - 1,
               f.ended_at, f.type, f.body, sha256('\x00'::bytea || convert_to(f.body, 'UTF8'))
        FROM fresh f JOIN heads h ON h.tenant_id = f.tenant
        RETURNING 1
    ), moved AS (
        UPDATE event_heads h SET next_seq = h.next_seq + c.added FROM counted c WHERE h.tenant_id = c.tenant
    )
    SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM leaves) INTO settled, appended;
    IF settled <> appended THEN
        -- A tenant's log begins with the event of its making; without one there is nowhere to append.
        RAISE EXCEPTION 'a settlement names a tenant that has no log';
    END IF;

    IF cardinality(new_intents) > 0 THEN
        INSERT INTO intents (call_id, tenant_id, replica_id, body)
        SELECT i.id, i.tenant, i.replica, n.body
        FROM unnest(new_intents) AS n (body)
        CROSS JOIN LATERAL json_to_record(n.body::json) AS i (id uuid, tenant uuid, replica uuid)
        ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(alert_tenants) > 0 THEN
        PERFORM append_leaves(alert_tenants, alert_types, alert_times, alert_bodies);
    END IF;
    RETURN settled;
END $$;

REVOKE ALL ON FUNCTION append_leaves(uuid[], text[], timestamptz[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION append_events(uuid[], text[], timestamptz[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION settle(text[], uuid[], text[], timestamptz[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_leaves(uuid[], text[], timestamptz[], text[]) TO enfilade_settler;
GRANT EXECUTE ON FUNCTION append_events(uuid[], text[], timestamptz[], text[]) TO enfilade_app;
GRANT EXECUTE ON FUNCTION settle(text[], uuid[], text[], timestamptz[], text[], text[]) TO enfilade_writer;

-- Handing a function to another role needs the right to create in the schema, for that moment only.
GRANT CREATE ON SCHEMA :schema TO enfilade_settler;
ALTER FUNCTION append_leaves(uuid[], text[], timestamptz[], text[]) OWNER TO enfilade_settler;
ALTER FUNCTION append_events(uuid[], text[], timestamptz[], text[]) OWNER TO enfilade_settler;
ALTER FUNCTION settle(text[], uuid[], text[], timestamptz[], text[], text[]) OWNER TO enfilade_settler;
REVOKE CREATE ON SCHEMA :schema FROM enfilade_settler;

-- ── Partitions ──────────────────────────────────────────────────────────────────────────────────────────────

CREATE FUNCTION ensure_partition(parent text, month date) RETURNS boolean
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    start date := date_trunc('month', month);
    child text := parent || '_' || to_char(start, 'YYYYMM');
    column_name text := CASE parent WHEN 'events' THEN 'at' ELSE 'started_at' END;
    lower_bound text := start::text || ' 00:00:00+00';
    upper_bound text := (start + interval '1 month')::date::text || ' 00:00:00+00';
BEGIN
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Rows that came before their partition (a clock that jumped) wait in the default one and move here.
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                   parent || '_default', column_name, lower_bound, column_name, upper_bound, child);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', child);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, lower_bound, upper_bound);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION ensure_partition(text, date) FROM PUBLIC;

CREATE TABLE ledger_default PARTITION OF ledger DEFAULT;
CREATE TABLE calls_default PARTITION OF calls DEFAULT;
CREATE TABLE events_default PARTITION OF events DEFAULT;
-- Reached through their parents, partitions follow the parents' policies; reached by themselves they show nothing.
-- The default partitions have one policy, for the owner, who moves rows out of them.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ledger_default', 'calls_default', 'events_default']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY mover ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
