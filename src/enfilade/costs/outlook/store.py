"""The SQL of forecasts, anomalies and alerts. It reads the roll-ups, and the ledger for what is not in them yet."""

# What is rolled up ends at the watermark: the statements that take one run in the transaction that has read it.
_LATEST = "9223372036854775807"

# Rules of anomalies.
FIND_RULES = "SELECT rules, version FROM anomaly_rules WHERE tenant_id = $1"
LIST_RULES = "SELECT tenant_id, rules FROM anomaly_rules"
PUT_RULES = """
INSERT INTO anomaly_rules AS present (tenant_id, rules) VALUES ($1, $2::text::jsonb)
ON CONFLICT (tenant_id) DO UPDATE SET rules = excluded.rules, version = present.version + 1
"""
DELETE_RULES = "DELETE FROM anomaly_rules WHERE tenant_id = $1"

# Anomalies. One process at a time looks for them; the rows make sure that each is told of once, whoever looks.
TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('enfilade.anomalies', 0))"
NOTE_ANOMALY = """
INSERT INTO cost_anomalies (tenant_id, kind, subject, hour, found_at, actual_nano, usual_nano)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true AS is_new
"""
KNOWN_ANOMALIES = "SELECT tenant_id, kind, subject, hour FROM cost_anomalies WHERE hour >= $1"

# What a piece of spending counts for. $1 is the watermark in all that follows.
_SCOPES = """
(VALUES ('tenant', r.tenant_id::text), ('department', r.department_id::text), ('application', r.application_id::text),
        ('model', r.model)) AS s (kind, subject)
"""
_HOURLY = "r.tenant_id, r.bucket, r.department_id, r.application_id, r.model, r.amount_nano"

# The hours in question and those that they are compared with, of the scopes that spent enough to be worth a look.
# $2, $3: from when to when; $4 the tenants, $5 the least that counts for each, $6 their time zones; $7, $8, $9: of
# each time zone the hours to look at, and whether they are in question; $10 how many scopes of a tenant.
ANOMALY_HOURS = f"""
WITH tail AS MATERIALIZED (
    SELECT * FROM sum_up_spend($1::bigint, {_LATEST}, NULL, $2::timestamptz, $3::timestamptz, $4::uuid[], $6::text[])
),
wanted AS MATERIALIZED (
    SELECT w.tenant_id, w.least_nano, h.hour, h.is_asked
    FROM unnest($4::uuid[], $5::bigint[], $6::text[]) AS w (tenant_id, least_nano, zone)
    JOIN unnest($7::text[], $8::timestamptz[], $9::boolean[]) AS h (zone, hour, is_asked) USING (zone)
),
asked AS MATERIALIZED (
    SELECT p.tenant_id, s.kind, s.subject, p.bucket, sum(coalesce(p.amount_nano, 0))::bigint AS nano, p.least_nano
    FROM (
        SELECT {_HOURLY}, w.least_nano FROM wanted w JOIN spend_hours r ON r.tenant_id = w.tenant_id AND r.bucket = w.hour
        WHERE w.is_asked AND $1 > 0
        UNION ALL
        SELECT {_HOURLY}, w.least_nano FROM wanted w JOIN tail r ON r.tenant_id = w.tenant_id AND r.bucket = w.hour
        WHERE w.is_asked
    ) AS p CROSS JOIN LATERAL {_SCOPES.replace("r.", "p.")}
    WHERE s.subject IS NOT NULL GROUP BY p.tenant_id, s.kind, s.subject, p.bucket, p.least_nano
),
busy AS MATERIALIZED (
    SELECT tenant_id, kind, subject
    FROM (
        SELECT tenant_id, kind, subject, row_number() OVER (PARTITION BY tenant_id ORDER BY max(nano) DESC) AS place
        FROM asked WHERE nano >= least_nano GROUP BY tenant_id, kind, subject
    ) AS ranked
    WHERE place <= $10::int
),
pieces AS (
    SELECT {_HOURLY} FROM wanted w JOIN spend_hours r ON r.tenant_id = w.tenant_id AND r.bucket = w.hour
    WHERE NOT w.is_asked AND $1 > 0 AND w.tenant_id IN (SELECT b.tenant_id FROM busy b)
    UNION ALL
    SELECT {_HOURLY} FROM wanted w JOIN tail r ON r.tenant_id = w.tenant_id AND r.bucket = w.hour
    WHERE NOT w.is_asked AND w.tenant_id IN (SELECT b.tenant_id FROM busy b)
),
hours AS (
    SELECT tenant_id, kind, subject, bucket, nano FROM asked
    UNION ALL
    SELECT r.tenant_id, s.kind, s.subject, r.bucket, sum(coalesce(r.amount_nano, 0))::bigint
    FROM pieces r CROSS JOIN LATERAL {_SCOPES} WHERE s.subject IS NOT NULL
    GROUP BY r.tenant_id, s.kind, s.subject, r.bucket
),
begun AS (
    SELECT r.tenant_id, s.kind, s.subject, min(r.bucket) AS first_day
    FROM (
        SELECT d.tenant_id, d.bucket, d.department_id, d.application_id, d.model FROM spend_days d
        WHERE $1 > 0 AND d.bucket >= ($2::timestamptz - interval '1 day')::date
            AND d.tenant_id IN (SELECT b.tenant_id FROM busy b)
        UNION ALL
        SELECT t.tenant_id, (t.bucket AT TIME ZONE z.zone)::date, t.department_id, t.application_id, t.model
        FROM tail t JOIN unnest($4::uuid[], $6::text[]) AS z (tenant_id, zone) USING (tenant_id)
    ) AS r CROSS JOIN LATERAL {_SCOPES} WHERE s.subject IS NOT NULL GROUP BY r.tenant_id, s.kind, s.subject
)
SELECT b.tenant_id, b.kind, b.subject, f.first_day, array_agg(h.bucket) AS hours, array_agg(h.nano) AS costs
FROM busy b JOIN begun f USING (tenant_id, kind, subject) JOIN hours h USING (tenant_id, kind, subject)
GROUP BY b.tenant_id, b.kind, b.subject, f.first_day
"""

# Who cost most in hours that are out of the ordinary. $2 to $5: the hours' tenants, scopes, subjects and beginnings;
# $6 the earliest, $7 the latest of them with all of its length; $8 how many of a kind.
CONTRIBUTORS = f"""
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[]) AS w (tenant_id, kind, subject, hour)
),
pieces AS (
    SELECT w.*, r.key_id, r.user_id, r.model, r.amount_nano
    FROM wanted w JOIN spend_hours r ON r.tenant_id = w.tenant_id AND r.bucket = w.hour CROSS JOIN LATERAL {_SCOPES}
    WHERE $1::bigint > 0 AND s.kind = w.kind AND s.subject = w.subject
    UNION ALL
    SELECT w.*, r.key_id, r.user_id, r.model, r.amount_nano
    FROM wanted w JOIN sum_up_spend($1::bigint, {_LATEST}, NULL, $6::timestamptz, $7::timestamptz, $9::uuid[], $10::text[]) r
        ON r.tenant_id = w.tenant_id AND r.bucket = w.hour CROSS JOIN LATERAL {_SCOPES}
    WHERE s.kind = w.kind AND s.subject = w.subject
),
ranked AS (
    SELECT p.tenant_id, p.kind, p.subject, p.hour, c.role, c.name, sum(coalesce(p.amount_nano, 0))::bigint AS nano,
           row_number() OVER (PARTITION BY p.tenant_id, p.kind, p.subject, p.hour, c.role
                              ORDER BY sum(p.amount_nano) DESC, c.name) AS place
    FROM pieces p
    CROSS JOIN LATERAL (VALUES ('key', p.key_id::text), ('user', p.user_id::text), ('model', p.model)) AS c (role, name)
    WHERE c.name IS NOT NULL GROUP BY p.tenant_id, p.kind, p.subject, p.hour, c.role, c.name
)
SELECT * FROM ranked WHERE place <= $8::int ORDER BY tenant_id, kind, subject, hour, role, place
"""

# Forecasts. $2 the tenant, or null; $3 the first day; $4 some hours before it begins anywhere; $5 the scopes' kind, or
# kinds; $6 which subjects, or null for all; $7 whether by model beside; $8 how many, the dearest first; $9, $10 time
# zones of tenants that no roll-up has met yet.
_SUBJECTS = """
(VALUES ('tenant', r.tenant_id::text), ('department', r.department_id::text), ('application', r.application_id::text),
        ('user', r.user_id::text), ('key', r.key_id::text), ('model', r.model)) AS s (kind, subject)
"""
_ZONED = """
zones AS MATERIALIZED (
    SELECT t.tenant_id, t.time_zone FROM spend_tenants t WHERE $2::uuid IS NULL OR t.tenant_id = $2
    UNION ALL
    SELECT u.id, u.zone FROM unnest($9::uuid[], $10::text[]) AS u (id, zone)
    WHERE ($2::uuid IS NULL OR u.id = $2) AND NOT EXISTS (SELECT FROM spend_tenants t WHERE t.tenant_id = u.id)
)
"""
_TAIL = f"""
tail AS MATERIALIZED (
    SELECT * FROM sum_up_spend($1::bigint, {_LATEST}, $2::uuid, $4::timestamptz, 'infinity', $9::uuid[], $10::text[])
)
"""
_DIMENSIONS = "r.tenant_id, r.department_id, r.application_id, r.user_id, r.key_id, r.model, r.amount_nano"
# Whoever is on their way to another cell is looked at where they live.
_WHICH = """s.kind = ANY ($5::text[]) AND s.subject IS NOT NULL AND ($6::text[] IS NULL OR s.subject = ANY ($6))
        AND r.tenant_id NOT IN (SELECT d.tenant_id FROM departures d WHERE d.returned_at IS NULL)"""

DAILY = f"""
WITH {_TAIL}, {_ZONED},
days AS (
    SELECT {_DIMENSIONS}, r.bucket AS day FROM spend_days r
    WHERE $1 > 0 AND ($2::uuid IS NULL OR r.tenant_id = $2) AND r.bucket >= $3::date
    UNION ALL
    SELECT {_DIMENSIONS}, (r.bucket AT TIME ZONE coalesce(z.time_zone, 'UTC'))::date
    FROM tail r LEFT JOIN zones z USING (tenant_id)
),
sums AS (
    SELECT r.tenant_id, s.kind, s.subject, CASE WHEN $7::boolean THEN r.model END AS model, r.day,
           sum(coalesce(r.amount_nano, 0))::bigint AS nano
    FROM days r CROSS JOIN LATERAL {_SUBJECTS} WHERE r.day >= $3 AND {_WHICH}
    GROUP BY 1, 2, 3, 4, 5
)
SELECT tenant_id, kind, subject, model, array_agg(day ORDER BY day) AS days, array_agg(nano ORDER BY day) AS costs,
       count(*) OVER () AS scopes
FROM sums GROUP BY tenant_id, kind, subject, model ORDER BY sum(nano) DESC, tenant_id, subject, model LIMIT $8::int
"""

HOURLY = f"""
WITH {_TAIL}, {_ZONED},
hours AS (
    SELECT {_DIMENSIONS}, r.bucket FROM spend_hours r
    WHERE $1 > 0 AND ($2::uuid IS NULL OR r.tenant_id = $2) AND r.bucket >= $4::timestamptz
    UNION ALL
    SELECT {_DIMENSIONS}, r.bucket FROM tail r
),
local AS (
    SELECT r.*, r.bucket AT TIME ZONE coalesce(z.time_zone, 'UTC') AS at FROM hours r LEFT JOIN zones z USING (tenant_id)
),
sums AS (
    SELECT r.tenant_id, s.kind, s.subject, CASE WHEN $7::boolean THEN r.model END AS model,
           (extract(isodow FROM r.at) > 5)::int * 24 + extract(hour FROM r.at)::int AS place,
           sum(coalesce(r.amount_nano, 0))::bigint AS nano
    FROM local r CROSS JOIN LATERAL {_SUBJECTS} WHERE r.at::date >= $3 AND {_WHICH}
    GROUP BY 1, 2, 3, 4, 5
)
SELECT tenant_id, kind, subject, model, array_agg(place) AS places, array_agg(nano) AS costs
FROM sums GROUP BY tenant_id, kind, subject, model LIMIT $8::int
"""

# Alerts. The words of the partial index stand here, so that the planner sees that it fits.
ALERT_TYPES = (
    "BudgetThresholdCrossed",
    "BudgetExhausted",
    "CostAnomalyDetected",
    "UnpricedSettlement",
    "OverrunSettlement",
    "ReconciliationDifference",
    "PriceBookRejected",
    "EmergencyAccessTaken",
    "EmergencyReviewOverdue",
    "AccessReviewOverdue",
)
_TYPES = ", ".join(f"'{name}'" for name in ALERT_TYPES)
LIST_ALERTS = f"""
SELECT tenant_id, seq, at, type, body FROM events
WHERE type IN ({_TYPES}) AND ($1::uuid IS NULL OR tenant_id = $1) AND at >= $2 AND at < $3 AND type = ANY ($4::text[])
    AND ($5::timestamptz IS NULL OR (at, tenant_id, seq) < ($5, $6::uuid, $7::bigint))
ORDER BY at DESC, tenant_id DESC, seq DESC LIMIT $8
"""
