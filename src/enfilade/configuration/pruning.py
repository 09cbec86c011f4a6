"""Removing what a document no longer names."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from enfilade.configuration import document as doc
from enfilade.configuration.limit_parts import Limit
from enfilade.configuration.listing import everything
from enfilade.configuration.roles import assignment_name
from enfilade.configuration.rooms import Rooms
from enfilade.configuration.specs import limit_spec
from enfilade.configuration.subjects import scope_text, subject_names
from enfilade.core.ids import PLATFORM_ID
from enfilade.costs.holds.types import BudgetRule, LimitRule
from enfilade.identity.types import LOCAL
from enfilade.storage.unit_of_work import UnitOfWork

Removed = tuple[str, str, str | None]
Page = Callable[[UnitOfWork, str | None, int, str | None], Awaitable[list[Any]]]
Test = Callable[[Any], bool]
Remove = Callable[[UnitOfWork, Any], Awaitable[None]]
CataloguePage = Callable[[UnitOfWork, str | None, int], Awaitable[list[Any]]]
RemoveByName = Callable[[UnitOfWork, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _TenantPruner:
    """Removes, of one kind of thing in one tenant, what is not wanted."""

    unit: UnitOfWork
    identifier: str
    name: str
    removed: list[Removed]

    async def __call__(
        self, kind: str, page: Page, is_wanted: Test, remove: Remove, name: Callable[[Any], str]
    ) -> None:
        for entry in await everything(lambda after, count: page(self.unit, after, count, self.identifier)):
            if not is_wanted(entry):
                await remove(self.unit, entry)
                self.removed.append((kind, name(entry), self.name))


class Pruner:
    """Works in one unit of work, in the order in which nothing refers to what is removed."""

    def __init__(self, rooms: Rooms, unit: UnitOfWork) -> None:
        """Remove from these rooms."""
        self._rooms = rooms
        self._unit = unit
        self._removed: list[Removed] = []

    async def prune(self, document: doc.Document) -> list[Removed]:
        """Remove everything that the document does not name; what makes and keeps the platform's own keys stays."""
        wanted = {tenant.name: tenant for tenant in document.tenants}
        unit, identity = self._unit, self._rooms.identity
        for tenant in await everything(lambda a, n: identity.tenants.page(unit, a, n)):
            if tenant.id == PLATFORM_ID:
                continue
            await unit.act_in(tenant.id)
            if tenant.name in wanted:
                await self._tenant(tenant.id, wanted[tenant.name])
            else:
                await identity.tenants.remove(unit, tenant.name)
                self._removed.append(("tenant", tenant.name, None))
        await unit.act_in(PLATFORM_ID)
        if document.issuer is None and await self._rooms.billing.remove_issuer(unit):
            self._removed.append(("issuer", "issuer", None))
        await self._issuers({issuer.name for issuer in document.issuers})
        if document.accounts is None and await self._rooms.account_rules.remove(unit):
            self._removed.append(("account rules", "platform", None))
        await self._catalogue(document)
        await self._cells({cell.name for cell in document.cells})
        await self._adjustments(document)
        return self._removed

    async def _tenant(self, identifier: str, part: doc.Tenant) -> None:
        prune = _TenantPruner(self._unit, identifier, part.name, self._removed)
        await self._settings(part)
        await self._access(identifier, part)
        await self._rules(prune, part)
        await self._who_may(prune, part)
        await self._people(prune, part)

    async def _settings(self, part: doc.Tenant) -> None:
        unit, rooms = self._unit, self._rooms
        if part.billing is None and await rooms.billing.remove_profile(unit):
            self._removed.append(("billing profile", part.name, part.name))
        if part.accounts is None and await rooms.account_rules.remove(unit):
            self._removed.append(("account rules", part.name, part.name))
        if part.anomalies is None and await rooms.anomalies.remove(unit):
            self._removed.append(("anomaly rules", part.name, part.name))

    async def _rules(self, prune: "_TenantPruner", part: doc.Tenant) -> None:
        rooms = self._rooms
        names = await subject_names(rooms, self._unit, prune.identifier)
        limits = {_limit_key_of(limit) for limit in part.limits}
        budgets = {(_normal(budget.scope), budget.model, budget.window) for budget in part.budgets}
        await prune(
            "limit",
            rooms.limits.page,
            lambda rule: _limit_key(rule, names) in limits,
            lambda unit, rule: rooms.limits.remove(unit, rule.id),
            lambda rule: f"{scope_text(rule.subject, names)} {rule.measure.value}",
        )
        await prune(
            "budget",
            rooms.budgets.page,
            lambda rule: _budget_key(rule, names) in budgets,
            lambda unit, rule: rooms.budgets.remove(unit, rule.id),
            lambda rule: f"{scope_text(rule.subject, names)} per {rule.period}",
        )

    async def _who_may(self, prune: "_TenantPruner", part: doc.Tenant) -> None:
        rooms, identity = self._rooms, self._rooms.identity
        issuers = {issuer.name for issuer in part.issuers}
        keys = {key.name for key in part.keys}
        assignments = {assignment_name(assignment) for assignment in part.role_assignments}
        await prune(
            "issuer",
            rooms.issuers.page,
            lambda issuer: issuer.name in issuers,
            lambda unit, issuer: rooms.issuers.remove(unit, issuer.id),
            lambda issuer: issuer.name,
        )
        await prune(
            "role assignment",
            identity.assignments.page,
            lambda assignment: assignment_name(assignment) in assignments or assignment.source != LOCAL,
            lambda unit, assignment: identity.assignments.remove(unit, assignment.id),
            assignment_name,
        )
        await prune(
            "key",
            identity.keys.page,
            lambda key: key.spec.name in keys,
            lambda unit, key: identity.keys.revoke(unit, key.id),
            lambda key: key.spec.name,
        )

    async def _people(self, prune: "_TenantPruner", part: doc.Tenant) -> None:
        identity = self._rooms.identity
        applications = {application.name for application in part.applications}
        groups, users = {group.name for group in part.groups}, {user.email.lower() for user in part.users}
        roles, departments = {role.name for role in part.roles}, {department.name for department in part.departments}
        await prune(
            "application",
            identity.applications.page,
            lambda application: application.spec.name in applications,
            lambda unit, application: identity.applications.remove(unit, application.id),
            lambda application: application.spec.name,
        )
        # Whom a directory provisions, or an issuer introduced, no document has to name.
        await prune(
            "group",
            identity.groups.page,
            lambda group: group.spec.name in groups or group.origin.source != LOCAL,
            lambda unit, group: identity.groups.remove(unit, group.id),
            lambda group: group.spec.name,
        )
        await prune(
            "user",
            identity.users.page,
            lambda user: user.spec.email in users or user.origin.source != LOCAL,
            lambda unit, user: identity.users.remove(unit, user.id),
            lambda user: user.spec.email,
        )
        await prune(
            "role",
            identity.roles.page,
            lambda role: role.spec.name in roles,
            lambda unit, role: identity.roles.remove(unit, role.spec.name),
            lambda role: role.spec.name,
        )
        await prune(
            "department",
            identity.departments.page,
            lambda department: department.name in departments,
            lambda unit, department: identity.departments.remove(unit, department.id),
            lambda department: department.name,
        )

    async def _issuers(self, wanted: set[str]) -> None:
        """The platform's own people keep their keys, whoever vouched for them."""
        issuers = self._rooms.issuers
        for issuer in await everything(lambda a, n: issuers.page(self._unit, a, n, PLATFORM_ID)):
            if issuer.name not in wanted:
                await issuers.remove(self._unit, issuer.id)
                self._removed.append(("issuer", issuer.name, "platform"))

    async def _cells(self, wanted: set[str]) -> None:
        for host in await everything(lambda after, count: self._rooms.identity.cells.page(self._unit, after, count)):
            if host.spec.name not in wanted:
                await self._rooms.identity.cells.remove(self._unit, host.spec.name)
                self._removed.append(("cell", host.spec.name, None))

    async def _access(self, identifier: str, part: doc.Tenant) -> None:
        unit, rooms = self._unit, self._rooms
        if part.access is None and await rooms.policies.remove(unit):
            self._removed.append(("access", part.name, part.name))
        wanted = {use_case.name for use_case in part.use_cases}
        for use_case in await everything(lambda a, n: rooms.use_cases.page(unit, a, n, identifier)):
            if use_case.spec.name not in wanted:
                await rooms.use_cases.remove(unit, use_case.id)
                self._removed.append(("use case", use_case.spec.name, part.name))
        rules = {rule.name for rule in part.approval_rules}
        for record in await everything(lambda a, n: rooms.approval_rules.page(unit, a, n, identifier)):
            if record.rule.name not in rules:
                await rooms.approval_rules.remove(unit, record.id)
                self._removed.append(("approval rule", record.rule.name, part.name))

    async def _catalogue(self, document: doc.Document) -> None:
        unit, catalogue, providers = self._unit, self._rooms.catalogue, self._rooms.providers

        async def remove_provider(unit: UnitOfWork, name: str) -> None:
            await catalogue.require_unused(unit, name)
            await providers.remove(unit, name)

        kinds: tuple[tuple[str, CataloguePage, set[str], RemoveByName], ...] = (
            ("alias", catalogue.page_aliases, {alias.name for alias in document.aliases}, catalogue.remove_alias),
            ("model", catalogue.page_models, {model.name for model in document.models}, catalogue.remove_model),
            ("provider", providers.page, {provider.name for provider in document.providers}, remove_provider),
        )
        for kind, page, wanted, remove in kinds:
            for record in await everything(partial(page, unit)):
                if record.spec.name not in wanted:
                    await remove(unit, record.spec.name)
                    self._removed.append((kind, record.spec.name, None))

    async def _adjustments(self, document: doc.Document) -> None:
        unit, agreements = self._unit, self._rooms.prices.agreements
        named = {("discount", part.tenant, part.provider, part.model) for part in document.discounts}
        named |= {
            ("markup", tenant.name, part.provider, part.model) for tenant in document.tenants for part in tenant.markups
        }
        for entry in await agreements.in_force(unit):
            part = entry.adjustment
            if (part.kind, entry.tenant_name, part.provider, part.model) not in named:
                await agreements.end(unit, part)
                self._removed.append((part.kind, f"{part.provider}/{part.model}", entry.tenant_name))


def _normal(scope: str) -> str:
    """Addresses are stored in lower case."""
    return scope.lower() if scope.startswith("user:") else scope


LimitKey = tuple[str, str | None, str, str | None]


def _limit_key_of(part: Limit) -> LimitKey:
    return _normal(part.scope), part.model, limit_spec(part).measure, part.per


def _limit_key(rule: LimitRule, names: dict[tuple[str, str], str]) -> LimitKey:
    return scope_text(rule.subject, names), rule.model, rule.measure.value, rule.per


def _budget_key(rule: BudgetRule, names: dict[tuple[str, str], str]) -> tuple[str, str | None, str]:
    return scope_text(rule.subject, names), rule.model, rule.period
