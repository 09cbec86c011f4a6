"""Questions about access that no call asks: why a decision is what it is, and what a draft would have decided."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from enfilade.access import past
from enfilade.access.compiled import Compiled
from enfilade.access.content import EMPTY, Content
from enfilade.access.decisions import TenantAccess
from enfilade.access.errors import InvalidAccess
from enfilade.access.explain import Explanation, explain
from enfilade.access.seats import Place
from enfilade.access.service import Access, Approvals, NoApprovals
from enfilade.access.table import PolicyTable
from enfilade.access.types import ActionName, Caller, Circumstances, Decision, Resource, ResourceKind
from enfilade.access.what_if import MOST_COMBINATIONS, PastUse, WhatIf, replay
from enfilade.core.clock import Clock, to_datetime, to_ns
from enfilade.gateway.catalogue import Catalogue
from enfilade.gateway.errors import ModelNotFound
from enfilade.gateway.gate import place_of, resource_of
from enfilade.gateway.resolve import matches
from enfilade.gateway.types import Hints
from enfilade.identity.principals import Principals
from enfilade.identity.service import Identity
from enfilade.identity.types import Tenant, User
from enfilade.storage.unit_of_work import UnitOfWork


class Asked(msgspec.Struct, frozen=True):
    """Who wants what, by name."""

    user: str | None = None
    application: str | None = None
    key: str | None = None
    model: str = ""
    use_case: str | None = None
    data_class: str | None = None
    address: str | None = None
    at_ns: int | None = None


class Inquiry:
    """Answers such questions for administrators."""

    def __init__(
        self, access: Access, identity: Identity, principals: Principals, catalogue: Catalogue, clock: Clock
    ) -> None:
        """Ask `access` about what the other rooms know."""
        self._access = access
        self._identity = identity
        self._principals = principals
        self._catalogue = catalogue
        self._clock = clock

    def guard(self, tenant: Tenant) -> TenantAccess:
        """What decides for a tenant, also where nothing does."""
        found = self._access.guard(tenant.id)
        return found or TenantAccess(tenant.id, EMPTY, PolicyTable(()), {}, tenant.spec.time_zone)

    def draft(self, tenant: Tenant, content: Content, compiled: Compiled) -> TenantAccess:
        """What would decide for it."""
        table = PolicyTable(compiled.policies)
        return TenantAccess(tenant.id, content, table, self.guard(tenant).use_cases, tenant.spec.time_zone)

    async def explain(self, unit: UnitOfWork, tenant: Tenant, asked: Asked) -> list[Explanation]:
        """Why the caller may or may not call the model: an explanation for each of its deployments.

        Raises ModelNotFound, InvalidAccess, and what is raised for a subject that does not exist.
        """
        entry = self._catalogue.resolve(asked.model, 0, Hints(use_case=asked.use_case))
        if entry is None or not entry.targets:
            message = f"There is no model {asked.model!r}, or none of its deployments is usable."
            raise ModelNotFound(message, param="model")
        caller = await self.caller(unit, asked)
        guard = self.guard(tenant)
        seat = guard.find_seat(caller) or guard.seat(caller, caller)
        now_ns = self._clock.now_ns() if asked.at_ns is None else asked.at_ns
        approvals = self._approvals(tenant.id, caller, entry.name, asked.use_case, now_ns)
        context = Circumstances(
            asked.use_case, asked.data_class, asked.address, now_ns, approvals, approved=bool(approvals)
        )
        return [explain(guard, seat, ActionName.CALL, place_of(guard, target), context) for target in entry.targets]

    async def is_model_allowed(self, unit: UnitOfWork, tenant: Tenant, asked: Asked) -> bool:
        """Whether the tenant's and the application's `allowed_models` have the model, or what its name stands for."""
        caller = await self.caller(unit, asked)
        entry = self._catalogue.resolve(asked.model, 0, Hints(use_case=asked.use_case))
        names = {asked.model} | ({entry.name} if entry is not None else set())
        patterns = [tenant.spec.allowed_models]
        if caller.application is not None:
            patterns.append((await self._identity.applications.get(unit, caller.application)).spec.allowed_models)
        return any(all(matches(allowed, name) for allowed in patterns) for name in names)

    def ask(self, tenant: Tenant, caller: Caller, action: str, resource: Resource, given: Circumstances) -> Decision:
        """The decision about a question from outside, with the approvals that there are."""
        guard = self.guard(tenant)
        model = resource.model or resource.name
        approvals = self._approvals(tenant.id, caller, model, given.use_case, given.now_ns)
        data_class = guard.data_class(given)
        approvals |= self._access.approvals.of_data_class(tenant.id, given.use_case, data_class, given.now_ns)
        context = msgspec.structs.replace(given, approvals=approvals, approved=bool(approvals))
        seat = guard.find_seat(caller) or guard.seat(caller, caller)
        return guard.decide(seat, action, self.place(guard, resource), context)

    def resources(self, model: str) -> list[Resource]:
        """The deployments of a model; none for a model that there is not."""
        entry = self._catalogue.resolve(model, 0, Hints())
        return [] if entry is None else [resource_of(target) for target in entry.targets]

    def place(self, guard: TenantAccess, resource: Resource) -> Place:
        """A resource as policies see it."""
        return guard.find_place(resource) or guard.place(resource, resource)

    def _approvals(self, tenant: str, caller: Caller, model: str, use_case: str | None, now_ns: int) -> frozenset[str]:
        return self._access.approvals.active(tenant, caller.user_id, caller.application_id, model, use_case, now_ns)

    async def caller(self, unit: UnitOfWork, asked: Asked) -> Caller:
        """Who is meant. Raises InvalidAccess where nobody is, and what is raised for who does not exist."""
        identity = self._identity
        if asked.user is None and asked.application is None and asked.key is None:
            message = "Say who asks: a user, an application or a key."
            raise InvalidAccess(message, param="user")
        key = None if asked.key is None else await identity.keys.get(unit, asked.key)
        application_name = asked.application or (key.spec.application if key is not None else None)
        email = asked.user or (key.spec.user if key is not None else None)
        application = None if application_name is None else await identity.applications.get(unit, application_name)
        user = None if email is None else await identity.users.get(unit, email)
        roles = frozenset(key.spec.roles) if key is not None else frozenset()
        department = application.spec.department if application is not None else None
        if user is not None:
            department = department or user.spec.department
            if application is None:
                roles |= self._roles(unit.tenant, user)
        return Caller(
            user=None if user is None else user.spec.email,
            application=None if application is None else application.spec.name,
            key=None if key is None else key.spec.name,
            department=department,
            roles=roles,
            attributes=_attributes(user),
            user_id=None if user is None else user.id,
            application_id=None if application is None else application.id,
            key_id=None if key is None else key.id,
        )

    def _roles(self, tenant: str, user: User) -> frozenset[str]:
        rights = self._principals.rights(tenant, user.id)
        return frozenset(user.spec.roles) | (rights.roles if rights is not None else frozenset())

    async def what_if(
        self, unit: UnitOfWork, tenant: Tenant, content: Content, compiled: Compiled, days: int
    ) -> WhatIf:
        """Replay the calls of the last days against a draft that was checked, with the approvals of their time."""
        draft = await asyncio.to_thread(self.draft, tenant, content, compiled)
        since = to_datetime(self._clock.now_ns()) - timedelta(days=days)
        approvals: Approvals = NoApprovals()
        if draft.needs_approvals:
            approvals = await self._access.approvals.past(unit, since)
        rows = await past.calls(
            unit, tenant.id, since, MOST_COMBINATIONS + 1, past.piece_of_time(draft.times), approvals.turns(tenant.id)
        )
        uses = await self._past_uses(unit, tenant, draft, approvals, rows[:MOST_COMBINATIONS])
        is_complete = len(rows) <= MOST_COMBINATIONS
        return await asyncio.to_thread(replay, draft, uses, is_complete=is_complete)

    async def _past_uses(
        self, unit: UnitOfWork, tenant: Tenant, draft: TenantAccess, approvals: Approvals, rows: Sequence[Any]
    ) -> list[PastUse]:
        names = {
            kind: await self._identity.names(unit, kind, {str(i) for row in rows if (i := row[f"{kind}_id"])})
            for kind in ("application", "user", "key", "department")
        }
        key_roles = {
            name: frozenset(key.spec.roles)
            for name in names["key"]
            if (key := await self._identity.keys.find(unit, name)) is not None
        }
        uses = []
        for row in rows:
            ids = {kind: None if row[f"{kind}_id"] is None else str(row[f"{kind}_id"]) for kind in names}
            person = None if ids["user"] is None else self._principals.person(tenant.id, ids["user"])
            roles = key_roles.get(ids["key"] or "", frozenset())
            if person is not None and ids["application"] is None:
                roles |= self._roles(tenant.id, person)
            caller = Caller(
                user=names["user"].get(ids["user"] or ""),
                application=names["application"].get(ids["application"] or ""),
                key=names["key"].get(ids["key"] or ""),
                department=names["department"].get(ids["department"] or ""),
                roles=roles,
                attributes=_attributes(person),
                user_id=ids["user"],
                application_id=ids["application"],
                key_id=ids["key"],
            )
            now_ns = to_ns(row["latest"])
            use_case, data_class = row["use_case"], draft.data_class(Circumstances(row["use_case"]))
            held = approvals.active(
                tenant.id, caller.user_id, caller.application_id, row["model"], use_case, now_ns
            ) | approvals.of_data_class(tenant.id, use_case, data_class, now_ns)
            uses.append(
                PastUse(
                    caller=caller,
                    action=ActionName.CALL,
                    resources=tuple(self._resources_of(row["model"], row["deployment"])),
                    use_case=use_case,
                    now_ns=now_ns,
                    approvals=held,
                    calls=row["calls"],
                    denied=row["denied"],
                    latest=row["latest"],
                )
            )
        return uses

    def _resources_of(self, model: str | None, deployment: str | None) -> Iterable[Resource]:
        """The deployment that answered, as it is now; what was removed since is known by its names alone."""
        known = self.resources(model or "")
        if deployment is None:
            return known
        found = [resource for resource in known if resource.name == deployment]
        provider = deployment.partition("/")[0]
        return found or [Resource(ResourceKind.DEPLOYMENT, deployment, model, provider)]


def _attributes(user: User | None) -> tuple[tuple[str, Any], ...]:
    attributes = user.spec.attributes if user is not None else {}
    return tuple(
        (word, tuple(value) if isinstance(value, list) else value) for word, value in sorted(attributes.items())
    )
