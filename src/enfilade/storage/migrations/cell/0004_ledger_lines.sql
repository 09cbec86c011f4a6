-- The ledger line by line: each entry says what was counted, kind by kind, at which rate, and what that came to. What
-- failed attempts cost, and corrections, are entries of their own under the same call. Nothing is ever updated.

ALTER TABLE ledger DROP CONSTRAINT ledger_amount_nano_check;
ALTER TABLE ledger
    ADD COLUMN attempt smallint NOT NULL DEFAULT 1,
    ADD COLUMN provider text,
    ADD COLUMN deployment text,
    ADD COLUMN region text,
    ADD COLUMN use_case text,
    ADD COLUMN prompt text,
    ADD COLUMN kinds text[] NOT NULL DEFAULT '{}',
    ADD COLUMN quantities bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN rates bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN amounts bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN provider_nano bigint,
    ADD COLUMN list_nano bigint,
    ADD COLUMN saved_nano bigint NOT NULL DEFAULT 0,
    ADD COLUMN could_save_nano bigint NOT NULL DEFAULT 0,
    ADD COLUMN flags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN corrects smallint,
    ADD COLUMN source text,
    ADD COLUMN reason text,
    ADD COLUMN posted_xact bigint NOT NULL DEFAULT 0;

ALTER TABLE calls
    ADD COLUMN region text,
    ADD COLUMN prompt text,
    ADD COLUMN upstream_model text,
    ADD COLUMN requested_model text,
    ADD COLUMN price text,
    ADD COLUMN flags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN saved_nano bigint NOT NULL DEFAULT 0,
    ADD COLUMN posted_xact bigint NOT NULL DEFAULT 0;

-- What earlier versions posted gets what the call's own row knows. Forced row-level security binds the owner too.
ALTER TABLE ledger NO FORCE ROW LEVEL SECURITY;
ALTER TABLE calls NO FORCE ROW LEVEL SECURITY;
UPDATE ledger l SET provider_nano = l.amount_nano, list_nano = l.amount_nano, provider = c.provider, attempt = c.attempts,
    deployment = c.deployment, use_case = c.use_case, flags = CASE WHEN l.estimated THEN ARRAY['estimated_usage'] ELSE ARRAY[]::text[] END
FROM calls c WHERE c.started_at = l.started_at AND c.call_id = l.call_id;
UPDATE ledger SET provider_nano = amount_nano, list_nano = amount_nano WHERE provider_nano IS NULL;
ALTER TABLE ledger FORCE ROW LEVEL SECURITY;
ALTER TABLE calls FORCE ROW LEVEL SECURITY;

ALTER TABLE ledger
    ALTER COLUMN provider_nano SET NOT NULL,
    ALTER COLUMN list_nano SET NOT NULL,
    ADD CONSTRAINT ledger_lines_fit CHECK (
        cardinality(kinds) = cardinality(quantities) AND cardinality(kinds) = cardinality(rates)
        AND cardinality(kinds) = cardinality(amounts)),
    ADD CONSTRAINT ledger_only_corrections_are_negative CHECK (source IS NOT NULL OR amount_nano >= 0),
    ADD CONSTRAINT ledger_corrections_say_why CHECK (source IS NULL OR reason IS NOT NULL),
    ADD CONSTRAINT ledger_corrects_an_earlier_line CHECK (corrects < line);

-- Appended in the order of transactions, so that a block range index finds what is new at almost no cost.
CREATE INDEX ledger_posted ON ledger USING brin (posted_xact) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX calls_posted ON calls USING brin (posted_xact) WITH (pages_per_range = 16, autosummarize = on);

COMMENT ON TABLE ledger IS 'What calls cost, append-only: one entry for a call, one for each lost attempt that cost something, one for each correction. started_at is when the hold was taken: it decides the budget window.';
COMMENT ON COLUMN ledger.line IS '0 is the call''s settlement; lost attempts, then corrections, follow.';
COMMENT ON COLUMN ledger.kinds IS 'What was counted; quantities, rates (nano-dollars per million units) and amounts (nano-dollars) go with it, place by place.';
COMMENT ON COLUMN ledger.amount_nano IS 'What the tenant is charged: the sum of the amounts, but for entries that earlier versions posted and corrections of a whole.';
COMMENT ON COLUMN ledger.provider_nano IS 'What the provider charges us.';
COMMENT ON COLUMN ledger.list_nano IS 'What it would be at the published price.';
COMMENT ON COLUMN ledger.saved_nano IS 'What caches saved, the provider''s or our own.';
COMMENT ON COLUMN ledger.could_save_nano IS 'What a reply cache would have saved: the cost of a call that repeated an earlier one.';
COMMENT ON COLUMN ledger.corrects IS 'The line of the same call that a correction corrects.';
COMMENT ON COLUMN ledger.source IS 'Where an entry comes from that no call posted: manual, reconciliation:ID.';
COMMENT ON COLUMN ledger.posted_xact IS 'The transaction that posted it: a reader who has seen all below some transaction never misses one that committed late.';

CREATE VIEW ledger_lines WITH (security_invoker = true) AS
SELECT l.tenant_id, l.call_id, l.started_at, l.posted_at, l.line, k.position::smallint AS position, l.attempt,
       l.department_id, l.application_id, l.user_id, l.key_id, l.model, l.provider, l.deployment, l.region, l.use_case,
       l.prompt, k.kind, k.quantity, k.rate, k.amount AS amount_nano, l.estimated, l.flags, l.price, l.corrects, l.source,
       l.reason, l.posted_xact
FROM ledger l
CROSS JOIN LATERAL unnest(l.kinds, l.quantities, l.rates, l.amounts) WITH ORDINALITY
    AS k (kind, quantity, rate, amount, position);
COMMENT ON VIEW ledger_lines IS 'One row for each kind that an entry counts. It shows what the reader may see of the ledger.';
GRANT SELECT ON ledger_lines TO enfilade_app;

CREATE TABLE ledger_epochs (
    tenant_id uuid PRIMARY KEY,
    epoch bigint NOT NULL
);
COMMENT ON TABLE ledger_epochs IS 'Grows with each correction: counters that were filled from the ledger then look again.';
ALTER TABLE ledger_epochs ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_epochs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON ledger_epochs TO enfilade_app
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY operator_reads ON ledger_epochs FOR SELECT TO enfilade_operator USING (true);
CREATE POLICY settler ON ledger_epochs TO enfilade_settler USING (true) WITH CHECK (true);
GRANT SELECT ON ledger_epochs TO enfilade_app;
GRANT SELECT, INSERT, UPDATE ON ledger_epochs TO enfilade_settler;

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
            saved_nano bigint, could_save_nano bigint, flags text[], lost json, lost_nano bigint)
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
                           prompt, metadata, upstream_model, requested_model, price, flags, saved_nano)
        SELECT tenant, id, started_at, ended_at, this_xact, department, application, "user", key,
               dialect, model, provider, deployment, region, status, http_status, error, stream, cached,
               input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
               cost_nano, estimated, attempts, latency_us, first_byte_us, use_case, prompt, metadata, upstream_model,
               requested_model, price, coalesce(flags, '{}'), coalesce(saved_nano, 0)
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

-- A correction of one line of the current tenant's ledger, or, without a call, an entry that a reconciliation books.
-- What is not given is taken over from what is corrected. Returns the number of its line.
CREATE FUNCTION post_correction(body text) RETURNS smallint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    given record;
    original ledger;
    next_line smallint;
BEGIN
    SELECT * INTO STRICT given FROM json_to_record(body::json) AS g (
        call_id uuid, started_at timestamptz, posted_at timestamptz, corrects smallint, department uuid, application uuid,
        "user" uuid, key uuid, model text, provider text, deployment text, region text, use_case text, prompt text,
        tokens bigint, kinds text[], quantities bigint[], rates bigint[], amounts bigint[], amount_nano bigint,
        provider_nano bigint, list_nano bigint, price text, source text, reason text);
    IF current_tenant() IS NULL OR given.source IS NULL THEN
        RAISE insufficient_privilege USING MESSAGE = 'a correction needs a tenant and a source';
    END IF;
    -- One correction of a call at a time: they are numbered.
    PERFORM pg_advisory_xact_lock(hashtextextended(given.call_id::text, 1));
    IF given.corrects IS NULL THEN
        original.attempt := 0;
        next_line := (SELECT coalesce(max(line) + 1, 0) FROM ledger
                      WHERE started_at = given.started_at AND call_id = given.call_id);
        IF next_line > 0 THEN
            RAISE unique_violation USING MESSAGE = 'there is such an entry already';
        END IF;
    ELSE
        SELECT * INTO original FROM ledger
        WHERE tenant_id = current_tenant() AND started_at = given.started_at AND call_id = given.call_id
            AND line = given.corrects;
        IF NOT FOUND THEN
            RAISE no_data_found USING MESSAGE = 'there is no such line to correct';
        END IF;
        next_line := (SELECT max(line) + 1 FROM ledger
                      WHERE started_at = given.started_at AND call_id = given.call_id);
    END IF;
    INSERT INTO ledger (tenant_id, call_id, started_at, posted_at, posted_xact, line, attempt, department_id,
                        application_id, user_id, key_id, model, provider, deployment, region, use_case, prompt, tokens,
                        kinds, quantities, rates, amounts, amount_nano, provider_nano, list_nano, estimated, flags, price,
                        corrects, source, reason)
    VALUES (current_tenant(), given.call_id, given.started_at, given.posted_at, pg_current_xact_id()::text::bigint,
            next_line, original.attempt, coalesce(given.department, original.department_id),
            coalesce(given.application, original.application_id), coalesce(given."user", original.user_id),
            coalesce(given.key, original.key_id), coalesce(given.model, original.model),
            coalesce(given.provider, original.provider), coalesce(given.deployment, original.deployment),
            coalesce(given.region, original.region), coalesce(given.use_case, original.use_case),
            coalesce(given.prompt, original.prompt), coalesce(given.tokens, 0), coalesce(given.kinds, '{}'),
            coalesce(given.quantities, '{}'), coalesce(given.rates, '{}'), coalesce(given.amounts, '{}'),
            given.amount_nano, given.provider_nano, coalesce(given.list_nano, 0), false, '{}',
            coalesce(given.price, original.price), given.corrects, given.source, given.reason);
    INSERT INTO ledger_epochs (tenant_id, epoch) VALUES (current_tenant(), 1)
    ON CONFLICT (tenant_id) DO UPDATE SET epoch = ledger_epochs.epoch + 1;
    RETURN next_line;
END $$;
REVOKE ALL ON FUNCTION post_correction(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION post_correction(text) TO enfilade_app;
GRANT CREATE ON SCHEMA :schema TO enfilade_settler;
ALTER FUNCTION post_correction(text) OWNER TO enfilade_settler;
REVOKE CREATE ON SCHEMA :schema FROM enfilade_settler;
