"""Price lists that were imported: which entry of which version says what a deployment costs at a moment."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from itertools import pairwise
from typing import Any

import msgspec

from enfilade.core.clock import to_ns
from enfilade.costs.prices.patterns import is_pattern, specificity
from enfilade.costs.prices.source import NOT_LISTED, Listed
from enfilade.costs.prices.tariffs import Tariff
from enfilade.costs.prices.timeline import FOREVER_NS, in_force, ordered


class ListEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a price list: a model, or a provider and a model, either with `*`."""

    model: str
    tariff: Tariff
    from_ns: int = 0
    to_ns: int | None = None

    @property
    def content(self) -> object:
        """What it says; None ends what came before."""
        return self.tariff


class ListVersion:
    """One version of one list, in force from its import until the next one's."""

    def __init__(self, name: str, version: int, imported_ns: int, entries: Sequence[ListEntry]) -> None:
        """Sort the entries by pattern; of each pattern they ascend by time."""
        self.name = name
        self.version = version
        self.imported_ns = imported_ns
        self.entries = entries
        by_model: dict[str, list[ListEntry]] = {}
        for entry in entries:
            by_model.setdefault(entry.model, []).append(entry)
        self._exact = {model: ordered(group) for model, group in by_model.items() if not is_pattern(model)}
        self._patterns = [
            (re.compile(translate(model)), ordered(group)) for model, group in by_model.items() if is_pattern(model)
        ]

    @property
    def label(self) -> str:
        """As ledger lines name it."""
        return f"file:{self.name}@{self.version}"

    def groups(self, names: Sequence[str]) -> list[list[ListEntry]]:
        """The entries about something of these names, pattern by pattern, the one that says most first."""
        found = [self._exact[name] for name in names if name in self._exact]
        found += [group for pattern, group in self._patterns if any(pattern.match(name) for name in names)]
        return sorted(found, key=lambda group: specificity(group[0].model), reverse=True)


class PriceLists:
    """All lists, with those versions that a call of now may still need."""

    def __init__(self, versions: Iterable[ListVersion] = ()) -> None:
        """Take versions in any order."""
        by_name: dict[str, list[ListVersion]] = {}
        for version in sorted(versions, key=lambda entry: entry.version):
            by_name.setdefault(version.name, []).append(version)
        self._by_name = by_name

    def find(self, names: Sequence[str], now_ns: int) -> Listed:
        """What the lists say at a moment about something of these names.

        Of several entries the most specific one counts; of lists that are equally specific, the one changed last.
        """
        until = FOREVER_NS
        best: tuple[tuple[tuple[bool, int], int], str, Tariff] | None = None
        for versions in self._by_name.values():
            for version, following in pairwise([*versions, None]):
                if version is None or (following is not None and following.imported_ns <= now_ns):
                    continue
                if version.imported_ns > now_ns:
                    until = min(until, version.imported_ns)
                    break
                if following is not None:
                    until = min(until, following.imported_ns)
                for group in version.groups(names):
                    entry, changes_ns = in_force(group, now_ns)
                    until = min(until, changes_ns)
                    if entry is None:
                        continue
                    rank = specificity(entry.model), version.imported_ns
                    if best is None or rank > best[0]:
                        best = rank, f"{version.label}:{entry.model}", entry.tariff
                break
        return NOT_LISTED._replace(until_ns=until) if best is None else Listed(best[1], best[2], until)


def list_version_of(row: Mapping[str, Any]) -> ListVersion:
    """A price list from its row."""
    entries = msgspec.json.decode(row["entries"], type=tuple[ListEntry, ...])
    return ListVersion(row["name"], row["version"], to_ns(row["imported_at"]), entries)
