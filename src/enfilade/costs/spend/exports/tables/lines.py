"""The ledger line by line: one row for each kind that an entry counts."""

from collections.abc import Iterator
from typing import Any

from enfilade.core.money import format_usd
from enfilade.costs.spend.exports import store
from enfilade.costs.spend.exports.columns import Column, Row, Table, decimal_text, usd

COLUMNS = (
    Column("call_id", "text", "The call; the `x-request-id` of its reply.", optional=False),
    Column(
        "line", "integer", "The entry: 0 settled the call; lost attempts, then corrections, follow.", optional=False
    ),
    Column("position", "integer", "The kind's place in its entry, from 1.", optional=False),
    Column("attempt", "integer", "The attempt that cost it.", optional=False),
    Column("started_at", "moment", "When the call began: it decides the period.", optional=False),
    Column("posted_at", "moment", "When the entry was posted.", optional=False),
    Column("tenant_id", "text", "The tenant's id.", optional=False),
    Column("tenant", "text", "The tenant's name."),
    Column("department", "text", "The department's name."),
    Column("application", "text", "The application's name."),
    Column("user", "text", "The user's address."),
    Column("key", "text", "The key's name."),
    Column("model", "text", "The model, by the name that the caller used."),
    Column("provider", "text", "The provider, by its name in the configuration."),
    Column("deployment", "text", "The provider and its own name of the model."),
    Column("region", "text", "Where the deployment is."),
    Column("use_case", "text", "The use case that the call named."),
    Column("prompt", "text", "The prompt that the call named."),
    Column("kind", "text", "What was counted; empty for an amount that belongs to no kind."),
    Column("quantity", "integer", "How many of it."),
    Column("rate_usd_per_million", "decimal", "The price of a million of it.", 9),
    usd("amount_usd", "What the tenant is charged. Its sum is the ledger's."),
    usd("list_usd", "What that would be at the published price; an entry's kinds share it as they share the amount."),
    usd("provider_usd", "What the provider charges, shared alike; shown to the platform alone.", optional=True),
    Column("estimated", "flag", "Whether the provider reported no usage.", optional=False),
    Column("flags", "text", "What else is to be known of it, with spaces between."),
    Column("price", "text", "The version of the price."),
    Column("corrects", "integer", "The line of the same call that this one corrects."),
    Column("source", "text", "Where a correction comes from."),
    Column("reason", "text", "Why it was made."),
)


def apportion(total: int, weights: list[int]) -> list[int]:
    """The total in parts that are to one another as the weights are, and that add up to it."""
    whole = sum(weights)
    if whole == total:
        return weights
    if whole == 0:
        return [total, *(0 for _ in weights[1:])]
    parts, given, weight = [], 0, 0
    for share in weights:
        weight += share
        upto = total * weight // whole
        parts.append(upto - given)
        given = upto
    return parts


def rows(entry: Any, *, is_platform: bool) -> Iterator[Row]:
    """An entry as rows, which add up to it."""
    amounts = list(entry["amounts"])
    items: list[tuple[Any, Any, Any]] = list(zip(entry["kinds"], entry["quantities"], entry["rates"], strict=True))
    remainder = entry["amount_nano"] - sum(amounts)
    if remainder or not items:
        items.append((None, None, None))
        amounts.append(remainder)
    listed = apportion(entry["list_nano"], amounts)
    paid = apportion(entry["provider_nano"], amounts)
    head = (
        *(entry["attempt"], entry["started_at"], entry["posted_at"], str(entry["tenant_id"]), entry["tenant"]),
        *(entry["department"], entry["application"], entry["user"], entry["key"], entry["model"], entry["provider"]),
        *(entry["deployment"], entry["region"], entry["use_case"], entry["prompt"]),
    )
    tail = (entry["estimated"], " ".join(entry["flags"]) or None, entry["price"])
    why = (entry["corrects"], entry["source"], entry["reason"])
    call, line = str(entry["call_id"]), entry["line"]
    for place, (kind, quantity, rate) in enumerate(items):
        money = (
            None if rate is None else decimal_text(rate, 9),
            format_usd(amounts[place]),
            format_usd(listed[place]),
            format_usd(paid[place]) if is_platform else None,
        )
        yield (call, line, place + 1, *head, kind, quantity, *money, *tail, *why)


TABLE = Table("lines", "One row for each call, attempt or correction and each kind that it counts.", COLUMNS,
              {"": store.LINES}, rows)  # fmt: skip
