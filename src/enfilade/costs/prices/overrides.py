"""Use cases of the prices that administrators set for a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from enfilade.core.clock import Clock, to_datetime, to_ns, to_rfc3339
from enfilade.costs.errors import InvalidRule, OverlappingPrices
from enfilade.costs.prices import store
from enfilade.costs.prices.source import Override
from enfilade.costs.prices.tariffs import Tariff, as_text, price_fields
from enfilade.costs.prices.timeline import conflict, in_force
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork


class SetPrice(msgspec.Struct, frozen=True):
    """One version of a model's own price, with who set it and why."""

    id: int
    override: Override
    reason: str | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A price to set from a moment on, or from now on; None ends the one that holds."""

    tariff: Tariff | None
    effective: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    cuts: bool = False
    """Whether it may shorten the price before it, although an end was declared for that."""


class Overrides:
    """Versions are only ever added, and none reaches back: the past keeps its price."""

    def __init__(self, clock: Clock) -> None:
        """Take now from `clock`."""
        self._clock = clock

    async def history(self, unit: UnitOfWork, model: str) -> list[SetPrice]:
        """All versions for a model, oldest first."""
        return [_set_price_of(row) for row in await unit.fetch(store.LIST_OVERRIDES_OF_MODEL, model)]

    async def current(self, unit: UnitOfWork, model: str) -> Override | None:
        """The version that is in force, if it is a price."""
        version = in_force(await self._versions(unit, model), self._clock.now_ns()).version
        return version if version is not None and version.says else None

    async def put(self, unit: UnitOfWork, model: str, change: Change) -> Outcome:
        """Set, or end, a model's price.

        Raises InvalidRule for a price that would reach back, OverlappingPrices for one that cuts another's span.
        """
        tariff, effective, until = change.tariff, change.effective, change.until
        now_ns = self._clock.now_ns()
        from_ns = to_ns(effective) if effective is not None else now_ns
        to = None if until is None else to_ns(until)
        new = Override(from_ns, tariff, to)
        check_span(new.from_ns, new.to_ns, now_ns)
        versions = await self._versions(unit, model)
        if _is_there(versions, new, exact=effective is not None):
            return Outcome.UNCHANGED
        cut = conflict(versions, new, cuts=change.cuts)
        if cut is not None:
            message = f"The price of {model} {span(new)} overlaps the one {span(cut)}."
            raise OverlappingPrices(message, param="effective_from")
        text = None if tariff is None else msgspec.json.encode(tariff).decode()
        moment, end = to_datetime(from_ns), None if to is None else to_datetime(to)
        await unit.execute(store.INSERT_OVERRIDE, model, moment, end, text, change.reason, unit.scope.actor)
        unit.record(
            "PriceChanged",
            model=model,
            effective_from=moment.isoformat(),
            effective_to=None if end is None else end.isoformat(),
            price=None if tariff is None else as_text(price_fields(tariff)),
            reason=change.reason,
        )
        unit.changed()
        return Outcome.CHANGED

    async def _versions(self, unit: UnitOfWork, model: str) -> Sequence[Override]:
        return [entry.override for entry in await self.history(unit, model)]


def override_of(row: Mapping[str, Any]) -> Override:
    """A model's own price from its row."""
    text, to = row["price"], row["effective_to"]
    tariff = None if text is None else msgspec.json.decode(text, type=Tariff)
    return Override(to_ns(row["effective_from"]), tariff, None if to is None else to_ns(to))


def _set_price_of(row: Mapping[str, Any]) -> SetPrice:
    return SetPrice(row["id"], override_of(row), row["reason"], row["created_by"], row["created_at"])


def _is_there(versions: Sequence[Override], new: Override, *, exact: bool) -> bool:
    """Whether a version says the same: from the same moment, or, of a price from now on, at all."""
    present = in_force(versions, new.from_ns).version
    if exact and (present is None or present.from_ns != new.from_ns):
        return False
    return (present.tariff if present else None) == new.tariff and (present.to_ns if present else None) == new.to_ns


def span(version: Override) -> str:
    """`from 2026-11-01T00:00:00Z until …`, for messages."""
    until = "" if version.to_ns is None else f" until {to_rfc3339(version.to_ns)}"
    return f"from {to_rfc3339(version.from_ns)}{until}"


def check_span(from_ns: int, to: int | None, now_ns: int) -> None:
    """Raise InvalidRule for what would reach back, or ends before it begins."""
    if from_ns < now_ns:
        message = "A price cannot be set for the past: what was charged stays charged."
        raise InvalidRule(message, param="effective_from")
    if to is not None and to <= from_ns:
        message = "A price ends after it began."
        raise InvalidRule(message, param="effective_to")
