"""The SQL of prices."""

READ_BOOK = "SELECT body FROM price_books WHERE version = $1"
READ_LAST_BOOK = "SELECT version, body FROM price_books ORDER BY compiled_at DESC LIMIT 1"
STORE_BOOK = "INSERT INTO price_books (version, body) VALUES ($1, $2) ON CONFLICT DO NOTHING"
LIST_OVERRIDES = "SELECT model, effective_from, rates FROM price_overrides ORDER BY model, effective_from"
LIST_OVERRIDES_OF_MODEL = """
SELECT model, effective_from, rates FROM price_overrides WHERE model = $1 ORDER BY effective_from
"""
INSERT_OVERRIDE = """
INSERT INTO price_overrides (model, effective_from, rates) VALUES ($1, $2, $3::jsonb)
ON CONFLICT (model, effective_from) DO UPDATE SET rates = excluded.rates
"""
