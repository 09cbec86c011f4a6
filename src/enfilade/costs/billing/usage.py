"""What the ledger holds of some periods, as the lines of a document."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from enfilade.core.clock import to_ns, to_rfc3339
from enfilade.costs.billing import store
from enfilade.costs.billing.amounts import Currency
from enfilade.costs.billing.paper import Line, ModelPart, Range, Section
from enfilade.costs.prices.kinds import KINDS, NUMBER
from enfilade.storage.unit_of_work import UnitOfWork

TOKEN_KINDS = frozenset(KINDS[: NUMBER["requests"]])
PER_TOKENS = 1_000_000
EVERYTHING = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Stretch:
    """Entries that began in a period, posted from one transaction up to, and without, another."""

    start: datetime
    end: datetime
    from_xact: int
    to_xact: int

    def shown(self) -> Range:
        """As it stands on the document."""
        return Range(to_rfc3339(to_ns(self.start)), to_rfc3339(to_ns(self.end)))


@dataclass(frozen=True, slots=True)
class Sum:
    """What one model's entries in one stretch came to; `kind` is None for their whole."""

    stretch: int
    is_correction: bool
    model: str | None
    kind: str | None
    rate: int | None
    quantity: int
    nano: int


@dataclass(frozen=True, slots=True)
class ModelSum:
    """The entries of one model in one stretch."""

    stretch: int
    is_correction: bool
    model: str | None
    entries: int
    calls: int
    tokens: int
    nano: int
    list_nano: int


@dataclass(frozen=True, slots=True)
class UsageOf:
    """What stretches of the ledger hold."""

    stretches: tuple[Stretch, ...]
    sums: tuple[Sum, ...]
    models: tuple[ModelSum, ...]

    @property
    def nano(self) -> int:
        """The exact sum."""
        return sum(model.nano for model in self.models)

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return sum(model.entries for model in self.models)

    @property
    def calls(self) -> int:
        """How many calls were settled."""
        return sum(model.calls for model in self.models)

    def without_idle(self) -> "UsageOf":
        """Without the stretches that hold nothing; the first one stays."""
        kept = sorted({0, *(model.stretch for model in self.models)})
        place = {old: new for new, old in enumerate(kept)}
        return UsageOf(
            tuple(self.stretches[old] for old in kept),
            tuple(replace(entry, stretch=place[entry.stretch]) for entry in self.sums),
            tuple(replace(model, stretch=place[model.stretch]) for model in self.models),
        )


async def read_usage(
    unit: UnitOfWork,
    tenant: str,
    stretches: Sequence[Stretch],
    department: str | None = None,
    application: str | None = None,
) -> UsageOf:
    """What these stretches of a tenant's ledger hold, of one department or application only if one is named."""
    models: list[ModelSum] = []
    sums: list[Sum] = []
    whole = [place for place, stretch in enumerate(stretches) if stretch.from_xact == 0]
    late = [place for place, stretch in enumerate(stretches) if stretch.from_xact > 0]
    for places in (whole, late):
        if places:
            chosen = [stretches[place] for place in places]
            values = (tenant, *_ranges(chosen), department, application, min(one.from_xact for one in chosen))
            # One statement after the other, over entries that all ended before: nothing is added between them.
            models += [_model(row, places) for row in await unit.fetch(store.SUM_MODELS, *values)]
            sums += [_sum(row, places) for row in await unit.fetch(store.SUM_LINES, *values)]
    itemised: dict[tuple[int, bool, str | None], int] = {}
    for entry in sums:
        place = (entry.stretch, entry.is_correction, entry.model)
        itemised[place] = itemised.get(place, 0) + entry.nano
    for model in models:
        rest = model.nano - itemised.get((model.stretch, model.is_correction, model.model), 0)
        if rest:
            sums.append(Sum(model.stretch, model.is_correction, model.model, None, None, 0, rest))
    return UsageOf(tuple(stretches), tuple(sorted(sums, key=_order)), tuple(models))


def _ranges(stretches: Sequence[Stretch]) -> tuple[list[datetime], list[datetime], list[int], list[int]]:
    return (
        [stretch.start for stretch in stretches],
        [stretch.end for stretch in stretches],
        [stretch.from_xact for stretch in stretches],
        [stretch.to_xact for stretch in stretches],
    )


def _model(row: Any, places: Sequence[int]) -> ModelSum:
    return ModelSum(
        places[row["position"] - 1],
        row["is_correction"],
        row["model"],
        row["entries"],
        row["calls"],
        row["tokens"],
        row["amount_nano"],
        row["list_nano"],
    )


def _sum(row: Any, places: Sequence[int]) -> Sum:
    return Sum(
        places[row["position"] - 1],
        row["is_correction"],
        row["model"],
        row["kind"],
        row["rate"],
        row["quantity"],
        row["amount_nano"],
    )


def _order(entry: Sum) -> tuple[int, str, bool, int, int]:
    number = len(KINDS) if entry.kind is None else NUMBER.get(entry.kind, len(KINDS))
    return entry.stretch, entry.model or "", entry.is_correction, number, entry.rate or 0


def lines_of(usage: UsageOf, currency: Currency, time_zone: str, own: int | None = 0) -> tuple[Line, ...]:
    """The lines of a document; stretches other than its `own` are of earlier periods."""
    lines = []
    for n, entry in enumerate(usage.sums, 1):
        section: Section = "earlier" if entry.stretch != own else "correction" if entry.is_correction else "usage"
        earlier = usage.stretches[entry.stretch].start.astimezone(ZoneInfo(time_zone)).date().isoformat()
        per = PER_TOKENS if entry.kind in TOKEN_KINDS else 1
        lines.append(
            Line(
                n=n,
                section=section,
                period=earlier if section == "earlier" else None,
                model=entry.model,
                kind=entry.kind,
                quantity=entry.quantity,
                per=per,
                unit_price=None if entry.rate is None else currency.price(entry.rate, per),
                amount=currency.line(entry.nano),
                amount_usd=USD_LINE.line(entry.nano),
            )
        )
    return tuple(lines)


USD_LINE = Currency("USD")


def models_of(usage: UsageOf, currency: Currency) -> tuple[ModelPart, ...]:
    """Each model's sums, over all stretches."""
    found: dict[str | None, list[int]] = {}
    for entry in usage.models:
        sums = found.setdefault(entry.model, [0, 0, 0, 0])
        for place, figure in enumerate((entry.calls, entry.tokens, entry.list_nano, entry.nano)):
            sums[place] += figure
    return tuple(
        ModelPart(
            model=model,
            calls=calls,
            tokens=tokens,
            list_price=currency.line(list_nano),
            adjustment=currency.line(nano - list_nano),
            amount=currency.line(nano),
        )
        for model, (calls, tokens, list_nano, nano) in sorted(found.items(), key=lambda item: item[0] or "")
    )
