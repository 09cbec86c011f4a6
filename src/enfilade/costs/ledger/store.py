"""The SQL of the ledger."""

# Recovery.
LIST_ORPHANED_INTENTS = """
SELECT call_id, tenant_id, replica_id, body FROM intents WHERE NOT (replica_id = ANY ($1)) AND call_id > $2 ORDER BY call_id LIMIT $3
"""
LIST_INTENT_REPLICAS = "SELECT DISTINCT replica_id FROM intents"

# Corrections.
HAS_LINE = "SELECT line FROM ledger WHERE started_at = $1 AND call_id = $2 AND line = $3"
POST_CORRECTION = "SELECT post_correction($1)"

# Explanations.
LIST_ENTRIES = """
SELECT line, attempt, posted_at, model, deployment, kinds, quantities, rates, amounts, amount_nano, provider_nano, list_nano,
    saved_nano, could_save_nano, overrun_nano, estimated, flags, price, corrects, source, reason
FROM ledger WHERE started_at = $1 AND call_id = $2 ORDER BY line
"""
