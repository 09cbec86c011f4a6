"""Applying a document: everything in one transaction, or nothing. A plan is an application that is taken back."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from pydantic import ValidationError

from enfilade.configuration import document as doc
from enfilade.configuration import specs
from enfilade.configuration.access import content_of, use_case_spec
from enfilade.configuration.anomalies import anomaly_rules_of
from enfilade.configuration.approvals import rule_of
from enfilade.configuration.billing import issuer_of, profile_of
from enfilade.configuration.cells import cell_spec
from enfilade.configuration.closed import ClosedTenants
from enfilade.configuration.errors import InvalidDocument
from enfilade.configuration.faults import message_of, path_of
from enfilade.configuration.issuers import client_secret_of, issuer_spec
from enfilade.configuration.limit_parts import Budget, Limit
from enfilade.configuration.people import account_rules_of, group_spec, managers_first, user_spec
from enfilade.configuration.people_parts import User as UserPart
from enfilade.configuration.price_parts import Discount, Markup
from enfilade.configuration.prices import adjustment_name, put_adjustment, put_prices, put_rate
from enfilade.configuration.pruning import Pruner
from enfilade.configuration.role_parts import RoleAssignment
from enfilade.configuration.roles import assignment_name, assignment_spec, role_spec, security_settings
from enfilade.configuration.rooms import Rooms
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Scope
from enfilade.identity.types import IssuedKey, Outcome
from enfilade.storage.unit_of_work import TakenBack, UnitOfWork


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan."""

    action: str
    """`create`, `change` or `remove`."""
    kind: str
    name: str
    tenant: str | None = None

    def __str__(self) -> str:
        """The line, for people."""
        where = f"{self.tenant}/" if self.tenant else ""
        return f"{self.action} {self.kind} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key whose secret was made, and can be seen this once."""

    tenant: str | None
    name: str
    secret: str = field(repr=False)
    application: str | None = None
    roles: tuple[str, ...] = ()


@dataclass(slots=True)
class Application:
    """What applying a document did, or would do."""

    changes: list[Change] = field(default_factory=list)
    keys: list[NewKey] = field(default_factory=list)
    revision: int | None = None
    closed: ClosedTenants = field(default_factory=ClosedTenants, repr=False)


PLATFORM = "platform"
"""Whose the platform's own people are, in a plan."""
ACTIONS = {Outcome.CREATED: "create", Outcome.CHANGED: "change"}


def read_document(content: Any) -> doc.Document:
    """The document in decoded YAML or JSON. Raises InvalidDocument, naming the first fault's place."""
    try:
        return doc.Document.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = path_of(first["loc"])
        others = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        message = f"{path or 'the document'}: {message_of(first, doc.Document, first['loc'])}{others}"
        raise InvalidDocument(message, path) from None


class ConfigurationService:
    """The use cases of the document."""

    def __init__(self, rooms: Rooms) -> None:
        """Apply to these rooms."""
        self._rooms = rooms

    async def plan(self, scope: Scope, document: doc.Document, *, prune: bool = False) -> Application:
        """What `apply` would do. Raises what it would raise."""
        result = Application()
        try:
            async with self._rooms.storage.unit_of_work(scope) as unit:
                unit.rehearses = True
                await self._apply(unit, document, result, prune=prune)
                unit.take_back()
        except TakenBack:
            result.keys.clear()
            return result

    async def apply(self, scope: Scope, document: doc.Document, *, prune: bool = False) -> Application:
        """Make the platform as the document says.

        With `prune`, what it no longer names is removed. Raises InvalidDocument with the place of the fault; nothing
        was changed then.
        """
        result = Application()
        async with self._rooms.storage.unit_of_work(scope) as unit:
            await self._apply(unit, document, result, prune=prune)
            if result.changes:
                unit.record("ConfigurationApplied", changes=len(result.changes), pruned=prune)
        result.revision = unit.revision
        return result

    async def _apply(self, unit: UnitOfWork, document: doc.Document, result: Application, *, prune: bool) -> None:
        await self._catalogue(unit, document, result)
        if document.issuer is not None:
            with _at("issuer"):
                outcome = await self._rooms.billing.put_issuer(unit, issuer_of(document.issuer))
            _note(result, outcome, "issuer", document.issuer.name)
        if document.accounts is not None:
            with _at("accounts"):
                outcome = await self._rooms.account_rules.put(unit, account_rules_of(document.accounts))
            _note(result, outcome, "account rules", "platform")
        for position, part in enumerate(document.issuers):
            with _at(f"issuers[{position}]"):
                _, outcome = await self._rooms.issuers.put(unit, issuer_spec(part), client_secret_of(part))
            _note(result, outcome, "issuer", part.name, PLATFORM)
        await self._keys(unit, document.keys, "keys", None, result)
        declared = frozenset(model.name for model in document.models)
        for position, tenant in enumerate(document.tenants):
            await self._tenant(unit, tenant, f"tenants[{position}]", result, declared)
        await self._prices(unit, document, result)
        await unit.act_in(PLATFORM_ID)
        if prune:
            pruner = Pruner(self._rooms, unit)
            removed = await pruner.prune(document)
            result.changes += [Change("remove", kind, name, tenant) for kind, name, tenant in removed]
        touched = {(change.kind, change.tenant) for change in result.changes}
        for position, tenant in enumerate(document.tenants):
            with _at(f"tenants[{position}]"):
                await result.closed.check(unit, tenant.name, touched)
        await unit.act_in(PLATFORM_ID)
        await self._check_references(unit, document)
        await unit.act_in(PLATFORM_ID)

    async def _catalogue(self, unit: UnitOfWork, document: doc.Document, result: Application) -> None:
        rooms = self._rooms
        await unit.act_in(PLATFORM_ID)
        for position, cell in enumerate(document.cells):
            with _at(f"cells[{position}]"):
                _, outcome = await rooms.identity.cells.put(unit, cell_spec(cell))
            _note(result, outcome, "cell", cell.name)
        if document.cells:
            await rooms.identity.cells.open(unit)
        for position, provider in enumerate(document.providers):
            with _at(f"providers[{position}]"):
                spec, secrets = specs.provider_spec(provider)
                _, outcome = await rooms.providers.put(unit, spec, secrets)
            _note(result, outcome, "provider", provider.name)
        for position, model in enumerate(document.models):
            with _at(f"models[{position}]"):
                _, outcome = await rooms.catalogue.put_model(unit, specs.model_spec(model))
                priced = await put_prices(rooms.prices.overrides, rooms.prices.clock, unit, model)
            if outcome is Outcome.UNCHANGED and priced is Outcome.CHANGED:
                _note(result, priced, "price", model.name)
            _note(result, outcome, "model", model.name)
        for position, alias in enumerate(document.aliases):
            with _at(f"aliases[{position}]"):
                _, outcome = await rooms.catalogue.put_alias(unit, specs.alias_spec(alias))
            _note(result, outcome, "alias", alias.name)

    async def _tenant(
        self, unit: UnitOfWork, part: doc.Tenant, path: str, result: Application, declared: frozenset[str]
    ) -> None:
        identity = self._rooms.identity
        await unit.act_in(PLATFORM_ID)
        with _at(path):
            tenant, outcome = await identity.tenants.put(unit, specs.tenant_spec(part))
        _note(result, outcome, "tenant", part.name)
        await unit.act_in(tenant.id)
        await result.closed.note(unit, part.name)

        async def each(
            kind: str,
            parts: Iterable[Any],
            put: Callable[[Any], Awaitable[tuple[Any, Outcome]]],
            order: Callable[[Any], Iterable[tuple[int, Any]]] = enumerate,
        ) -> None:
            for position, entry in order(parts):
                with _at(f"{path}.{kind}s[{position}]"):
                    _, done = await put(entry)
                _note(result, done, kind, _name_of(entry), part.name)

        await each("department", part.departments, lambda d: identity.departments.put(unit, d.name))
        await each("role", part.roles, lambda role: identity.roles.put(unit, role_spec(role)))
        await each("user", part.users, lambda u: identity.users.put(unit, user_spec(u)), managers_first)
        await each("group", part.groups, lambda group: identity.groups.put(unit, group_spec(group)))
        await each("issuer", part.issuers, lambda i: self._rooms.issuers.put(unit, issuer_spec(i), client_secret_of(i)))
        await each("use_case", part.use_cases, lambda u: self._rooms.use_cases.put(unit, use_case_spec(u)))
        await each("application", part.applications, lambda a: self._application(unit, a))
        await each(
            "role_assignment", part.role_assignments, lambda r: identity.assignments.put(unit, assignment_spec(r))
        )
        await each("approval_rule", part.approval_rules, lambda r: self._rooms.approval_rules.put(unit, rule_of(r)))
        await self._keys(unit, part.keys, f"{path}.keys", part.name, result)
        await each("limit", part.limits, lambda entry: self._rooms.limits.put(unit, specs.limit_spec(entry)))
        await each("budget", part.budgets, lambda entry: self._rooms.budgets.put(unit, specs.budget_spec(entry)))
        await self._rules(unit, part, path, result, declared)

    async def _rules(
        self, unit: UnitOfWork, part: doc.Tenant, path: str, result: Application, declared: frozenset[str]
    ) -> None:
        """What a tenant has one of."""
        identity = self._rooms.identity
        if part.billing is not None:
            with _at(f"{path}.billing"):
                outcome = await self._rooms.billing.put_profile(unit, profile_of(part.billing))
            _note(result, outcome, "billing profile", part.billing.name, part.name)
        if part.accounts is not None:
            with _at(f"{path}.accounts"):
                outcome = await self._rooms.account_rules.put(unit, account_rules_of(part.accounts))
            _note(result, outcome, "account rules", part.name, part.name)
        if part.anomalies is not None:
            with _at(f"{path}.anomalies"):
                outcome = await self._rooms.anomalies.put(unit, anomaly_rules_of(part.anomalies))
            _note(result, outcome, "anomaly rules", part.name, part.name)

        if part.security is not None:
            # Last: from then on the platform's people may be shut out.
            with _at(f"{path}.security"):
                _, outcome = await identity.security.put(unit, security_settings(part.security))
            _note(result, outcome, "security settings", part.name, part.name)
        if part.access is not None:
            with _at(f"{path}.access"):
                _, outcome = await self._rooms.policies.put(
                    unit, content_of(part.access), "applied with a document", declared
                )
            _note(result, outcome, "access", part.name, part.name)

    async def _application(self, unit: UnitOfWork, part: doc.Application) -> tuple[Any, Outcome]:
        for name in part.use_cases:
            await self._rooms.use_cases.get(unit, name)
        return await self._rooms.identity.applications.put(unit, specs.application_spec(part))

    async def _prices(self, unit: UnitOfWork, document: doc.Document, result: Application) -> None:
        """What all prices go through: discounts, markups, exchange rates."""
        prices, tenants = self._rooms.prices, self._rooms.identity.tenants
        await unit.act_in(PLATFORM_ID)
        parts: list[tuple[str, str, str | None, Discount | Markup]] = [
            (f"discounts[{position}]", "discount", discount.tenant, discount)
            for position, discount in enumerate(document.discounts)
        ]
        parts += [
            (f"tenants[{index}].markups[{position}]", "markup", tenant.name, markup)
            for index, tenant in enumerate(document.tenants)
            for position, markup in enumerate(tenant.markups)
        ]
        for path, kind, name, part in parts:
            with _at(path):
                tenant_id = None if name is None else (await tenants.get(unit, name)).id
                outcome = await put_adjustment(prices.agreements, prices.clock, unit, tenant_id, part)
            _note(result, outcome, kind, adjustment_name(part), name)
        for position, rate in enumerate(document.currencies):
            with _at(f"currencies[{position}]"):
                outcome = await put_rate(prices.currencies, unit, rate)
            _note(result, outcome, "exchange rate", rate.currency)

    async def _keys(
        self, unit: UnitOfWork, parts: list[doc.Key], path: str, tenant: str | None, result: Application
    ) -> None:
        for position, part in enumerate(parts):
            with _at(f"{path}[{position}]"):
                secret = _given_secret(part)
                issued, outcome = await self._rooms.identity.keys.put(unit, specs.key_spec(part), secret)
            _note(result, outcome, "key", part.name, tenant)
            _note_key(result, issued, tenant)

    async def _check_references(self, unit: UnitOfWork, document: doc.Document) -> None:
        """Fallbacks and aliases lead somewhere, in the state as it would be."""
        names = {record.spec.name for record in await self._rooms.catalogue.page_models(unit, None, 10_000)}
        names |= {record.spec.name for record in await self._rooms.catalogue.page_aliases(unit, None, 10_000)}

        def require(name: str, path: str) -> None:
            if name not in names and not any(fnmatchcase(name, known) for known in names if known.endswith("*")):
                message = f"{path}: there is no model {name!r}"
                raise InvalidDocument(message, path)

        for position, model in enumerate(document.models):
            for index, fallback in enumerate(model.fallbacks):
                require(fallback, f"models[{position}].fallbacks[{index}]")
        for position, alias in enumerate(document.aliases):
            if alias.model is not None:
                require(alias.model, f"aliases[{position}].model")
            for index, rule in enumerate(alias.rules):
                require(rule.use, f"aliases[{position}].rules[{index}].use")


def _note(result: Application, outcome: Outcome, kind: str, name: str, tenant: str | None = None) -> None:
    if outcome is not Outcome.UNCHANGED:
        result.changes.append(Change(ACTIONS[outcome], kind, name, tenant))


def _note_key(result: Application, issued: IssuedKey, tenant: str | None) -> None:
    if issued.secret is not None:
        spec = issued.key.spec
        result.keys.append(NewKey(tenant, spec.name, issued.secret, spec.application, spec.roles))


def _given_secret(part: doc.Key) -> str | None:
    secret = part.secret
    if secret is None:
        return None
    if secret.value is None:
        message = "the secret of a key is read where the document is: send it as {value: …}"
        raise InvalidDocument(message, "secret")
    return secret.value


def _name_of(part: Any) -> str:
    if isinstance(part, Limit):
        spec = specs.limit_spec(part)
        return f"{part.scope} {spec.measure}" + (f" per {part.per}" if part.per else "")
    if isinstance(part, RoleAssignment):
        return assignment_name(part)
    if isinstance(part, Budget):
        return f"{part.scope} per {part.window}"
    name: str = part.email if isinstance(part, UserPart) else part.name
    return name


@contextmanager
def _at(path: str) -> Iterator[None]:
    """Say where in the document an error of a room arose."""
    try:
        yield
    except InvalidDocument as error:
        raise InvalidDocument(f"{path}: {error.message}", f"{path}.{error.path}" if error.path else path) from None
    except EnfiladeError as error:
        if error.status >= 500:
            raise
        place = f"{path}.{error.param}" if error.param else path
        raise InvalidDocument(f"{place}: {error.message}", place, {"cause": error.code}) from error
