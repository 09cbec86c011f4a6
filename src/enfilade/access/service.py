"""The room's face for the line: what each tenant allows, in memory, and the answers to its questions."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import msgspec
import structlog

from enfilade.access import store
from enfilade.access.compiled import FORM, Compiled, compile_content
from enfilade.access.content import EMPTY, Content
from enfilade.access.decisions import TenantAccess
from enfilade.access.table import PolicyTable
from enfilade.access.types import NO_POLICIES, Decision, Question
from enfilade.access.use_cases import UseCase, use_case_of
from enfilade.identity.directory import Install
from enfilade.storage.unit_of_work import UnitOfWork

MUCH_TEXT = 100_000
"""More of policies than this is read beside the event loop."""
FEW_KINDS = 10
"""As is what is asked with more kinds of questions than these."""

log = structlog.get_logger("enfilade.access")


@dataclass(frozen=True, slots=True)
class _Published:
    """A tenant's version that is in force."""

    version: int
    content: Content
    table: PolicyTable


class Approvals(Protocol):
    """Who has an approval now."""

    def active(
        self,
        tenant: str,
        user: str | None,
        application: str | None,
        model: str | None,
        use_case: str | None,
        now_ns: int,
    ) -> frozenset[str]:
        """The ids of the active approvals that fit; users and applications are ids."""
        ...

    def of_data_class(self, tenant: str, use_case: str | None, data_class: str, now_ns: int) -> frozenset[str]:
        """The ids of the active approvals of this class of data, or a higher one, for the use case."""
        ...

    def turns(self, tenant: str) -> Sequence[int]:
        """The moments at which an approval begins or ends, in order."""
        ...

    async def past(self, unit: UnitOfWork, since: datetime) -> "Approvals":
        """The approvals of the current tenant that stood at some time since then."""
        ...


class NoApprovals:
    """Nobody has one."""

    def active(
        self,
        tenant: str,
        user: str | None,
        application: str | None,
        model: str | None,
        use_case: str | None,
        now_ns: int,
    ) -> frozenset[str]:
        """See `Approvals`."""
        del tenant, user, application, model, use_case, now_ns
        return frozenset()

    def of_data_class(self, tenant: str, use_case: str | None, data_class: str, now_ns: int) -> frozenset[str]:
        """See `Approvals`."""
        del tenant, use_case, data_class, now_ns
        return frozenset()

    def turns(self, tenant: str) -> Sequence[int]:
        """See `Approvals`."""
        del tenant
        return ()

    async def past(self, unit: UnitOfWork, since: datetime) -> "Approvals":
        """See `Approvals`."""
        del unit, since
        return self


class Access:
    """A section of the directory. Most tenants have no policies; for them there is nothing here at all."""

    def __init__(self, approvals: Approvals | None = None) -> None:
        """Ask `approvals` who has one."""
        self.approvals: Approvals = approvals or NoApprovals()
        self._tenants: dict[str, TenantAccess] = {}
        self._published: dict[str, _Published] = {}

    def guard(self, tenant: str) -> TenantAccess | None:
        """What decides for a tenant; None where everything is allowed that `allowed_models` allows."""
        return self._tenants.get(tenant)

    def decide(self, question: Question) -> Decision:
        """The answer to a question, remembered."""
        guard = self._tenants.get(question.tenant)
        if guard is None:
            return NO_POLICIES
        caller, resource = question.caller, question.resource
        seat = guard.find_seat(caller) or guard.seat(caller, caller)
        place = guard.find_place(resource) or guard.place(resource, resource)
        return guard.decide(seat, question.action, place, question.context)

    def late_reviews(self, today: date) -> dict[str, frozenset[tuple[str, str | None]]]:
        """The use cases whose review is late, by tenant: each with the day that has passed."""
        late = {
            tenant: frozenset((u.id, u.spec.review_date) for u in guard.use_cases.values() if u.is_overdue(today))
            for tenant, guard in self._tenants.items()
        }
        return {tenant: found for tenant, found in late.items() if found}

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """See `Section.load`."""
        wanted = None if tenants is None else list(tenants)
        published = await unit.fetch(store.LOAD_PUBLISHED, wanted)
        register: dict[str, dict[str, UseCase]] = {}
        for row in await unit.fetch(store.LOAD_USE_CASES, wanted):
            register.setdefault(str(row["tenant_id"]), {})[row["name"]] = use_case_of(row)
        concerned = {str(row["tenant_id"]) for row in published} | register.keys()
        zones = {str(row["id"]): row["time_zone"] for row in await unit.fetch(store.TIME_ZONES, list(concerned))}
        if self._is_much(published):
            policies = await asyncio.to_thread(self._read, published)
        else:
            policies = self._read(published)
        loaded = {
            tenant: TenantAccess(
                tenant,
                policies[tenant].content if tenant in policies else EMPTY,
                policies[tenant].table if tenant in policies else PolicyTable(()),
                register.get(tenant, {}),
                zones.get(tenant, "UTC"),
            )
            for tenant in concerned
        }
        return lambda: self._install(loaded, policies, tenants)

    def _is_much(self, rows: Sequence[Any]) -> bool:
        changed = [row for row in rows if (known := self._known(row)) is None or known.version != row["version"]]
        kinds = sum(known.table.kinds for row in changed if (known := self._known(row)) is not None)
        return kinds > FEW_KINDS or sum(len(row["content"]) for row in changed) > MUCH_TEXT

    def _known(self, row: Any) -> _Published | None:
        return self._published.get(str(row["tenant_id"]))

    def _read(self, rows: Sequence[Any]) -> dict[str, _Published]:
        """What is in force. What did not change stays as it is: it holds parsed policies."""
        found: dict[str, _Published] = {}
        for row in rows:
            known = self._known(row)
            if known is None or known.version != row["version"]:
                content = msgspec.json.decode(row["content"], type=Content)
                table = PolicyTable(_compiled(row, content).policies)
                # What is asked now will be asked again.
                table.prepare(() if known is None else known.table.asked())
                known = _Published(row["version"], content, table)
            found[str(row["tenant_id"])] = known
        return found

    def _install(
        self,
        loaded: dict[str, TenantAccess],
        published: dict[str, _Published],
        tenants: Collection[str] | None,
    ) -> None:
        if tenants is None:
            self._tenants, self._published = loaded, published
            return
        for tenant in tenants:
            self._tenants.pop(tenant, None)
            self._published.pop(tenant, None)
        self._tenants.update(loaded)
        self._published.update(published)


def _compiled(row: Any, content: Content) -> Compiled:
    if row["compiled"] is not None:
        compiled = msgspec.json.decode(row["compiled"], type=Compiled)
        if compiled.form == FORM:
            return compiled
    log.info("access_compiled_anew", tenant=str(row["tenant_id"]), version=row["version"])
    return compile_content(content)
