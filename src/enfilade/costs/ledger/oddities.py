"""Alerts of what is odd about settlements: no price, or more spent than was held."""

from enfilade.core.clock import NANOSECONDS
from enfilade.core.events import Event
from enfilade.core.money import format_usd
from enfilade.core.scope import Scope
from enfilade.costs.holds.events import ACTOR
from enfilade.costs.ledger.postings import OVERRUN, UNPRICED

HOUR_NS = 3600 * NANOSECONDS
MAX_TOLD = 10_000
TYPES = {UNPRICED: "UnpricedSettlement", OVERRUN: "OverrunSettlement"}


class Oddities:
    """Tells of each kind once an hour for a tenant's model: every call that has it carries the flag all the same."""

    def __init__(self) -> None:
        """Start without having told anything."""
        self._told: dict[tuple[str, str, str], int] = {}

    def events(
        self, scope: Scope, call_id: str, model: str, flags: tuple[str, ...], overrun_nano: int, now_ns: int
    ) -> list[Event]:
        """The alerts that a settlement with these flags raises."""
        found = []
        hour = now_ns // HOUR_NS
        for flag in flags:
            kind = TYPES.get(flag)
            key = (scope.tenant, model, flag)
            if kind is None or self._told.get(key) == hour:
                continue
            if len(self._told) >= MAX_TOLD:
                self._told.clear()
            self._told[key] = hour
            data: dict[str, object] = {"call": call_id, "model": model}
            if flag == OVERRUN:
                data["overrun_usd"] = format_usd(overrun_nano)
            found.append(Event(kind, scope.tenant, now_ns, ACTOR, data))
        return found
