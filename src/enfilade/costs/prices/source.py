"""The price of one model at one deployment, at any time: the administrators' word, a price list's, or the book's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from enfilade.core.clock import to_datetime
from enfilade.costs.prices.adjustments import Adjustments
from enfilade.costs.prices.book import PriceBook, PublishedModel
from enfilade.costs.prices.sheet import PriceSheet
from enfilade.costs.prices.tariffs import Tariff
from enfilade.costs.prices.timeline import FOREVER_NS, in_force

MINUTE_NS = 60 * 1_000_000_000
MAX_ANSWERED_NAMES = 128
"""Names in replies are the provider's to choose: no more of them than this are kept for a deployment."""
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Override:
    """A price that an administrator set for a model; None gives the word back to price lists and the book."""

    from_ns: int
    tariff: Tariff | None
    to_ns: int | None = None

    @property
    def content(self) -> object:
        """What it says; None ends what came before."""
        return self.tariff

    def label(self, model: str) -> str:
        """As ledger lines name it."""
        return f"override:{model}@{to_datetime(self.from_ns).isoformat()}"


class Listed(NamedTuple):
    """What a price list says about a deployment at a moment, and until when that stays so."""

    label: str
    tariff: Tariff | None
    until_ns: int


NOT_LISTED = Listed("", None, FOREVER_NS)


class Substitution(NamedTuple):
    """What it means for the price that a reply names another model than was asked for."""

    kind: Literal["same", "priced", "unpriced"]
    sheet: PriceSheet | None = None
    """The price of the model that answered, where it is another one that has a price."""


SAME = Substitution("same")
UNKNOWN = Substitution("unpriced")


class TenantSheet(NamedTuple):
    """What one tenant pays, while neither the list price nor its adjustments change."""

    listed: PriceSheet
    sheet: PriceSheet
    since_ns: int
    until_ns: int
    adjustments: Adjustments


class PriceSource:
    """The price of one model at one deployment, at any time."""

    __slots__ = (
        "_answered",
        "_book",
        "_declared",
        "_listed",
        "_model",
        "_overrides",
        "_provider",
        "_published",
        "_sheet",
        "_since_ns",
        "_until_ns",
        "_upstream",
        "tenants",
    )

    def __init__(
        self,
        model: str,
        overrides: Callable[[str], Sequence[Override]],
        published: tuple[str, PublishedModel] | None,
        listed: Callable[[int], Listed] | None = None,
        upstream: tuple[PriceBook, str, str] | None = None,
    ) -> None:
        """Combine what administrators, price lists and the book say.

        `overrides` of a model ascend by time. `upstream` is the book with the provider's and the model's names there.
        """
        self._model = model
        self._overrides = overrides
        self._published = published
        self._listed = listed
        self._book: PriceBook | None = upstream[0] if upstream else None
        self._provider, self._upstream = upstream[1:] if upstream else ("", "")
        self._sheet: PriceSheet | None = None
        self._declared = False
        self._since_ns = self._until_ns = 0
        self._answered: dict[str, tuple[str, PublishedModel] | None] = {}
        self.tenants: dict[tuple[str, str, str], TenantSheet] = {}
        """The catalogue's: tenants' own sheets, which live as long as this source."""

    def at(self, now_ns: int) -> PriceSheet | None:
        """The list price in force, or None for an unpriced model."""
        # Earlier moments are asked for too: of calls that began before a change, and when the clock is set back.
        if not self._since_ns <= now_ns < self._until_ns:
            self._sheet, self._until_ns, self._declared = self._find(now_ns)
            self._since_ns = now_ns
        return self._sheet

    def changes_at(self, now_ns: int) -> int | None:
        """When the price may be another one at the earliest; None if no change is known."""
        self.at(now_ns)
        return self._until_ns if self._until_ns < FOREVER_NS else None

    @property
    def published(self) -> tuple[str, PublishedModel] | None:
        """The book's entry, with its label."""
        return self._published

    @property
    def context_window(self) -> int | None:
        """The context window that the book publishes."""
        return self._published[1].context_window if self._published else None

    def substituted(self, answered: str, now_ns: int) -> Substitution:
        """What a reply's model name says about the price, where it differs from the name that was asked for.

        Where an administrator or a price list has priced the model, their word holds whoever answers.
        """
        if answered == self._upstream or self._book is None:
            return SAME
        if self.at(now_ns) is None or self._declared or self._published is None:
            return SAME
        found = self._find_answered(answered)
        if found is None:
            return UNKNOWN
        if found[0] == self._published[0]:
            return SAME
        sheet = found[1].sheet(found[0], to_datetime(now_ns))
        return UNKNOWN if sheet is None else Substitution("priced", sheet)

    def _find_answered(self, answered: str) -> tuple[str, PublishedModel] | None:
        if answered in self._answered:
            return self._answered[answered]
        if self._book is None or len(answered) > MAX_NAME:
            return None
        found = self._book.find(self._provider, answered)
        if len(self._answered) >= MAX_ANSWERED_NAMES:
            self._answered.clear()
        self._answered[answered] = found
        return found

    def _find(self, now_ns: int) -> tuple[PriceSheet | None, int, bool]:
        """The price, until when it holds, and whether somebody declared it."""
        override, until = in_force(self._overrides(self._model), now_ns)
        if override is not None and override.tariff is not None:
            return self._declare(override.label(self._model), override.tariff, now_ns, until)
        listed = self._listed(now_ns) if self._listed is not None else NOT_LISTED
        until = min(until, listed.until_ns)
        if listed.tariff is not None:
            return self._declare(listed.label, listed.tariff, now_ns, until)
        if self._published is None:
            return None, until, False
        label, published = self._published
        if published.varies_by_time:
            until = min(until, _next_minute(now_ns))
        return published.sheet(label, to_datetime(now_ns)), until, False

    def _declare(self, label: str, tariff: Tariff, now_ns: int, until: int) -> tuple[PriceSheet, int, bool]:
        if tariff.varies_by_time:
            until = min(until, _next_minute(now_ns))
        return tariff.sheet(label, to_datetime(now_ns)), until, True


def _next_minute(now_ns: int) -> int:
    return (now_ns // MINUTE_NS + 1) * MINUTE_NS
