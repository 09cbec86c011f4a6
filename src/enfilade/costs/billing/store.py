"""The SQL of billing."""

# Who bills, and how.
FIND_ISSUER = "SELECT profile::text, version FROM enfilade.billing_issuer"
PUT_ISSUER = """
INSERT INTO enfilade.billing_issuer AS kept (profile) VALUES ($1::text::jsonb)
ON CONFLICT (only_row) DO UPDATE SET profile = excluded.profile, version = kept.version + 1
"""
DELETE_ISSUER = "DELETE FROM enfilade.billing_issuer"
FIND_PROFILE = "SELECT profile::text, version FROM billing_profiles WHERE tenant_id = $1"
PUT_PROFILE = """
INSERT INTO billing_profiles (tenant_id, profile) VALUES ($1, $2::text::jsonb)
ON CONFLICT (tenant_id) DO UPDATE SET profile = excluded.profile, version = billing_profiles.version + 1
"""
DELETE_PROFILE = "DELETE FROM billing_profiles WHERE tenant_id = $1"

# Everything below this has ended: what it posted is visible, and nothing more will come. It counts from the tenant's
# beginning, also where it was another server that posted its first entries.
POSITION = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + ledger_base($1)"

# The entries of several ranges of the ledger, summed up: a range is a period and a stretch of transactions. The first of
# all transactions is said by itself, so that months to which nothing was added are passed over by their block ranges.
_RANGES = """
FROM unnest($2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::bigint[])
    WITH ORDINALITY AS r (start, stop, from_xact, to_xact, position)
CROSS JOIN (SELECT ledger_base($1) AS place OFFSET 0) AS base
JOIN ledger l ON l.tenant_id = $1 AND l.started_at >= r.start AND l.started_at < r.stop
    AND l.posted_xact >= r.from_xact - base.place AND l.posted_xact < r.to_xact - base.place
    AND l.posted_xact >= $8 - (SELECT ledger_base($1))
    AND ($6::uuid IS NULL OR l.department_id = $6) AND ($7::uuid IS NULL OR l.application_id = $7)
"""
# Which models entries are of, with what was charged for each, and what the published price would have been.
SUM_MODELS = f"""
SELECT r.position, l.source IS NOT NULL AS is_correction, l.model, count(*) AS entries,
    count(*) FILTER (WHERE l.line = 0 AND l.source IS NULL) AS calls, sum(l.tokens)::bigint AS tokens,
    sum(l.amount_nano)::bigint AS amount_nano, sum(l.list_nano)::bigint AS list_nano
{_RANGES}
GROUP BY 1, 2, 3 ORDER BY 1, 3, 2
"""
# The same entries by what they count and at which rate.
SUM_LINES = f"""
SELECT r.position, l.source IS NOT NULL AS is_correction, l.model, k.kind, k.rate,
    sum(k.quantity)::bigint AS quantity, sum(k.amount)::bigint AS amount_nano
{_RANGES}
CROSS JOIN LATERAL unnest(l.kinds, l.quantities, l.rates, l.amounts) AS k (kind, quantity, rate, amount)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 3, 2, 4, 5
"""

# What was issued.
_COLUMNS = """
id::text, tenant_id::text, type, number, issued_at, period_start, period_end, corrects::text, is_full, replaces::text,
currency, total, body, digest
"""
FIND_INVOICE = (
    f"SELECT {_COLUMNS} FROM invoices WHERE (id::text = $1 OR number = $1) AND ($2::uuid IS NULL OR tenant_id = $2)"
)
# The invoice in force for a period comes last: it replaces those before. Its neighbours are found, too, though the tenant's
# days may have begun at another hour then.
LIST_OF_PERIOD = f"""
SELECT {_COLUMNS} FROM invoices WHERE tenant_id = $1 AND type = 'invoice'
    AND period_start <= $3::timestamptz + interval '26 hours' AND period_end >= $2::timestamptz - interval '26 hours'
ORDER BY year, sequence
"""
LIST_CREDIT_NOTES = f"""
SELECT {_COLUMNS} FROM invoices WHERE tenant_id = $1 AND corrects = $2 ORDER BY year, sequence
"""
LIST_INVOICES = f"""
SELECT {_COLUMNS} FROM invoices
WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) AND ($4::text IS NULL OR type = $4) ORDER BY id LIMIT $2
"""
# The row's lock is held until the transaction ends: the next number is given when this one is there, or will never be. What
# a tenant brought from elsewhere is counted too, where this database has not numbered anything yet.
NEXT_SEQUENCE = """
INSERT INTO enfilade.invoice_series AS s (type, year, sequence)
SELECT $1, $2::int, coalesce((SELECT max(i.sequence) FROM invoices i WHERE i.type = $1 AND i.year = $2::int), 0) + 1
ON CONFLICT (type, year) DO UPDATE SET sequence = s.sequence + 1 RETURNING sequence
"""
INSERT_INVOICE = """
INSERT INTO invoices (tenant_id, id, type, year, sequence, number, issued_at, period_start, period_end, corrects, is_full,
                      replaces, currency, total, body, digest, series)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, sha256(convert_to($15, 'UTF8')), $16)
"""

# How far the ledger is billed.
LIST_COVERAGE = """
SELECT period_start, period_end, from_xact, to_xact FROM invoice_coverage
WHERE tenant_id = $1 AND invoice_id = $2 ORDER BY period_start DESC
"""
BILLED_UP_TO = """
SELECT period_start, period_end, max(to_xact) AS to_xact FROM invoice_coverage
WHERE tenant_id = $1 GROUP BY 1, 2 ORDER BY 1
"""
INSERT_COVERAGE = """
INSERT INTO invoice_coverage (tenant_id, invoice_id, period_start, period_end, from_xact, to_xact)
VALUES ($1, $2, $3, $4, $5, $6)
"""

# Credits.
_CREDIT = """
SELECT c.id::text, c.tenant_id::text, c.amount_nano, c.reason, c.granted_at, c.expires_at,
    c.amount_nano - coalesce((SELECT sum(u.amount_nano) FROM credit_uses u
                              WHERE u.tenant_id = c.tenant_id AND u.credit_id = c.id), 0)::bigint AS left_nano
FROM credits c
"""
LIST_CREDITS = f"{_CREDIT} WHERE c.id > $1 AND ($3::uuid IS NULL OR c.tenant_id = $3) ORDER BY c.id LIMIT $2"
# What a period's invoice may take: credits that were granted by then and had not expired when the period began.
LIST_USABLE_CREDITS = f"""
{_CREDIT} WHERE c.tenant_id = $1 AND c.granted_at <= $2 AND (c.expires_at IS NULL OR c.expires_at > $3)
ORDER BY c.granted_at, c.id
"""
FIND_CREDIT = f"{_CREDIT} WHERE c.tenant_id = $1 AND c.id = $2"
INSERT_CREDIT = """
INSERT INTO credits (tenant_id, id, amount_nano, reason, granted_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
LIST_USES = (
    "SELECT credit_id::text, amount_nano FROM credit_uses WHERE tenant_id = $1 AND invoice_id = $2 ORDER BY credit_id"
)
USE_CREDIT = "INSERT INTO credit_uses (tenant_id, credit_id, invoice_id, amount_nano) VALUES ($1, $2, $3, $4)"
