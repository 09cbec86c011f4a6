"""What has no row-level security, or an index that does not begin with the tenant, and why that gives nothing away.

Whatever is not here, and not guarded in one of the usual ways, is a finding.
"""

from typing import Final

READ_BY_TENANTS: Final = {
    "enfilade.revision_counter": "a number that counts changes, of no tenant; tenants announce their own by it",
    "enfilade.billing_issuer": "who issues the invoices; it stands on each of them",
    "spend_progress": "how far the roll-ups are: a position in the database's log, of no tenant",
}
"""Tables without row-level security of which the app role may read something, or more."""
WRITTEN_BY_TENANTS: Final = {"enfilade.revision_counter": {"UPDATE"}}
"""And where it may write in them."""

INDEXES: Final = {
    "calls_pkey": "time and an id that only we make",
    "calls_posted": "the database's transaction number",
    "ledger_pkey": "time and an id that only we make",
    "ledger_posted": "the database's transaction number",
    "intents_pkey": "an id that only we make",
    "conversations_expiry": "not unique; expiry looks at all tenants at once",
    "responses_expiry": "not unique; expiry looks at all tenants at once",
    "idempotency_keys_age": "not unique; expiry looks at all tenants at once",
    "invoices_number_key": "a number that only we give",
    "invoices_series_type_year_sequence_key": "a number that only we give",
    "key_secrets_digest_key": "the digest of a secret of 256 bits: who names another's has it already",
    "tenants_live_name": "names of tenants; only the platform gives them",
    "tenants_pkey": "the tenant's own id",
    "tenant_revisions_order": "not unique; the directory reads what changed since a revision",
    "key_acts_open": "not unique; for the owner alone",
    "tenant_keys_master": "not unique; for the owner and the operator",
}
"""Indexes of tenants' tables whose first column is not the tenant, and that are not over one of our ids alone."""
OUR_IDS: Final = frozenset({"id", "call_id"})

APP_MAY_CALL: Final = {
    "enter": "tells whether a tenant lives here: under the policy of `departures`, of the tenant that is set",
    "append_events": "appends for the tenant that is set, and refuses every other",
    "post_correction": "needs a tenant; what it corrects is looked for among that tenant's",
    "current_tenant": "reads a setting of the transaction",
    "latency_place": "computes with its argument alone",
    "ledger_base": "reads with the caller's rights",
    "spend_server": "names the server",
    "sum_up_spend": "reads with the caller's rights",
    "sum_up_metadata": "reads with the caller's rights",
}
WRITER_MAY_CALL: Final = {
    "settle": "appends what a call cost, and returns a count",
    "current_tenant": "reads a setting of the transaction",
}
DEFINERS: Final = frozenset(
    {
        "append_events",
        "append_leaves",
        "capture_change",
        "move_spend",
        "post_correction",
        "rebuild_spend_month",
        "request_spend_rebuild",
        "roll_up_arrivals",
        "roll_up_spend",
        "settle",
    }
)
"""Functions that work with more rights than their caller's. Each has its search path fixed."""

OPERATOR_WRITES: Final = {"enfilade.tenants": "*", "enfilade.tenant_moves": "*", "enfilade.pending_changes": "d"}
"""Tables with row-level security in which the platform's administrators change rows of all tenants, with the command."""
SEALED_COLUMNS: Final = {"issuers": ("client_secret",)}
"""Secrets in tables of tenants that the app role may read otherwise."""
