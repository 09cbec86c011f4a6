"""Histories of spending in the name of a company's applications, and what it was told of."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from tests.postgres.costs.conftest import Company
from tests.support.histories import Cost, write_history
from tests.support.ledger import rows
from tests.support.parts import NOON

HOUR = timedelta(hours=1)


async def write(company: Company, costs: Iterable[Cost], *, is_rolled_up: bool = True) -> None:
    await write_history(company.parts, company.tenant, costs)
    if is_rolled_up:
        await company.parts.roll_ups.catch_up()


def hourly(
    company: Company, days: int, nano: int, *, application: str = "copilot", until: datetime = NOON
) -> list[Cost]:
    """The same each hour, up to the one before `until`."""
    scope = company.scope(application)
    return [
        Cost(until - hour * HOUR, nano, scope.department, scope.application, scope.user, scope.key)
        for hour in range(1, days * 24 + 1)
    ]


def spike(
    company: Company, nano: int, at: datetime = NOON, user: str = "ana@acme.example", model: str = "chat"
) -> Cost:
    scope = company.scope("copilot", user)
    return Cost(at, nano, scope.department, scope.application, scope.user, scope.key, model)


async def told(company: Company, kind: str = "CostAnomalyDetected") -> list[dict[str, Any]]:
    found = await rows(
        company.parts, "SELECT body FROM events WHERE type = $1 AND tenant_id = $2 ORDER BY seq", kind, company.tenant
    )
    return [json.loads(row["body"])["data"] for row in found]
