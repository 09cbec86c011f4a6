"""The room's face for the line: what each tenant allows, in memory, and the answers to its questions."""

from collections.abc import Collection
from datetime import date
from typing import Protocol

import msgspec
import structlog

from enfilade.access import store
from enfilade.access.compiled import FORM, Compiled, PolicyTable, compile_content
from enfilade.access.content import EMPTY, Content
from enfilade.access.decisions import TenantAccess
from enfilade.access.types import NO_POLICIES, Decision, Question
from enfilade.access.use_cases import UseCase, use_case_of
from enfilade.identity.directory import Install
from enfilade.storage.unit_of_work import UnitOfWork

log = structlog.get_logger("enfilade.access")


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


class Access:
    """A section of the directory. Most tenants have no policies; for them there is nothing here at all."""

    def __init__(self, approvals: Approvals | None = None) -> None:
        """Ask `approvals` who has one."""
        self.approvals: Approvals = approvals or NoApprovals()
        self._tenants: dict[str, TenantAccess] = {}
        self._tables: dict[str, tuple[int, PolicyTable]] = {}

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
        tables: dict[str, tuple[int, PolicyTable]] = {}
        contents: dict[str, Content] = {}
        for row in await unit.fetch(store.LOAD_PUBLISHED, wanted):
            tenant = str(row["tenant_id"])
            contents[tenant] = msgspec.json.decode(row["content"], type=Content)
            known = self._tables.get(tenant)
            # A table holds parsed policies; what did not change is not parsed again.
            kept = known if known is not None and known[0] == row["version"] else None
            tables[tenant] = kept or (row["version"], PolicyTable(_compiled(row, contents[tenant]).policies))
        register: dict[str, dict[str, UseCase]] = {}
        for row in await unit.fetch(store.LOAD_USE_CASES, wanted):
            register.setdefault(str(row["tenant_id"]), {})[row["name"]] = use_case_of(row)
        concerned = list(contents.keys() | register.keys())
        zones = {str(row["id"]): row["time_zone"] for row in await unit.fetch(store.TIME_ZONES, concerned)}
        loaded = {
            tenant: TenantAccess(
                tenant,
                contents.get(tenant, EMPTY),
                tables[tenant][1] if tenant in tables else PolicyTable(()),
                register.get(tenant, {}),
                zones.get(tenant, "UTC"),
            )
            for tenant in concerned
        }
        return lambda: self._install(loaded, tables, tenants)

    def _install(
        self,
        loaded: dict[str, TenantAccess],
        tables: dict[str, tuple[int, PolicyTable]],
        tenants: Collection[str] | None,
    ) -> None:
        if tenants is None:
            self._tenants, self._tables = loaded, tables
            return
        for tenant in tenants:
            self._tenants.pop(tenant, None)
            self._tables.pop(tenant, None)
        self._tenants.update(loaded)
        self._tables.update(tables)


def _compiled(row: "object", content: Content) -> Compiled:
    fields = dict(row)  # type: ignore[call-overload]
    if fields["compiled"] is not None:
        compiled = msgspec.json.decode(fields["compiled"], type=Compiled)
        if compiled.form == FORM:
            return compiled
    log.info("access_compiled_anew", tenant=str(fields["tenant_id"]), version=fields["version"])
    return compile_content(content)
