"""Alerts: the events about money and access that somebody should see, in one list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from enfilade.core.clock import to_ns
from enfilade.core.cursors import read_cursor, write_cursor
from enfilade.costs.errors import InvalidAlertQuery
from enfilade.costs.outlook import store
from enfilade.storage.rounds import fetch_merged
from enfilade.storage.unit_of_work import UnitOfWork

MAX_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AlertType:
    """A kind of alert, as it is documented: what it says, when it is told, and what stands in it."""

    title: str
    told: str
    fields: Mapping[str, str]


_BUDGET = {
    "budget": "The budget's id.",
    "scope": "`tenant`, `department`, `application`, `user` or `key`.",
    "subject": "The id of the one that it concerns.",
    "window": "`day`, `month` and so on.",
    "window_start": "When the window began.",
    "limit_usd": "The budget's own limit.",
    "spent_usd": "What was spent in the window by then.",
}
_SETTLEMENT = {"call": "The first such call's id: `enfilade spend explain CALL`.", "model": "The model's name."}
ALERTS: dict[str, AlertType] = {
    "BudgetThresholdCrossed": AlertType(
        "A share of a budget was spent that an alert was asked for.",
        "Once for each threshold and window; again only if a higher limit has moved the threshold up.",
        _BUDGET | {"share": "The threshold, as a share of the limit: `0.8`."},
    ),
    "BudgetExhausted": AlertType(
        "A call was refused, because a budget did not cover it.",
        "The first time in a window, by each process that refuses one.",
        _BUDGET | {"held_usd": "What running calls held by then."},
    ),
    "CostAnomalyDetected": AlertType(
        "An hour cost far more than it usually does.",
        "Once for each scope and hour, as soon as it is so: also before the hour is over, and also when late lines make it "
        "so.",
        {
            "scope": "`tenant`, `department`, `application` or `model`.",
            "subject": "Its id; of a model its name.",
            "hour": "When the hour began.",
            "is_over": "Whether the hour was over, or what it cost may still grow.",
            "actual_usd": "What it had cost by then.",
            "usual_usd": "What hours alike cost: their median.",
            "threshold_usd": "What it had to exceed.",
            "times_usual": "The one divided by the other, with one place; null when the usual is nothing.",
            "basis": "`hour_of_week`, or `hour_of_day` (of working days, or of weekends) where there are too few weeks.",
            "compared_hours": "How many hours alike there were.",
            "keys": "Those that cost most in the hour: `id` and `cost_usd`.",
            "users": "The same of users.",
            "models": "The same of models: `name` and `cost_usd`.",
        },
    ),
    "UnpricedSettlement": AlertType(
        "A call was settled for which some price was missing.",
        "Once an hour for a model, by each process.",
        _SETTLEMENT,
    ),
    "OverrunSettlement": AlertType(
        "A call cost more than was held for it.",
        "Once an hour for a model, by each process.",
        _SETTLEMENT | {"overrun_usd": "By how much."},
    ),
    "ReconciliationDifference": AlertType(
        "What a provider says that it charges is not what the ledger says.",
        "With each import that shows it. To the platform only.",
        {
            "reconciliation": "Its id: `enfilade reconcile show ID`.",
            "provider": "The provider's name.",
            "from": "The first day.",
            "to": "The last day.",
            "groups": "How many days and models differ.",
            "difference_usd": "By how much in sum.",
            "causes": "The difference by its causes.",
        },
    ),
    "PriceBookRejected": AlertType(
        "The price data that was installed cannot be used; the last good price book stays in use.",
        "At each start. To the platform only.",
        {
            "version": "The version of what was installed.",
            "reason": "What is wrong with it.",
            "in_use": "The version of the book in use.",
        },
    ),
    "EmergencyAccessTaken": AlertType(
        "Somebody took access at once, without asking.",
        "Each time. Why stands with the access: `enfilade emergency list`.",
        {
            "id": "The access's id.",
            "user": "The id of who took it.",
            "asked": "What it is access to.",
            "starts_at": "From when it holds.",
            "ends_at": "Until when.",
            "review_due_at": "By when somebody else has to review it.",
        },
    ),
    "EmergencyReviewOverdue": AlertType(
        "Nobody has reviewed emergency access in time.",
        "Once for each; the review stays open.",
        {"id": "The access's id.", "user": "The id of who took it.", "review_due_at": "When it was due."},
    ),
    "AccessReviewOverdue": AlertType(
        "Questions of an access review were not answered in time.",
        "Once for each review, on its due date.",
        {
            "id": "The review's id: `enfilade review show ID`.",
            "name": "Its name.",
            "items": "How many nobody answered.",
            "revoked": "How many of these are revoked for it.",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands in the log."""

    tenant: str
    seq: int
    at: datetime
    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts to list."""

    tenant: str | None
    start: datetime
    end: datetime
    types: tuple[str, ...] = ()
    """All, when there is none."""


async def page_alerts(
    unit: UnitOfWork, query: AlertQuery, cursor: str | None, limit: int
) -> tuple[list[Alert], str | None]:
    """A page of alerts, newest first, and the cursor of the next page. Raises InvalidAlertQuery."""
    unknown = [name for name in query.types if name not in ALERTS]
    if unknown:
        message = f"{unknown[0]!r} is no alert; use one of {', '.join(ALERTS)}"
        raise InvalidAlertQuery(message, param="type")
    position = (None, None, None) if cursor is None else _read_cursor(cursor)
    wanted = list(query.types or ALERTS)
    values = (query.tenant, query.start, query.end, wanted, *position, limit + 1)
    rows = await fetch_merged(unit, query.tenant, _newest_first, store.LIST_ALERTS, *values)
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        text = f"{last['at'].isoformat()}|{last['tenant_id']}|{last['seq']}"
        following = write_cursor(text.encode())
    return [_alert(row) for row in rows[:limit]], following


def _newest_first(row: Any) -> tuple[int, int, int]:
    return -to_ns(row["at"]), -row["tenant_id"].int, -row["seq"]


def _alert(row: Any) -> Alert:
    data = msgspec.json.decode(row["body"])["data"]
    return Alert(str(row["tenant_id"]), row["seq"], row["at"], row["type"], data)


def _read_cursor(cursor: str) -> tuple[datetime, str, int]:
    try:
        moment, tenant, seq = read_cursor(cursor).decode().split("|")
        found = (datetime.fromisoformat(moment).astimezone(UTC), str(UUID(tenant)), int(seq))
    except (ValueError, OverflowError):
        found = None
    if found is None or not 0 <= found[2] <= MAX_SEQ:
        message = "This is no cursor of this list."
        raise InvalidAlertQuery(message, param="cursor")
    return found
