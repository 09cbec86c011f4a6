-- Access: policies in versions, use cases, decisions on calls.

CREATE TABLE access_versions (
    tenant_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    state text NOT NULL CHECK (state IN ('draft', 'approved', 'published', 'superseded', 'discarded')),
    content jsonb NOT NULL,
    compiled jsonb,
    note text NOT NULL DEFAULT '',
    author text NOT NULL,
    author_user_id uuid,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    approver text,
    approved_at timestamptz,
    publisher text,
    published_at timestamptz,
    edition integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, version),
    CONSTRAINT access_versions_nobody_approves_their_own CHECK (approver IS DISTINCT FROM author)
);
CREATE UNIQUE INDEX access_versions_one_published ON access_versions (tenant_id) WHERE state = 'published';
COMMENT ON TABLE access_versions IS 'All policies of a tenant at one time: the matrix, Cedar, the settings. What was published is never changed.';
COMMENT ON COLUMN access_versions.compiled IS 'What was found out about the policies when they were written, so that nobody parses them at start.';
COMMENT ON COLUMN access_versions.author IS 'Who wrote it last, as events name them; a person under all of their keys by author_user_id.';
COMMENT ON COLUMN access_versions.edition IS 'Grows with each change of a draft.';

CREATE TABLE use_cases (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    spec jsonb NOT NULL,
    review_date date,
    overdue_told date,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
COMMENT ON TABLE use_cases IS 'The register: what models are used for, who answers for it, how risky it is.';
COMMENT ON COLUMN use_cases.overdue_told IS 'The review date of which an event told that it has passed.';

ALTER TABLE calls
    ADD COLUMN access_policies text[] NOT NULL DEFAULT '{}',
    ADD COLUMN access_missing text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN calls.access_policies IS 'The policies that decided whether the call was allowed.';
COMMENT ON COLUMN calls.access_missing IS 'What would have allowed a call that was refused: approval.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['access_versions', 'use_cases']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON access_versions TO enfilade_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON use_cases TO enfilade_app;

CREATE OR REPLACE FUNCTION settle(settlements text[], alert_tenants uuid[], alert_types text[], alert_times timestamptz[],
                                  alert_bodies text[], new_intents text[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    settled integer;
    appended integer;
    this_xact bigint := pg_current_xact_id()::text::bigint;
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
            dialect text, model text, provider text, deployment text, region text, status text, http_status smallint,
            error text, stream boolean, cached boolean, input_tokens bigint, cached_input_tokens bigint,
            cache_write_tokens bigint, output_tokens bigint, reasoning_tokens bigint, cost_nano bigint,
            overrun_nano bigint, estimated boolean, price text, attempts smallint, latency_us bigint,
            first_byte_us bigint, use_case text, prompt text, metadata jsonb, upstream_model text, requested_model text,
            kinds text[], quantities bigint[], rates bigint[], amounts bigint[], provider_nano bigint, list_nano bigint,
            saved_nano bigint, could_save_nano bigint, flags text[], lost json, lost_nano bigint,
            access json)
    ), posted AS (
        INSERT INTO ledger (tenant_id, call_id, started_at, posted_at, posted_xact, attempt, department_id,
                            application_id, user_id, key_id, model, provider, deployment, region, use_case, prompt, tokens,
                            kinds, quantities, rates, amounts, amount_nano, provider_nano, list_nano, saved_nano,
                            could_save_nano, overrun_nano, estimated, flags, price)
        SELECT tenant, id, started_at, ended_at, this_xact, attempts, department, application, "user", key,
               model, provider, deployment, region, use_case, prompt, input_tokens + output_tokens,
               coalesce(kinds, '{}'), coalesce(quantities, '{}'), coalesce(rates, '{}'), coalesce(amounts, '{}'),
               cost_nano - coalesce(lost_nano, 0),
               coalesce(provider_nano, cost_nano - coalesce(lost_nano, 0)),
               coalesce(list_nano, cost_nano - coalesce(lost_nano, 0)),
               coalesce(saved_nano, 0), coalesce(could_save_nano, 0), overrun_nano,
               estimated AND (lost IS NULL OR coalesce('estimated_usage' = ANY (flags), false)), coalesce(flags, '{}'), price
        FROM parsed
        -- In one order by everybody: two batches with the same calls wait for one another, and cannot deadlock.
        ORDER BY id
        ON CONFLICT DO NOTHING
        RETURNING call_id
    ), fresh AS MATERIALIZED (
        SELECT * FROM parsed WHERE id IN (SELECT call_id FROM posted)
    ), attempted AS (
        INSERT INTO ledger (tenant_id, call_id, started_at, posted_at, posted_xact, line, attempt, department_id,
                            application_id, user_id, key_id, model, provider, deployment, region, use_case, prompt, tokens,
                            kinds, quantities, rates, amounts, amount_nano, provider_nano, list_nano, estimated, flags,
                            price)
        SELECT f.tenant, f.id, f.started_at, f.ended_at, this_xact,
               row_number() OVER (PARTITION BY f.id ORDER BY a.attempt), a.attempt, f.department, f.application, f."user",
               f.key, a.model, a.provider, a.deployment, a.region, f.use_case, f.prompt, a.tokens,
               a.kinds, a.quantities, a.rates, a.amounts, a.cost_nano, coalesce(a.provider_nano, a.cost_nano),
               coalesce(a.list_nano, a.cost_nano), true, ARRAY['estimated_usage'], a.price
        FROM fresh f CROSS JOIN LATERAL json_to_recordset(f.lost) AS a (
            attempt smallint, model text, provider text, deployment text, region text, tokens bigint, kinds text[],
            quantities bigint[], rates bigint[], amounts bigint[], cost_nano bigint, provider_nano bigint,
            list_nano bigint, price text)
        WHERE f.lost IS NOT NULL
    ), recorded AS (
        INSERT INTO calls (tenant_id, call_id, started_at, ended_at, posted_xact, department_id, application_id, user_id,
                           key_id, dialect, model, provider, deployment, region, status, http_status, error_code, stream,
                           cached, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
                           reasoning_tokens, amount_nano, estimated, attempts, latency_us, first_byte_us, use_case,
                           prompt, metadata, upstream_model, requested_model, price, flags, saved_nano,
                           access_policies, access_missing)
        SELECT tenant, id, started_at, ended_at, this_xact, department, application, "user", key,
               dialect, model, provider, deployment, region, status, http_status, error, stream, cached,
               input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
               cost_nano, estimated, attempts, latency_us, first_byte_us, use_case, prompt, metadata, upstream_model,
               requested_model, price, coalesce(flags, '{}'), coalesce(saved_nano, 0),
               coalesce(a.policies, '{}'), coalesce(a.missing, '{}')
        FROM fresh LEFT JOIN LATERAL json_to_record(access) AS a (policies text[], missing text[]) ON access IS NOT NULL
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
