"""One tenant with two of everything, and calls of theirs in the ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock
from enfilade.core.scope import Scope
from enfilade.costs.billing.types import Issuer, Profile, Tax
from enfilade.costs.holds.budgets import BudgetSpec
from enfilade.costs.holds.limits import LimitSpec
from enfilade.costs.holds.types import BudgetRule, LimitRule
from enfilade.identity.scopes import key_scope
from enfilade.identity.types import ApplicationSpec, KeySpec, UserSpec
from enfilade.storage.address import Address
from tests.support.parts import NOON, call_event, make_tenant, new_ids, open_parts, unit_in


@pytest.fixture
async def parts(database: Address) -> AsyncIterator[Parts]:
    """A process's parts with a clock that stands still; the writer is running."""
    async with open_parts(database, ManualClock()) as opened:
        yield opened


@dataclass
class Company:
    """A tenant's subjects by name, e.g. `application:copilot`, and ways to spend for them."""

    parts: Parts
    tenant: str
    ids: dict[str, str] = field(default_factory=dict)

    def scope(self, application: str = "copilot", user: str | None = "ana@acme.example") -> Scope:
        """Who calls, in the name of an application's key."""
        return key_scope(
            self.tenant,
            self.ids[f"key:{application}-key"],
            department=self.ids["department:sales" if application == "copilot" else "department:labs"],
            application=self.ids[f"application:{application}"],
            user=self.ids[f"user:{user}"] if user else None,
        )

    async def spend(self, nano: int, at: datetime = NOON, application: str = "copilot", **changes: Any) -> str:
        """A settled call."""
        (identifier,) = new_ids(1, at)
        scope = self.scope(application, changes.pop("user", "ana@acme.example"))
        subjects: dict[str, Any] = {
            "department": scope.department,
            "application": scope.application,
            "user": scope.user,
            "key": scope.key,
        }
        body = call_event(self.tenant, identifier, at, cost_nano=nano, **(subjects | changes))
        await self.parts.writer.settle(identifier, body)
        return identifier

    async def budget(self, scope: str, window: str = "month", usd: str = "1", **more: Any) -> BudgetRule:
        """A budget that is in force."""
        async with unit_in(self.parts, self.tenant) as unit:
            rule, _ = await self.parts.budgets.put(unit, BudgetSpec(scope, window, usd, **more))
        await self.parts.directory.refresh()
        return next(
            current
            for current in self.parts.meter_book.rules(self.tenant)
            if isinstance(current, BudgetRule) and current.id == rule.id
        )

    async def limit(self, spec: LimitSpec) -> LimitRule:
        """A limit that is in force."""
        async with unit_in(self.parts, self.tenant) as unit:
            rule, _ = await self.parts.limits.put(unit, spec)
        await self.parts.directory.refresh()
        return rule

    async def spent(self, rule: BudgetRule) -> dict[str, int]:
        """What the budget's meters say, by subject."""
        meters = await self.parts.costs.budget_meters(rule)
        return {meter.subject: meter.spent for meter in meters}


async def make_company(parts: Parts, name: str = "acme", **tenant: Any) -> Company:
    """The tenant with its departments, applications, users and keys."""
    company = Company(parts, (await make_tenant(parts, name, **tenant)).id)
    identity = parts.identity
    async with unit_in(parts, company.tenant) as unit:
        for application, department in (("copilot", "sales"), ("review", "labs")):
            made, _ = await identity.departments.put(unit, department)
            company.ids[f"department:{department}"] = made.id
            program, _ = await identity.applications.put(unit, ApplicationSpec(application, department))
            company.ids[f"application:{application}"] = program.id
            issued = await identity.keys.issue(unit, KeySpec(f"{application}-key", application=application))
            company.ids[f"key:{application}-key"] = issued.key.id
        for person in ("ana", "ben"):
            user, _ = await identity.users.put(unit, UserSpec(f"{person}@acme.example", "sales"))
            company.ids[f"user:{person}@acme.example"] = user.id
    await parts.directory.refresh()
    return company


@pytest.fixture
async def company(parts: Parts) -> Company:
    """One tenant with two of everything."""
    return await make_company(parts)


@pytest.fixture
async def billed(company: Company) -> Company:
    """The company, with all that an invoice needs."""
    async with unit_in(company.parts) as unit:
        await company.parts.billing.profiles.put_issuer(unit, Issuer("Enfilade Operations", ("Main Street 1",)))
        await unit.act_in(company.tenant)
        profile = Profile("Acme", ("Side Street 2",), taxes=(Tax("VAT", "20"),))
        await company.parts.billing.profiles.put_profile(unit, profile)
    return company
