"""The export beside the ledger: by day, model and provider."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from enfilade.costs.reconciliation.causes import Figures, Ours, Tolerance, Verdict, judge
from enfilade.costs.reconciliation.naming import model_keys
from enfilade.costs.reconciliation.types import Entry


@dataclass(frozen=True, slots=True)
class LedgerNames:
    """The names under which the ledger knows a model."""

    provider: str
    deployment: str | None
    model: str | None
    upstream_model: str | None
    """As the provider's replies called it."""

    @property
    def candidates(self) -> list[str]:
        """From what the provider said itself to what we call it."""
        at_provider = (self.deployment or "").removeprefix(f"{self.provider}/")
        return [name for name in (self.upstream_model, at_provider, self.model) if name]


@dataclass(frozen=True, slots=True)
class LedgerTotal:
    """What one day's entries of one deployment come to."""

    day: date
    names: LedgerNames
    entries: int
    nano: int
    estimated_nano: int
    estimated_entries: int


@dataclass(frozen=True, slots=True)
class LedgerKind:
    """What one day's entries of one deployment count of one kind."""

    day: date
    names: LedgerNames
    kind: str | None
    quantity: int
    share: Decimal
    """What of the provider's charge falls to this kind; parts of a nano-dollar are left in."""


@dataclass(slots=True)
class Group:
    """One day of one model at one provider, there and here."""

    day: date
    provider: str
    model: str
    key: str
    """What the model is known by, however it is spelt."""
    verdict: Verdict
    entries: int = 0
    estimated_entries: int = 0
    names: set[LedgerNames] = field(default_factory=set)


class NameMatcher:
    """Finds the export's model for a model of the ledger."""

    def __init__(self, export: Iterable[str], ledger: Iterable[LedgerNames]) -> None:
        """Learn all names of one provider."""
        self._spelt: dict[str, str] = {}
        self._undated: dict[str, list[str]] = {}
        self._merged: dict[str, str] = {}
        for name in sorted(set(export)):
            dated, undated = model_keys(name)
            if self._spelt.setdefault(dated, name) == name:
                self._undated.setdefault(undated, []).append(dated)
        for names in ledger:
            self._merge_ambiguous(names)

    def of_export(self, name: str) -> str:
        """The key of a name in the export."""
        key = model_keys(name)[0]
        return self._merged.get(key, key)

    def of_ledger(self, names: LedgerNames) -> str:
        """The key of an entry in the ledger: an export's where one of its names is there, else its own."""
        for candidate in names.candidates:
            dated, undated = model_keys(candidate)
            if dated in self._spelt:
                return self._merged.get(dated, dated)
            if undated in self._undated:
                found = self._undated[undated][0]
                return self._merged.get(found, found)
        return model_keys(names.candidates[0])[0] if names.candidates else "?"

    def spelling(self, key: str) -> str | None:
        """How the export spells it."""
        return self._spelt.get(key)

    def _merge_ambiguous(self, names: LedgerNames) -> None:
        """A name without a date that several dated ones of the export answer to: only together can they be compared."""
        for candidate in names.candidates:
            dated, undated = model_keys(candidate)
            if dated in self._spelt:
                return
            if (several := self._undated.get(undated)) is not None:
                if len(several) > 1:
                    self._merged |= dict.fromkeys(several, several[0])
                return


@dataclass(slots=True)
class _Half:
    """What is known of a group before it is judged."""

    there: dict[str | None, Figures] = field(default_factory=dict)
    here: dict[str | None, Figures] = field(default_factory=dict)
    shares: dict[str | None, Decimal] = field(default_factory=dict)
    totals: list[LedgerTotal] = field(default_factory=list)
    spellings: set[str] = field(default_factory=set)


def match(
    entries: Sequence[Entry], totals: Sequence[LedgerTotal], kinds: Sequence[LedgerKind], tolerance: Tolerance
) -> list[Group]:
    """All groups of the period, by day, provider and model."""
    providers = {entry.provider for entry in entries} | {total.names.provider for total in totals}
    matchers = {
        provider: NameMatcher(
            (entry.model for entry in entries if entry.provider == provider),
            dict.fromkeys(total.names for total in totals if total.names.provider == provider),
        )
        for provider in providers
    }
    halves: dict[tuple[date, str, str], _Half] = {}
    for entry in entries:
        key = (entry.day, entry.provider, matchers[entry.provider].of_export(entry.model))
        half = halves.setdefault(key, _Half())
        half.spellings.add(entry.model)
        half.there.setdefault(entry.kind, Figures()).merge(Figures(entry.quantity, entry.nano, entry.rows))
    for total in totals:
        key = (total.day, total.names.provider, matchers[total.names.provider].of_ledger(total.names))
        halves.setdefault(key, _Half()).totals.append(total)
    for part in kinds:
        half = halves[(part.day, part.names.provider, matchers[part.names.provider].of_ledger(part.names))]
        half.here.setdefault(part.kind, Figures()).merge(Figures(part.quantity if part.kind else None, 0))
        half.shares[part.kind] = half.shares.get(part.kind, Decimal(0)) + part.share
    return [_group(key, halves[key], tolerance) for key in sorted(halves)]


def _group(key: tuple[date, str, str], half: _Half, tolerance: Tolerance) -> Group:
    day, provider, model_key = key
    nano = sum(total.nano for total in half.totals)
    _round_shares(half, nano)
    ours = Ours(
        half.here,
        nano,
        sum(total.entries for total in half.totals),
        sum(total.estimated_nano for total in half.totals),
    )
    spellings = half.spellings or {name for total in half.totals for name in total.names.candidates[:1]}
    return Group(
        day,
        provider,
        min(spellings, key=lambda name: (len(name), name), default="?"),
        model_key,
        judge(half.there, ours, tolerance),
        ours.entries,
        sum(total.estimated_entries for total in half.totals),
        {total.names for total in half.totals},
    )


def _round_shares(half: _Half, nano: int) -> None:
    """Whole nano-dollars for each kind that add up to the sum of the entries."""
    for kind, share in half.shares.items():
        half.here[kind].nano = int(share.to_integral_value(ROUND_HALF_UP))
    rest = nano - sum(figures.nano or 0 for figures in half.here.values())
    if rest:
        largest = max(half.here, key=lambda kind: (abs(half.here[kind].nano or 0), kind or ""), default=None)
        figures = half.here.setdefault(largest, Figures(None, 0))
        figures.nano = (figures.nano or 0) + rest
