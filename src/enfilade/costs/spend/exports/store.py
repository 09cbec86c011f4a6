"""The SQL of exports and of usage events. Names are joined at the end, on what is left after grouping."""

_NAMES = """
LEFT JOIN enfilade.tenants t ON t.id = x.tenant_id
LEFT JOIN departments d ON d.tenant_id = x.tenant_id AND d.id = x.department_id
LEFT JOIN applications a ON a.tenant_id = x.tenant_id AND a.id = x.application_id
"""
_PEOPLE = """
LEFT JOIN users u ON u.tenant_id = x.tenant_id AND u.id = x.user_id
LEFT JOIN keys k ON k.tenant_id = x.tenant_id AND k.id = x.key_id
"""
# $4 is the time zone, $5 who issues the invoices: not every statement asks for both.
_PERIOD = "l.started_at >= $1 AND l.started_at < $2 AND ($3::uuid IS NULL OR l.tenant_id = $3) AND coalesce($4::text, $5::text) IS NOT NULL"

# A year of sums takes longer than a request's statements may.
PATIENCE = "SELECT set_config('statement_timeout', '900000', true)"

# Entries as they stand, in the order of the ledger's own key, so that nothing has to be sorted.
LINES = f"""
SELECT x.*, t.name AS tenant, d.name AS department, a.name AS application, u.email AS "user", k.name AS key
FROM (SELECT * FROM ledger l WHERE {_PERIOD}) AS x
{_NAMES}{_PEOPLE}
ORDER BY x.started_at, x.call_id, x.line
"""

# Sums for each day and everything that an entry is known by.
DAILY = f"""
SELECT x.*, t.name AS tenant, d.name AS department, a.name AS application, u.email AS "user", k.name AS key
FROM (
    SELECT to_char(l.started_at AT TIME ZONE $4, 'YYYY-MM-DD') AS day, l.tenant_id, l.department_id, l.application_id,
        l.user_id, l.key_id, l.model, l.provider, l.deployment, l.region, l.use_case, l.prompt,
        count(*) FILTER (WHERE l.line = 0 AND l.source IS NULL) AS calls,
        count(*) FILTER (WHERE l.source IS NOT NULL) AS corrections,
        count(*) FILTER (WHERE l.estimated) AS estimated, sum(l.tokens)::bigint AS tokens,
        sum(l.amount_nano) AS amount_nano, sum(l.list_nano) AS list_nano, sum(l.provider_nano) AS provider_nano,
        sum(l.saved_nano) AS saved_nano, sum(l.could_save_nano) AS could_save_nano, sum(l.overrun_nano) AS overrun_nano
    FROM ledger l WHERE {_PERIOD}
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
) AS x
{_NAMES}{_PEOPLE}
ORDER BY x.day, tenant, department, application, "user", key, x.model, x.deployment, x.region, x.use_case, x.prompt
"""


def _shared(whole: str) -> str:
    """The sum of what kinds have of an entry's whole. Mostly it is the amount, whose sum needs no fractions."""
    return f"""coalesce(sum(c.amount) FILTER (WHERE l.{whole} = l.amount_nano), 0)
            + coalesce(sum(CASE WHEN l.amount_nano <> 0 THEN l.{whole}::numeric * c.amount / l.amount_nano
                                WHEN c.position = 1 THEN l.{whole} ELSE 0 END)
                       FILTER (WHERE l.{whole} <> l.amount_nano), 0)"""


# The installation's own, wherever the ledger is.
FIND_ISSUER = "SELECT profile ->> 'name' AS name FROM enfilade.billing_issuer"

# Charges for FOCUS. What an entry charges without saying for which kind (what is corrected as a whole, what earlier
# versions posted) is a charge of its own, so that all charges add up to the ledger. An entry knows its list price and
# the provider's price as a whole: its kinds share them as they share the amount.
_CHARGES = f"""
SELECT x.*, t.name AS tenant, d.name AS department, a.name AS application, $5::text AS issuer
FROM (
    SELECT l.tenant_id, l.department_id, l.application_id, l.model, l.provider, l.deployment, l.region, l.use_case,
        l.prompt, l.price, l.estimated, l.source IS NOT NULL AS corrects, c.kind, c.rate,
        date_trunc('{{granularity}}', l.started_at, 'UTC') AS charged_from,
        date_trunc('month', CASE WHEN l.source IS NULL THEN l.started_at ELSE greatest(l.started_at, l.posted_at) END,
                   'UTC') AS billed_from,
        date_trunc('month', l.started_at, 'UTC') AS used_in, interval '1 {{granularity}}' AS length, count(*) AS lines, sum(c.quantity) AS quantity,
        sum(c.amount) AS amount_nano,
        {_shared("list_nano")} AS list_nano,
        {_shared("provider_nano")} AS provider_nano
    FROM ledger l
    CROSS JOIN LATERAL (
        SELECT k.kind, k.rate, k.quantity, k.amount, k.position
        FROM unnest(l.kinds, l.quantities, l.rates, l.amounts) WITH ORDINALITY
            AS k (kind, quantity, rate, amount, position)
        UNION ALL
        SELECT NULL, NULL, CASE WHEN cardinality(l.kinds) = 0 AND l.source IS NULL THEN l.tokens END,
            l.amount_nano - s.itemised, CASE WHEN cardinality(l.kinds) = 0 THEN 1 ELSE 0 END
        FROM (SELECT coalesce(sum(n), 0)::bigint AS itemised FROM unnest(l.amounts) AS n) AS s
        WHERE l.amount_nano <> s.itemised
            OR (cardinality(l.kinds) = 0 AND (l.list_nano <> 0 OR l.provider_nano <> 0))
    ) AS c
    WHERE {_PERIOD}
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17
) AS x
{_NAMES}
ORDER BY x.charged_from, tenant, department, application, x.deployment, x.model, x.kind, x.rate, x.price
"""
CHARGES = {granularity: _CHARGES.format(granularity=granularity) for granularity in ("day", "hour")}

# Usage events: entries in the order of the transactions that posted them. What a transaction below $5 posted is all
# there: those that still run are not below it. $4 bounds what one page looks at.
HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon, ledger_base($1) AS base"
USAGE = f"""
SELECT x.*, t.name AS tenant, d.name AS department, a.name AS application
FROM (
    SELECT * FROM ledger l
    WHERE l.posted_xact >= $1 AND l.posted_xact < $4 AND (l.posted_xact, l.call_id, l.line) > ($1, $2::uuid, $3::smallint)
        AND ($5::uuid IS NULL OR l.tenant_id = $5)
    ORDER BY l.posted_xact, l.call_id, l.line LIMIT $6
) AS x
{_NAMES}
ORDER BY x.posted_xact, x.call_id, x.line
"""
# Tenants that are on their way to this cell, or have gone from it.
ABSENT = "SELECT tenant_id FROM departures WHERE returned_at IS NULL AND tenant_id = ANY ($1::uuid[])"
HAS_ARRIVALS = "SELECT EXISTS (SELECT FROM ledger_bases)"
