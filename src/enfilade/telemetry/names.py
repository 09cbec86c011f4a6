"""Every metric and every log field that Enfilade emits. The reference pages are generated from here."""

from dataclasses import dataclass

PREFIX = "enfilade_"


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of time series."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


CALL_LABELS = ("tenant", "application", "model", "status")
CALLS = Metric("enfilade_calls", "counter", "Calls that ended, by HTTP status class.", CALL_LABELS)
TOKENS = Metric(
    "enfilade_tokens",
    "counter",
    "Tokens of settled calls, by direction (input, output).",
    (*CALL_LABELS[:3], "direction"),
)
COST = Metric("enfilade_cost_usd", "counter", "What settled calls cost, in US dollars.", CALL_LABELS[:3])
DURATION = Metric(
    "enfilade_call_duration_seconds", "histogram", "From a call's arrival to its settlement.", CALL_LABELS[:3]
)
FIRST_BYTE = Metric(
    "enfilade_first_byte_seconds",
    "histogram",
    "From a call's arrival to the first byte of its answer.",
    CALL_LABELS[:3],
)
REFUSALS = Metric("enfilade_refusals", "counter", "Calls refused before anything went upstream, by code.", ("code",))
ATTEMPTS = Metric(
    "enfilade_upstream_attempts", "counter", "Attempts at deployments, by outcome.", ("deployment", "outcome")
)
BREAKERS = Metric(
    "enfilade_breaker_open", "gauge", "1 while a deployment's circuit breaker is not closed.", ("deployment",)
)
RUNNING = Metric("enfilade_running_calls", "gauge", "Calls that are admitted and not settled.")
HELD = Metric("enfilade_held_usd", "gauge", "Money held for running calls, in US dollars.")
BACKLOG = Metric("enfilade_writer_backlog", "gauge", "Settlements that are not committed yet.")
COMMITS = Metric("enfilade_writer_transactions", "counter", "Transactions of the settlement writer.")
COMMIT_SECONDS = Metric("enfilade_writer_seconds", "counter", "Time that the settlement writer spent in transactions.")
SETTLED = Metric("enfilade_writer_settled", "counter", "Calls that the settlement writer committed.")
RECORDS_LOST = Metric(
    "enfilade_records_lost",
    "counter",
    "Records that could be written nowhere: refused by the database, of a tenant that was erased, or whose cell is gone "
    "(cell_gone), or on their way when the process ended. Each stands in the log as `record_lost`.",
    ("reason",),
)
REVISION = Metric(
    "enfilade_directory_revision", "gauge", "The revision of the configuration that this process applies."
)
FRESH = Metric("enfilade_directory_fresh", "gauge", "1 while this process is able to learn of changes.")
REPLICAS = Metric("enfilade_replicas", "gauge", "Processes that serve this database, as this one sees it.")
CONNECTIONS = Metric("enfilade_upstream_connections", "gauge", "Open connections to providers.")
KEY_FALLBACKS = Metric(
    "enfilade_provider_key_fallbacks",
    "counter",
    "Attempts at which a provider refused its new key and took the former one.",
    ("provider",),
)
VAULT_AGE = Metric(
    "enfilade_vault_secret_age_seconds", "gauge", "Time since a secret was last read from Vault or renewed.", ("path",)
)
VAULT_FAILING = Metric(
    "enfilade_vault_secrets_failing", "gauge", "Secrets that Vault did not give when it was last asked."
)
CACHE = Metric("enfilade_cache_lookups", "counter", "Look-ups in the reply cache, by result.", ("result",))
CACHE_BYTES = Metric("enfilade_cache_bytes", "gauge", "Bytes kept in the reply cache.")
BOOK_REJECTED = Metric(
    "enfilade_price_book_rejected",
    "gauge",
    "1 while the installed price data is unusable and an earlier price book, or none, is in use.",
)
LOST_LOG_LINES = Metric("enfilade_log_lines_lost", "counter", "Log lines dropped because nobody took them in time.")
SPEND_LAG = Metric(
    "enfilade_spend_rollup_lag_seconds", "gauge", "Time since the roll-ups of spend last held everything posted."
)
OVERFLOW = Metric(
    "enfilade_label_overflow", "counter", "Calls counted under `other` because there are too many label combinations."
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

CALL_LOG_FIELDS = {
    "event": "Always `call`.",
    "level": "`info`, or `warning` when the call failed or was refused.",
    "tenant_name": "The tenant's name.",
    "application_name": "The application's name.",
    "key_name": "The key's name. Never the key.",
    "actor, at, data, tenant, type": "The call's event, exactly as it stands in the audit log.",
}
