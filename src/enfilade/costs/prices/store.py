"""The SQL of prices."""

READ_BOOK = "SELECT body FROM price_books WHERE version = $1 AND form = $2"
READ_BOOKS = "SELECT version, body FROM price_books WHERE form = $1 ORDER BY compiled_at DESC, version DESC LIMIT $2"
LIST_BOOKS = "SELECT version, form, compiled_at FROM price_books ORDER BY compiled_at DESC, version DESC, form DESC"
STORE_BOOK = "INSERT INTO price_books (version, form, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"

_OVERRIDE_COLUMNS = "id, model, effective_from, effective_to, price, reason, created_by, created_at"
LIST_OVERRIDES = f"SELECT {_OVERRIDE_COLUMNS} FROM price_versions ORDER BY model, effective_from, id"
LIST_OVERRIDES_OF_MODEL = f"""
SELECT {_OVERRIDE_COLUMNS} FROM price_versions WHERE model = $1 ORDER BY effective_from, id
"""
INSERT_OVERRIDE = """
INSERT INTO price_versions (model, effective_from, effective_to, price, reason, created_by)
VALUES ($1, $2, $3, $4::jsonb, $5, $6)
"""

# Of each list what was in force at $1, and everything since.
LIST_LISTS = """
SELECT name, version, entries, imported_by, imported_at FROM price_lists l
WHERE NOT EXISTS (
    SELECT FROM price_lists n WHERE n.name = l.name AND n.version > l.version AND n.imported_at <= $1
)
ORDER BY name, version
"""
LIST_LIST_VERSIONS = """
SELECT name, version, jsonb_array_length(entries) AS entries, imported_by, imported_at FROM price_lists
WHERE $1::text IS NULL OR name = $1 ORDER BY name, version
"""
READ_LIST = """
SELECT name, version, entries, imported_by, imported_at FROM price_lists
WHERE name = $1 AND ($2::int IS NULL OR version = $2) ORDER BY version DESC LIMIT 1
"""
INSERT_LIST = """
INSERT INTO price_lists (name, version, entries, imported_by, imported_at) VALUES ($1, $2, $3::jsonb, $4, $5)
"""

LIST_ADJUSTMENTS = """
SELECT a.id, a.kind, a.for_tenant::text AS tenant, t.name AS tenant_name, a.provider, a.model, a.millionths,
    a.effective_from, a.effective_to, a.reason, a.created_by, a.created_at
FROM price_adjustments a LEFT JOIN tenants t ON t.id = a.for_tenant
ORDER BY a.effective_from, a.id
"""
INSERT_ADJUSTMENT = """
INSERT INTO price_adjustments
    (kind, for_tenant, provider, model, millionths, effective_from, effective_to, reason, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id
"""

LIST_RATES = """
SELECT id, currency, effective_from, rate, source, created_by, created_at FROM exchange_rates
ORDER BY currency, effective_from, id
"""
INSERT_RATE = """
INSERT INTO exchange_rates (currency, effective_from, rate, source, created_by) VALUES ($1, $2, $3, $4, $5)
"""
