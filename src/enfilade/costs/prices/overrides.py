"""Use cases of the prices that administrators set for a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from enfilade.core.clock import Clock, to_datetime, to_ns
from enfilade.costs.prices import store
from enfilade.costs.prices.source import Override
from enfilade.costs.prices.tariffs import Tariff, as_text, price_fields
from enfilade.costs.prices.timeline import check_new, in_force, is_there
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
        return version if version is not None and version.content is not None else None

    async def put(self, unit: UnitOfWork, model: str, change: Change) -> Outcome:
        """Set, or end, a model's price.

        Raises InvalidRule for a price that would reach back, OverlappingPrices for one that cuts another's span.
        """
        tariff, effective, until = change.tariff, change.effective, change.until
        now_ns = self._clock.now_ns()
        from_ns = to_ns(effective) if effective is not None else now_ns
        to = None if until is None else to_ns(until)
        new = Override(from_ns, tariff, to)
        versions = await self._versions(unit, model)
        if is_there(versions, new, exact=effective is not None):
            return Outcome.UNCHANGED
        check_new(versions, new, now_ns, f"The price of {model}", cuts=change.cuts)
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
