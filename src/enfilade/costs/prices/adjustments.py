"""What providers grant us and what tenants pay on top: a list price becomes the tenant's.

list price → negotiated discount = what the provider charges us → markup = what the tenant pays. At each step every
rate is rounded half-up to a nano-dollar per million units, and the rounded rate is the price.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from enfilade.costs.prices.patterns import specificity
from enfilade.costs.prices.sheet import PriceSheet
from enfilade.costs.prices.timeline import FOREVER_NS, in_force

MILLIONTHS = 1_000_000
Kind = Literal["discount", "markup"]
Subject = tuple[Kind, str | None, str, str]
"""Kind, tenant (None: every one), pattern of providers, pattern of models."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One version of an adjustment; without millionths it ends the one before."""

    id: int
    kind: Kind
    tenant: str | None
    provider: str
    model: str
    millionths: int | None
    from_ns: int
    to_ns: int | None = None
    reason: str | None = None

    @property
    def subject(self) -> Subject:
        """What it is about: versions of the same subject follow one another."""
        return self.kind, self.tenant, self.provider, self.model

    @property
    def content(self) -> object:
        """What it says; None ends what came before."""
        return self.millionths

    @property
    def label(self) -> str:
        """As it stands in a price's label, e.g. `discount:12=-5%`."""
        return f"{self.kind}:{self.id}={format_percent(self.millionths or 0)}%"

    def concerns(self, tenant: str, provider: str, model: str) -> bool:
        """Whether it is about a tenant's calls of a model at a provider."""
        return (
            (self.tenant is None or self.tenant == tenant)
            and fnmatchcase(provider, self.provider)
            and fnmatchcase(model, self.model)
        )


def format_percent(millionths: int) -> str:
    """A share with its sign, in per cent: -50000 → "-5", 12345 → "+1.2345"."""
    whole, part = divmod(abs(millionths), 10_000)
    text = f"{whole}.{part:04d}".rstrip("0").rstrip(".")
    return ("-" if millionths < 0 else "+") + text


class Adjustments:
    """All adjustments, by subject and time."""

    def __init__(self, versions: Sequence[Adjustment] = ()) -> None:
        """Take versions in the order in which they were made."""
        by_subject: dict[Subject, list[Adjustment]] = {}
        for version in versions:
            by_subject.setdefault(version.subject, []).append(version)
        self._by_subject: Mapping[Subject, Sequence[Adjustment]] = {
            subject: sorted(entries, key=lambda entry: entry.from_ns) for subject, entries in by_subject.items()
        }

    def __bool__(self) -> bool:
        """Whether anybody ever declared one."""
        return bool(self._by_subject)

    def find(self, tenant: str, provider: str, model: str, now_ns: int) -> tuple[list[Adjustment], int]:
        """At most one discount and one markup, in this order, and until when that stays so.

        Of several the most specific one counts: for this tenant before all tenants, then by provider, then by model.
        """
        until = FOREVER_NS
        best: dict[str, tuple[tuple[object, ...], Adjustment]] = {}
        for versions in self._by_subject.values():
            if not versions[0].concerns(tenant, provider, model):
                continue
            current, changes_ns = in_force(versions, now_ns)
            until = min(until, changes_ns)
            if current is None or current.millionths is None:
                continue
            rank = (current.tenant is not None, specificity(current.provider), specificity(current.model), current.id)
            if current.kind not in best or rank > best[current.kind][0]:
                best[current.kind] = rank, current
        return [best[kind][1] for kind in ("discount", "markup") if kind in best], until


def adjusted(listed: PriceSheet, adjustments: Sequence[Adjustment]) -> PriceSheet:
    """The tenant's sheet from the list price; the other two stand beside it where they differ."""
    contracted = listed
    sheet = listed
    for adjustment in adjustments:
        if not adjustment.millionths:
            continue
        label = f"{sheet.label};{adjustment.label}"
        sheet = sheet.scaled(label, MILLIONTHS + adjustment.millionths, MILLIONTHS)
        if adjustment.kind == "discount":
            contracted = sheet
    return _beside(sheet, contracted, listed)


def _beside(sheet: PriceSheet, contracted: PriceSheet, listed: PriceSheet) -> PriceSheet:
    if sheet is listed:
        return sheet
    return replace(
        sheet,
        service_tiers={
            name: _beside(tier, contracted.service_tiers[name], listed.service_tiers[name])
            for name, tier in sheet.service_tiers.items()
        },
        contracted=None if contracted is sheet else contracted,
        listed=listed,
    )
