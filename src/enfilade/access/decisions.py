"""One tenant's decisions: asked of the policies once, remembered by everything that they may depend on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import cedarpy
import msgspec

from enfilade.access.content import Content
from enfilade.access.schema import CONTEXT, TIMES
from enfilade.access.seats import Place, Seat, plain_address, times_of
from enfilade.access.table import PolicyTable
from enfilade.access.types import APPROVAL, RANK, Caller, Circumstances, Decision, Resource
from enfilade.access.use_cases import UseCase
from enfilade.core.clock import NANOSECONDS, to_datetime

MAX_ANSWERS = 20_000
MAX_SEATS = 20_000
MAX_PLACES = 5_000
MAX_PARSED = 1_000


class TenantAccess:
    """Everything that decides for one tenant. It is replaced when anything of it changes, and its answers with it."""

    def __init__(
        self,
        tenant: str,
        content: Content,
        table: PolicyTable,
        use_cases: dict[str, UseCase],
        time_zone: str,
    ) -> None:
        """Decide by these."""
        self.tenant = tenant
        self.content = content
        self.table = table
        self.use_cases = use_cases
        self.has_policies = bool(table.policies)
        self._zone = ZoneInfo(time_zone)
        self.times = [name for name in TIMES if name in self.table.mentions]
        self._moment: tuple[Any, ...] = ()
        self._moment_from = self._moment_until = 0
        self.needs_address = "network" in self.table.mentions
        self.needs_approvals = not self.table.mentions.isdisjoint({"approved", "approvals"})
        self._seats: dict[Any, Seat] = {}
        self._places: dict[Any, Place] = {}
        self._parsed: dict[tuple[int, int], cedarpy.Entities] = {}
        self._answers: dict[Any, Decision] = {}
        self.helped: dict[Any, tuple[str, ...]] = {}
        """Which models would do instead, for those who were refused."""
        self._number = 0

    def with_table(self, table: PolicyTable) -> "TenantAccess":
        """The same with other policies. Also without any, there is the default."""
        other = TenantAccess(self.tenant, self.content, table, self.use_cases, self._zone.key)
        other.has_policies = self.has_policies
        return other

    # What callers and resources are to the engine; made once.

    def seat(self, key: object, caller: Caller) -> Seat:
        """The caller's; `key` says who it is with as little as possible."""
        if len(self._seats) >= MAX_SEATS:
            self._seats.clear()
        self._number += 1
        seat = self._seats[key] = Seat(caller, self._number, self.content.attributes)
        return seat

    def find_seat(self, key: object) -> Seat | None:
        """The one that was made before."""
        return self._seats.get(key)

    def place(self, key: object, resource: Resource) -> Place:
        """The resource's."""
        if len(self._places) >= MAX_PLACES:
            self._places.clear()
        self._number += 1
        place = self._places[key] = Place(resource, self._number)
        return place

    def find_place(self, key: object) -> Place | None:
        """The one that was made before."""
        return self._places.get(key)

    # Deciding.

    def decide(self, seat: Seat, action: str, place: Place, context: Circumstances) -> Decision:
        """Whether this caller may do this to that, remembered."""
        # What no policy looks at is no part of the question: most calls differ only in such things.
        moment = self.moment(context.now_ns) if self.times else ()
        key = (
            seat.number,
            action,
            place.number,
            context.use_case,
            context.data_class,
            moment,
            context.address if self.needs_address else None,
            context.approvals if self.needs_approvals else None,
        )
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
                self.helped.clear()
            found = self._answers[key] = self.ask(seat, action, place, context)
        return found

    def ask(self, seat: Seat, action: str, place: Place, context: Circumstances) -> Decision:
        """The same, without remembering."""
        use_case = self.use_cases.get(context.use_case) if context.use_case is not None else None
        if use_case is not None and (refused := _by_register(use_case, seat.caller)) is not None:
            return refused
        if not self.has_policies:
            return Decision(allowed=True, reason="no_policies")
        decision = self._evaluate(seat, action, place, context, use_case, approved=context.approved)
        if decision.allowed or context.approved or not self.needs_approvals:
            return decision
        with_one = self._evaluate(seat, action, place, context, use_case, approved=True)
        if with_one.allowed:
            return Decision(allowed=False, policies=with_one.policies, missing=(APPROVAL,), reason=decision.reason)
        return decision

    def data_class(self, context: Circumstances) -> str:
        """The class of the data: as it is given, or else the use case's highest, or else the tenant's default."""
        if context.data_class is not None:
            return context.data_class
        use_case = self.use_cases.get(context.use_case) if context.use_case is not None else None
        if use_case is not None and use_case.spec.data_classes:
            return max(use_case.spec.data_classes, key=lambda name: RANK[name])
        return self.content.default_data_class

    def moment(self, now_ns: int) -> tuple[Any, ...]:
        """Those parts of the local time that a policy looks at; worked out again when the next minute begins."""
        if not self._moment_from <= now_ns < self._moment_until:
            local = self._local(now_ns)
            begins = local.replace(second=0, microsecond=0)
            self._moment_from = int(begins.timestamp()) * NANOSECONDS
            self._moment_until = int((begins + timedelta(minutes=1)).timestamp()) * NANOSECONDS
            if not self._moment_from <= now_ns < self._moment_until:
                # Where clocks are put back, wall time does not tell; the next minute of universal time does.
                minute = 60 * NANOSECONDS
                self._moment_from = now_ns - now_ns % minute
                self._moment_until = self._moment_from + minute
            self._moment = tuple(times_of(local, self.times).values())
        return self._moment

    def _local(self, now_ns: int) -> datetime:
        return to_datetime(now_ns).astimezone(self._zone)

    def _evaluate(
        self,
        seat: Seat,
        action: str,
        place: Place,
        context: Circumstances,
        use_case: UseCase | None,
        *,
        approved: bool,
    ) -> Decision:
        try:
            found = self.table.slice(seat.belongs, action, place.belongs, context.use_case or "")
            if found is None:
                return self._silent()
            request = {
                "principal": seat.uid,
                "action": {"type": "Action", "id": action},
                "resource": place.uid,
                "context": self._context(found.mentions, context, use_case, approved=approved),
            }
            result = cedarpy.is_authorized(request, found.policies, self._entities(seat, place))
        except (ValueError, TypeError):
            return Decision(allowed=False, reason="error")
        diagnostics = result.diagnostics
        if diagnostics.errors:
            # The engine leaves out a policy that fails; a prohibition that fails must not be one less.
            failed = [name for at, name in enumerate(found.names) if _tells(diagnostics.errors, at)]
            return Decision(allowed=False, policies=tuple(failed), reason="error")
        names = tuple(sorted([found.names[int(reason[6:])] for reason in diagnostics.reasons]))
        if result.allowed:
            return Decision(allowed=True, policies=names, reason="permitted")
        return Decision(allowed=False, policies=names, reason="forbidden") if names else self._silent()

    def _entities(self, seat: Seat, place: Place) -> cedarpy.Entities:
        """Both, parsed: taking them as text costs the engine as much as the decision does."""
        key = (seat.number, place.number)
        found = self._parsed.get(key)
        if found is None:
            if len(self._parsed) >= MAX_PARSED:
                self._parsed.clear()
            found = self._parsed[key] = cedarpy.Entities.from_json_str(f"[{seat.entity},{place.entity}]")
        return found

    def _silent(self) -> Decision:
        allowed = self.content.default == "allow"
        return Decision(allowed=allowed, reason="default" if allowed else "no_permit")

    def _context(
        self, mentions: frozenset[str], context: Circumstances, use_case: UseCase | None, *, approved: bool
    ) -> str:
        """Only what these policies look at: whatever is handed over costs the engine as much as evaluating does."""
        fields: dict[str, Any] = {}
        if "use_case" in mentions:
            fields["use_case"] = context.use_case or ""
        if "risk_tier" in mentions:
            fields["risk_tier"] = use_case.spec.risk_tier if use_case is not None else ""
        if "data_class_rank" in mentions or "data_class" in mentions:
            data_class = self.data_class(context)
            fields["data_class"], fields["data_class_rank"] = data_class, RANK[data_class]
        if self.times and not mentions.isdisjoint(TIMES):
            fields |= times_of(self._local(context.now_ns), mentions)
        if "network" in mentions:
            fields["network"] = {"__extn": {"fn": "ip", "arg": plain_address(context.address)}}
        if "approvals" in mentions:
            fields["approvals"] = sorted(context.approvals)
        if "approved" in mentions:
            fields["approved"] = approved
        return msgspec.json.encode(fields).decode()


def _by_register(use_case: UseCase, caller: Caller) -> Decision | None:
    """What the register says by itself, before any policy."""
    name = f"use_case/{use_case.spec.name}"
    if use_case.spec.risk_tier == "prohibited":
        return Decision(allowed=False, policies=(name,), reason="prohibited")
    if use_case.spec.departments and caller.department not in use_case.spec.departments:
        return Decision(allowed=False, policies=(name,), reason="department")
    return None


def _tells(errors: Sequence[str], position: int) -> bool:
    return any(f"`policy{position}`" in error for error in errors)


assert set(TIMES) <= set(CONTEXT), "times are circumstances"
