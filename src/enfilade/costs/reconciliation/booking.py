"""Books differences: corrections of the ledger, divided exactly among those whose calls they concern."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.core.money import format_usd
from enfilade.costs.errors import NotBookable
from enfilade.costs.ledger.corrections import Correction, post_correction
from enfilade.costs.reconciliation import store
from enfilade.costs.reconciliation.allotment import allot
from enfilade.costs.reconciliation.causes import CAUSES, ROUNDING
from enfilade.costs.reconciliation.matching import Group, LedgerNames
from enfilade.costs.reconciliation.records import Record, Report, midnight
from enfilade.costs.reconciliation.service import Reconciliations, names_of
from enfilade.storage.rounds import ask_cells
from enfilade.storage.unit_of_work import UnitOfWork

MAX_CORRECTIONS = 20_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingOrder:
    """What is to be booked."""

    reason: str
    causes: Collection[str] | None = None
    """None: all but rounding, where the difference is beyond the tolerance."""
    bill: bool = False
    """Whether the tenants are charged, too; otherwise only what the provider costs us is put right."""
    tenant: str | None = None
    """Whose are the differences that no call of ours stands behind; None leaves them."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Those of a group's entries that one application, user, key and so on stands behind."""

    tenant: str
    call_id: str
    started_at: datetime
    line: int
    nano: int
    tokens: int
    amount_nano: int


@dataclass(slots=True)
class Booked:
    """What was booked."""

    provider_nano: int = 0
    amount_nano: int = 0
    corrections: int = 0
    differences: int = 0
    tenants: dict[str, int] = field(default_factory=dict)
    """The provider's nano-dollars by tenant."""
    left: list[tuple[Group, str, int]] = field(default_factory=list)
    """Differences that nobody's calls stand behind."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One difference with its corrections."""

    group: Group
    cause: str
    nano: int
    corrections: list[tuple[str, Correction]]


class Bookings:
    """Books what reconciliations found."""

    def __init__(self, reconciliations: Reconciliations, ids: IdFactory, clock: Clock) -> None:
        """Work on these."""
        self._reconciliations = reconciliations
        self._ids = ids
        self._clock = clock

    async def book(self, unit: UnitOfWork, identifier: str, order: BookingOrder) -> Booked:
        """Book what is open of a reconciliation; what was booked before is not booked again.

        The unit is the platform's. Raises UnknownReconciliation, NotBookable, InvalidCorrection, and DatabaseUnavailable
        while a cell cannot be asked: its tenants' part would be booked to the others.
        """
        await unit.execute(store.LOCK_BOOKINGS)
        report = await self._reconciliations.report(unit, identifier, whole=True)
        self._check(report.record)
        owners = await self._owners(unit, report)
        booked = Booked()
        parts = []
        for group, cause, nano in _open(report, order):
            made = self._corrections(report.record, group, cause, nano, owners.get(_place(group), []), order)
            if made:
                parts.append(_Part(group, cause, nano, made))
            else:
                booked.left.append((group, cause, nano))
        if sum(len(part.corrections) for part in parts) > MAX_CORRECTIONS:
            message = f"This would be more than {MAX_CORRECTIONS} corrections; book one cause at a time."
            raise NotBookable(message)
        every = [pair for part in parts for pair in part.corrections]
        _count(booked, len(parts), every)
        # The platform's own rows and facts first: tenants are locked after it, here as elsewhere.
        await self._note(unit, report.record, parts, booked, order)
        for tenant, correction in sorted(every, key=lambda pair: pair[0]):
            await unit.act_in(tenant)
            await post_correction(unit, correction, self._clock)
        return booked

    def _check(self, record: Record) -> None:
        if record.superseded_by is not None:
            message = f"A newer export of the period took its place: {record.superseded_by}."
            raise NotBookable(message)
        if record.total_nano is None:
            message = "The export counts and does not price: what it comes to is our own valuation. Import the cost report, too."
            raise NotBookable(message)

    async def _owners(self, unit: UnitOfWork, report: Report) -> dict[tuple[date, str, str], list[Owner]]:
        record = report.record
        places: dict[tuple[date, LedgerNames], tuple[date, str, str]] = {
            (group.day, names): _place(group) for group in report.groups for names in group.names
        }
        found: dict[tuple[date, str, str], list[Owner]] = {}
        values = (*record.span, record.providers, record.source)
        cells = await ask_cells(unit, None, lambda: unit.fetch(store.OWNERS, *values), whole=True)
        for row in sorted((row for rows in cells for row in rows), key=_in_order):
            # What came in between the two statements waits for the next booking.
            if (place := places.get((row["day"], names_of(row)))) is not None:
                found.setdefault(place, []).append(_owner(row))
        return found

    def _corrections(
        self, record: Record, group: Group, cause: str, nano: int, owners: list[Owner], order: BookingOrder
    ) -> list[tuple[str, Correction]]:
        reason = f"{cause}: {order.reason}"
        if not owners:
            if order.tenant is None:
                return []
            start = midnight(group.day)
            correction = Correction(
                call_id=self._ids.new_id(),
                started_ns=_nanoseconds(start),
                reason=reason,
                source=record.source,
                amount_nano=nano if order.bill else 0,
                provider_nano=nano,
                dimensions={
                    "model": group.model,
                    "provider": group.provider,
                    "deployment": f"{group.provider}/{group.model}",
                },
            )
            return [(order.tenant, correction)]
        made = []
        for owner, part in zip(owners, allot(nano, _weights(owners)), strict=True):
            amount = billed(part, owner) if order.bill else 0
            if part or amount:
                correction = Correction(
                    call_id=owner.call_id,
                    started_ns=_nanoseconds(owner.started_at),
                    reason=reason,
                    source=record.source,
                    corrects=owner.line,
                    amount_nano=amount,
                    provider_nano=part,
                )
                made.append((owner.tenant, correction))
        return made

    async def _note(
        self, unit: UnitOfWork, record: Record, parts: Iterable[_Part], booked: Booked, order: BookingOrder
    ) -> None:
        if booked.corrections:
            unit.record(
                "ReconciliationBooked",
                reconciliation=record.id,
                differences=booked.differences,
                corrections=booked.corrections,
                provider_usd=format_usd(booked.provider_nano),
                amount_usd=format_usd(booked.amount_nano),
                reason=order.reason,
            )
        for part in parts:
            await unit.execute(
                store.INSERT_BOOKING,
                self._ids.new_id(),
                record.id,
                part.group.day,
                part.group.provider,
                part.group.model,
                part.group.key,
                part.cause,
                part.nano,
                sum(correction.amount_nano for _, correction in part.corrections),
                len(part.corrections),
                order.reason,
                to_datetime(self._clock.now_ns()),
                unit.scope.actor,
            )


def _count(booked: Booked, differences: int, corrections: Iterable[tuple[str, Correction]]) -> None:
    booked.differences = differences
    for tenant, correction in corrections:
        booked.provider_nano += correction.provider_nano
        booked.amount_nano += correction.amount_nano
        booked.corrections += 1
        booked.tenants[tenant] = booked.tenants.get(tenant, 0) + correction.provider_nano


def _open(report: Report, order: BookingOrder) -> Iterable[tuple[Group, str, int]]:
    for group in report.groups:
        for cause in CAUSES:
            wanted = cause in order.causes if order.causes is not None else _by_default(group, cause)
            if wanted and (nano := report.open_of(group, cause)):
                yield group, cause, nano


def _by_default(group: Group, cause: str) -> bool:
    return cause != ROUNDING and not group.verdict.matches


def _place(group: Group) -> tuple[date, str, str]:
    return group.day, group.provider, group.key


def _in_order(row: Any) -> tuple[object, ...]:
    return tuple(row[name] for name in ("day", "provider", "tenant_id", "started_at", "call_id", "line"))


def _owner(row: Any) -> Owner:
    return Owner(
        str(row["tenant_id"]),
        str(row["call_id"]),
        row["started_at"],
        row["line"],
        int(row["weight_nano"]),
        int(row["weight_tokens"]),
        int(row["weight_amount"]),
    )


def _weights(owners: list[Owner]) -> list[int]:
    """What each one's calls cost us; where they cost nothing, how much they consumed."""
    costs = [owner.nano for owner in owners]
    return costs if any(costs) else [owner.tokens for owner in owners]


def billed(part: int, owner: Owner) -> int:
    """What the tenant is charged for a part of the provider's cost: at the terms on which the calls were charged."""
    if owner.nano == 0:
        return part
    sign = -1 if part < 0 else 1
    return sign * ((abs(part) * owner.amount_nano * 2 + owner.nano) // (owner.nano * 2))


def _nanoseconds(moment: datetime) -> int:
    between = moment - EPOCH
    return ((between.days * 86_400 + between.seconds) * 1_000_000 + between.microseconds) * 1_000
