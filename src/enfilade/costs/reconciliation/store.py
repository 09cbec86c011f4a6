"""The SQL of reconciliation."""

FIND_CONTENT = "SELECT id FROM reconciliations WHERE provider = $1 AND digest = $2"
INSERT_RECONCILIATION = """
INSERT INTO reconciliations (id, provider, providers, formats, files, digest, first_day, end_day, rows, rounded_rows,
    outside_rows, unit_nano, tolerance_nano, total_nano, left_out, keys, options, imported_at, imported_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""
INSERT_ITEMS = """
INSERT INTO reconciliation_items (reconciliation_id, position, day, model, provider, kind, quantity, amount_nano, rows)
SELECT $1, i.position, i.day, i.model, i.provider, i.kind, i.quantity, i.nano, i.rows
FROM unnest($2::date[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[])
    WITH ORDINALITY AS i (day, model, provider, kind, quantity, nano, rows, position)
"""
# An export takes the place of those whose whole period it covers.
SUPERSEDE = """
UPDATE reconciliations SET superseded_by = $1
WHERE provider = $2 AND superseded_by IS NULL AND first_day >= $3 AND end_day <= $4 AND id <> $1
RETURNING id
"""
_COLUMNS = """id, provider, providers, formats, files, digest, first_day, end_day, rows, rounded_rows, outside_rows,
    unit_nano, tolerance_nano, total_nano, left_out, keys, options, imported_at, imported_by, superseded_by"""
GET = f"SELECT {_COLUMNS} FROM reconciliations WHERE id = $1"
PAGE = f"""
SELECT {_COLUMNS} FROM reconciliations WHERE ($1::uuid IS NULL OR id < $1) AND ($3::text IS NULL OR provider = $3)
ORDER BY id DESC LIMIT $2
"""
ITEMS = """
SELECT day, model, provider, kind, quantity, amount_nano, rows FROM reconciliation_items
WHERE reconciliation_id = $1 ORDER BY position
"""
BOOKED = """
SELECT day, provider, model_key, cause, sum(provider_nano)::bigint AS provider_nano, sum(amount_nano)::bigint AS amount_nano
FROM reconciliation_bookings WHERE reconciliation_id = $1 GROUP BY 1, 2, 3, 4
"""
LIST_BOOKINGS = """
SELECT id, day, provider, model, cause, provider_nano, amount_nano, corrections, reason, booked_at, booked_by
FROM reconciliation_bookings WHERE reconciliation_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
"""
# Bookings are made one after the other: the next sees what the one before has corrected.
LOCK_BOOKINGS = "SELECT pg_advisory_xact_lock(hashtextextended('reconciliation bookings', 2))"
INSERT_BOOKING = """
INSERT INTO reconciliation_bookings (id, reconciliation_id, day, provider, model, model_key, cause, provider_nano,
    amount_nano, corrections, reason, booked_at, booked_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""

# What the ledger holds of some providers' days. What this reconciliation booked itself is left out: the difference stays
# explained. Replies from our own cache reached no provider. Whoever is on their way to another cell is looked at where they
# live.
_ENTRIES = """
FROM ledger l LEFT JOIN calls c ON c.started_at = l.started_at AND c.call_id = l.call_id
WHERE l.started_at >= $1 AND l.started_at < $2 AND l.provider = ANY ($3) AND l.source IS DISTINCT FROM $4
    AND NOT coalesce(c.cached, false)
    AND l.tenant_id NOT IN (SELECT d.tenant_id FROM departures d WHERE d.returned_at IS NULL)
"""
_NAMES = """(l.started_at AT TIME ZONE 'UTC')::date AS day, l.provider, l.deployment, l.model,
    CASE WHEN coalesce(l.corrects, l.line) = 0 THEN c.upstream_model END AS upstream_model"""
LEDGER_TOTALS = f"""
SELECT {_NAMES}, count(*) AS entries, sum(l.provider_nano)::bigint AS nano,
    coalesce(sum(l.provider_nano) FILTER (WHERE l.estimated), 0)::bigint AS estimated_nano,
    count(*) FILTER (WHERE l.estimated) AS estimated_entries
{_ENTRIES}
GROUP BY 1, 2, 3, 4, 5
"""
# An entry's amounts by kind are the tenant's; what the provider charges is divided among the kinds as they are.
LEDGER_KINDS = f"""
SELECT e.day, e.provider, e.deployment, e.model, e.upstream_model, k.kind, sum(coalesce(k.quantity, 0))::bigint AS quantity,
    sum(CASE
        WHEN k.kind IS NULL THEN e.provider_nano::numeric
        WHEN e.amounts_nano <> 0 THEN e.provider_nano::numeric * k.amount / e.amounts_nano
        ELSE e.provider_nano::numeric / cardinality(e.kinds)
    END) AS share
FROM (
    SELECT {_NAMES}, l.provider_nano, l.kinds, l.quantities, l.amounts,
        (SELECT coalesce(sum(a), 0) FROM unnest(l.amounts) AS a) AS amounts_nano
    {_ENTRIES}
) e
LEFT JOIN LATERAL unnest(e.kinds, e.quantities, e.amounts) AS k (kind, quantity, amount) ON true
GROUP BY 1, 2, 3, 4, 5, 6
"""
# To whom a day's entries of some deployments belong; the costliest entry of each stands for the others.
OWNERS = f"""
SELECT day, provider, deployment, model, upstream_model, tenant_id, call_id, started_at, line,
    weight_nano, weight_tokens, weight_amount
FROM (
    SELECT {_NAMES}, l.tenant_id, l.call_id, l.started_at, l.line,
        sum(l.provider_nano) OVER owner AS weight_nano, sum(l.tokens) OVER owner AS weight_tokens,
        sum(l.amount_nano) OVER owner AS weight_amount,
        row_number() OVER (owner ORDER BY l.provider_nano DESC, l.started_at, l.call_id, l.line) AS place
    {_ENTRIES} AND l.source IS NULL
    WINDOW owner AS (
        PARTITION BY (l.started_at AT TIME ZONE 'UTC')::date, l.provider, l.deployment, l.model,
            CASE WHEN coalesce(l.corrects, l.line) = 0 THEN c.upstream_model END, l.tenant_id, l.department_id,
            l.application_id, l.user_id, l.key_id, l.region, l.use_case, l.prompt)
) e
WHERE place = 1
ORDER BY day, provider, tenant_id, started_at, call_id, line
"""
HAS_PROVIDER = "SELECT EXISTS (SELECT FROM providers WHERE name = $1)"
