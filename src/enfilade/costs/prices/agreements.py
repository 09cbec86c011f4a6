"""Use cases of discounts that providers grant us and markups that tenants pay."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from enfilade.core.clock import Clock, to_datetime, to_ns
from enfilade.costs.errors import InvalidRule
from enfilade.costs.prices import store
from enfilade.costs.prices.adjustments import MILLIONTHS, Adjustment, Kind, format_percent
from enfilade.costs.prices.timeline import check_new, in_force, is_there
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

PERCENT = 10_000
"""Millionths in one per cent: hence four decimals."""
BASIS_POINT = 100
MOST_MARKUP = 8 * MILLIONTHS
"""Eight times the price on top: no dearer token or search is beyond what a ledger line holds exactly."""


@dataclass(frozen=True, slots=True)
class AdjustmentSpec:
    """A discount or markup to declare; without millionths, to end."""

    kind: Kind
    tenant: str | None
    """The tenant's id; None for all of them."""
    provider: str = "*"
    model: str = "*"
    millionths: int | None = None
    effective: datetime | None = None
    until: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """One version of an adjustment, with who declared it and whose tenant it names."""

    adjustment: Adjustment
    tenant_name: str | None
    created_by: str
    created_at: datetime


class Agreements:
    """Versions are only ever added, and none reaches back."""

    def __init__(self, clock: Clock) -> None:
        """Take now from `clock`."""
        self._clock = clock

    async def versions(self, unit: UnitOfWork) -> list[Agreement]:
        """Everything that was ever declared, by its beginning."""
        return [
            Agreement(adjustment_of(row), row["tenant_name"], row["created_by"], row["created_at"])
            for row in await unit.fetch(store.LIST_ADJUSTMENTS)
        ]

    async def in_force(self, unit: UnitOfWork) -> list[Agreement]:
        """What holds now, or is declared for later."""
        now_ns = self._clock.now_ns()
        by_subject: dict[object, list[Agreement]] = {}
        for entry in await self.versions(unit):
            by_subject.setdefault(entry.adjustment.subject, []).append(entry)
        found = []
        for entries in by_subject.values():
            current = in_force([entry.adjustment for entry in entries], now_ns).version
            later = {entry.adjustment.from_ns: entry for entry in entries if entry.adjustment.from_ns > now_ns}
            found += [
                entry
                for entry in entries
                if entry.adjustment.millionths is not None
                and (entry.adjustment is current or later.get(entry.adjustment.from_ns) is entry)
            ]
        return found

    async def put(self, unit: UnitOfWork, spec: AdjustmentSpec, *, cuts: bool = False) -> Outcome:
        """Declare or end an adjustment from `effective` or from now on.

        Raises InvalidRule for one that would reach back, OverlappingPrices for one that cuts another's span.
        """
        if spec.kind == "markup" and spec.tenant is None:
            message = "a markup is a tenant's; say which one"
            raise InvalidRule(message, param="tenant")
        now_ns = self._clock.now_ns()
        new = Adjustment(
            id=0,
            kind=spec.kind,
            tenant=spec.tenant,
            provider=spec.provider,
            model=spec.model,
            millionths=spec.millionths,
            from_ns=now_ns if spec.effective is None else to_ns(spec.effective),
            to_ns=None if spec.until is None else to_ns(spec.until),
            reason=spec.reason,
        )
        known = [entry.adjustment for entry in await self.versions(unit)]
        versions = [version for version in known if version.subject == new.subject]
        if is_there(versions, new, exact=spec.effective is not None):
            return Outcome.UNCHANGED
        check_new(versions, new, now_ns, f"The {spec.kind} for {spec.provider}/{spec.model}", cuts=cuts)
        moment, end = to_datetime(new.from_ns), None if new.to_ns is None else to_datetime(new.to_ns)
        subject = spec.kind, spec.tenant, spec.provider, spec.model
        number = await unit.fetch_value(
            store.INSERT_ADJUSTMENT, *subject, spec.millionths, moment, end, spec.reason, unit.scope.actor
        )
        unit.record(
            "PriceAdjusted",
            id=number,
            kind=spec.kind,
            for_tenant=spec.tenant,
            provider=spec.provider,
            model=spec.model,
            percent=None if spec.millionths is None else format_percent(spec.millionths),
            effective_from=moment.isoformat(),
            effective_to=None if end is None else end.isoformat(),
            reason=spec.reason,
        )
        unit.changed()
        return Outcome.CHANGED if versions else Outcome.CREATED

    async def end(self, unit: UnitOfWork, adjustment: Adjustment) -> None:
        """End a version now; one that was declared for later never begins."""
        effective = to_datetime(adjustment.from_ns) if adjustment.from_ns > self._clock.now_ns() else None
        kind, tenant, provider, model = adjustment.subject
        await self.put(unit, AdjustmentSpec(kind, tenant, provider, model, effective=effective), cuts=True)


def adjustment_of(row: Mapping[str, Any]) -> Adjustment:
    """An adjustment from its row."""
    to = row["effective_to"]
    return Adjustment(
        id=row["id"],
        kind=row["kind"],
        tenant=row["tenant"],
        provider=row["provider"],
        model=row["model"],
        millionths=row["millionths"],
        from_ns=to_ns(row["effective_from"]),
        to_ns=None if to is None else to_ns(to),
        reason=row["reason"],
    )


def millionths_of(kind: Kind, share: str | int | float | Decimal) -> int:
    """A share such as `5`, `+12.25%` or `250bp` as millionths that are added to a rate.

    Of a discount `5` takes five per cent off; of a markup it adds them, and `-5` takes them off. Raises InvalidRule.
    """
    text = str(share).strip()
    unit = BASIS_POINT if text.endswith("bp") else PERCENT
    try:
        millionths = Decimal(text.removesuffix("bp").removesuffix("%").strip()) * unit
    except InvalidOperation:
        millionths = Decimal("NaN")
    least, most = (0, MILLIONTHS) if kind == "discount" else (-MILLIONTHS, MOST_MARKUP)
    if not millionths.is_finite() or not least <= millionths <= most:
        message = f"a {kind} is between {least // PERCENT} and {most // PERCENT} per cent, not {share!r}"
        raise InvalidRule(message, param="percent")
    if millionths != millionths.to_integral_value():
        message = f"{share!r} has more than four decimals of a per cent"
        raise InvalidRule(message, param="percent")
    return -int(millionths) if kind == "discount" else int(millionths)


def percent_of(adjustment: Adjustment) -> str:
    """The share as it is declared, in per cent."""
    millionths = adjustment.millionths or 0
    return format_percent(-millionths if adjustment.kind == "discount" else millionths).lstrip("+")
