"""The SQL of reports on spend."""

# Reports. The grouping is one of a fixed list, so each has a statement of its own, and no text comes from callers.
GROUPINGS = {
    "tenant": "l.tenant_id::text",
    "department": "l.department_id::text",
    "application": "l.application_id::text",
    "user": "l.user_id::text",
    "key": "l.key_id::text",
    "model": "l.model",
    "day": "to_char(l.started_at AT TIME ZONE $4, 'YYYY-MM-DD')",
}
SPEND = {
    grouping: f"""
SELECT {expression} AS name, l.tenant_id, count(*) AS calls, sum(l.tokens)::bigint AS tokens,
    sum(l.amount_nano)::bigint AS nano, count(*) FILTER (WHERE l.estimated) AS estimated
FROM ledger l
WHERE l.started_at >= $1 AND l.started_at < $2 AND ($3::uuid IS NULL OR l.tenant_id = $3)
    AND $4::text IS NOT NULL
GROUP BY 1, 2 ORDER BY nano DESC, name LIMIT $5
"""
    for grouping, expression in GROUPINGS.items()
}
SPEND_TOTAL = """
SELECT count(*) AS calls, coalesce(sum(tokens), 0)::bigint AS tokens, coalesce(sum(amount_nano), 0)::bigint AS nano
FROM ledger WHERE started_at >= $1 AND started_at < $2 AND ($3::uuid IS NULL OR tenant_id = $3)
"""
