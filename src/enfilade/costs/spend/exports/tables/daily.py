"""Sums by day."""

from collections.abc import Iterator
from typing import Any

from enfilade.core.money import format_usd
from enfilade.costs.spend.exports import store
from enfilade.costs.spend.exports.columns import Column, Row, Table, usd

COLUMNS = (
    Column("day", "date", "In the tenant's time zone; in UTC where it is all tenants'.", optional=False),
    Column("tenant_id", "text", "The tenant's id.", optional=False),
    Column("tenant", "text", "The tenant's name."),
    Column("department", "text", "The department's name."),
    Column("application", "text", "The application's name."),
    Column("user", "text", "The user's address."),
    Column("key", "text", "The key's name."),
    Column("model", "text", "The model, by the name that callers used."),
    Column("provider", "text", "The provider, by its name in the configuration."),
    Column("deployment", "text", "The provider and its own name of the model."),
    Column("region", "text", "Where the deployment is."),
    Column("use_case", "text", "The use case that the calls named."),
    Column("prompt", "text", "The prompt that the calls named."),
    Column("calls", "integer", "Calls that were settled.", optional=False),
    Column("corrections", "integer", "Corrections of such calls.", optional=False),
    Column("estimated", "integer", "Entries whose usage the provider did not report.", optional=False),
    Column("tokens", "integer", "Tokens in and out.", optional=False),
    usd("amount_usd", "What the tenant is charged. Its sum is the ledger's."),
    usd("list_usd", "What that would be at the published price."),
    usd("provider_usd", "What the provider charges; shown to the platform alone.", optional=True),
    usd("saved_usd", "What caches saved."),
    usd("could_save_usd", "What a reply cache would have saved."),
    usd("overrun_usd", "What calls cost beyond their holds."),
)
NAMED = (
    *("tenant", "department", "application", "user", "key", "model", "provider", "deployment", "region"),
    *("use_case", "prompt", "calls", "corrections", "estimated", "tokens"),
)


def rows(group: Any, *, is_platform: bool) -> Iterator[Row]:
    """A group as its row."""
    yield (
        group["day"],
        str(group["tenant_id"]),
        *(group[name] for name in NAMED),
        format_usd(int(group["amount_nano"])),
        format_usd(int(group["list_nano"])),
        format_usd(int(group["provider_nano"])) if is_platform else None,
        format_usd(int(group["saved_nano"])),
        format_usd(int(group["could_save_nano"])),
        format_usd(int(group["overrun_nano"])),
    )


TABLE = Table("daily", "One row for each day and everything that calls are known by.", COLUMNS, {"": store.DAILY}, rows)
