"""Usage as CloudEvents, for billing systems outside: each entry of the ledger once, in the order of its commit."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from enfilade.core.cursors import read_cursor, write_cursor
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.money import format_usd
from enfilade.costs.spend.exports import store
from enfilade.costs.spend.exports.columns import decimal_text, moment_text
from enfilade.storage.unit_of_work import UnitOfWork

TYPE = "ai.enfilade.usage.v1"
NOBODY = PLATFORM_ID
BEFORE_ALL = -1
FIRST_WIDTH = 1_000
GROWTH = 4
MAX_XACT = 2**63 - 1

Subject = Literal["tenant", "application"]


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Up to where a reader has read: everything up to this entry, and nothing after it."""

    xact: int = 0
    call_id: str = NOBODY
    line: int = BEFORE_ALL

    def cursor(self) -> str:
        """As text for the reader to keep."""
        return write_cursor(f"{self.xact}|{self.call_id}|{self.line}".encode())

    @classmethod
    def of_cursor(cls, cursor: str) -> "Position":
        """The position that `cursor` gave out. Raises ValueError for anything else."""
        try:
            xact, call_id, line = read_cursor(cursor).decode().split("|")
            found = cls(int(xact), str(UUID(call_id)), int(line))
        except ValueError:
            found = None
        # Python reads digits, blanks and underscores that were never written, so what was read is written again.
        if found is None or found.cursor() != cursor or not (0 <= found.xact <= MAX_XACT and -1 <= found.line < 2**15):
            message = "This is no cursor of usage events."
            raise ValueError(message)
        return found


@dataclass(frozen=True, slots=True)
class UsagePage:
    """Some entries, and where to go on."""

    entries: list[Any]
    next: Position
    more: bool
    """Whether there is more to read now."""


async def read_usage(unit: UnitOfWork, after: Position, limit: int, tenant: str | None) -> UsagePage:
    """The entries after a position, oldest commit first; a page may be shorter than `limit` though there is more.

    Nothing is given that a transaction still running could come before: what it posts is found later, never missed.
    The unit of work must be a read-only one: the horizon and the entries are of one snapshot. Raises ValueError for a
    position that this database has not reached.
    """
    # A tenant's places count from its beginning, wherever its entries were posted; those of all tenants are the cell's.
    state = await unit.fetch_row(store.HORIZON, tenant)
    assert state is not None
    base: int = state["base"]
    horizon = state["horizon"] + base
    if after.xact > horizon:
        message = "This cursor is ahead of the ledger: it comes from another database, or from before a restore."
        raise ValueError(message)
    width = FIRST_WIDTH
    while True:
        # Little by little: the index finds a stretch of transactions fast, and has no order within it.
        upper = min(after.xact + width, horizon)
        places = (after.xact - base, after.call_id, after.line, upper - base)
        rows = await unit.fetch(store.USAGE, *places, tenant, limit)
        if rows or upper == horizon:
            break
        width *= GROWTH
    if len(rows) == limit:
        last = rows[-1]
        return UsagePage(rows, Position(last["posted_xact"] + base, str(last["call_id"]), last["line"]), more=True)
    following = Position(upper) if upper > after.xact else after
    return UsagePage(rows, following, more=upper < horizon)


def cloud_event(entry: Any, subject: Subject, *, is_platform: bool) -> dict[str, Any]:
    """An entry as an event of CloudEvents 1.0. Its `source` and `id` name it for good: a repetition can be dropped."""
    tenant = str(entry["tenant_id"])
    application = str(entry["application_id"]) if entry["application_id"] else None
    return {
        "specversion": "1.0",
        "id": f"{entry['call_id']}:{entry['line']}",
        "source": f"urn:enfilade:tenant:{tenant}",
        "type": TYPE,
        "subject": application or tenant if subject == "application" else tenant,
        "time": moment_text(entry["started_at"]),
        "datacontenttype": "application/json",
        "data": _data(entry, tenant, application, is_platform=is_platform),
    }


def _data(entry: Any, tenant: str, application: str | None, *, is_platform: bool) -> dict[str, Any]:
    quantities: Counter[str] = Counter()
    lines = []
    parts = zip(entry["kinds"], entry["quantities"], entry["rates"], entry["amounts"], strict=True)
    for kind, quantity, rate, amount in parts:
        quantities[kind] += quantity
        lines.append(
            {
                "kind": kind,
                "quantity": quantity,
                "rate_usd_per_million": decimal_text(rate, 9),
                "cost_usd": format_usd(amount),
            }
        )
    data = {
        "call_id": str(entry["call_id"]),
        "line": entry["line"],
        "attempt": entry["attempt"],
        "started_at": moment_text(entry["started_at"]),
        "posted_at": moment_text(entry["posted_at"]),
        "tenant_id": tenant,
        "tenant": entry["tenant"],
        "department_id": _text(entry["department_id"]),
        "department": entry["department"],
        "application_id": application,
        "application": entry["application"],
        "user_id": _text(entry["user_id"]),
        "key_id": _text(entry["key_id"]),
        **{name: entry[name] for name in ("model", "provider", "deployment", "region", "use_case", "prompt")},
        "quantities": dict(quantities),
        "lines": lines,
        "tokens": entry["tokens"],
        "cost_usd": format_usd(entry["amount_nano"]),
        "list_usd": format_usd(entry["list_nano"]),
        **{name: entry[name] for name in ("estimated", "flags", "price", "corrects", "source", "reason")},
    }
    if is_platform:
        data["provider_usd"] = format_usd(entry["provider_nano"])
    return data


def _text(identifier: object) -> str | None:
    return None if identifier is None else str(identifier)
