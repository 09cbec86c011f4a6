"""Every request for something of another tenant's, each with its twin for what nobody has."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import msgspec

from enfilade.api.served import Served
from enfilade.bootstrap.isolation.asking import UUID, Request
from enfilade.bootstrap.isolation.requests import BODIES, NAMED_WITHIN
from enfilade.bootstrap.isolation.things import (
    IDS_ALONE,
    NOBODYS_ID,
    PLACEHOLDER,
    Things,
    is_id,
    nobodys,
    noun_of,
    samples,
)

NEW = "walked-anew"
"""What is made is called so."""
TOKEN = re.compile(r"\{([a-z][a-z-]*)\}")
FILTERS = {
    "tenant": "tenants",
    "department": "departments",
    "application": "applications",
    "user": "users",
    "key": "keys",
}
"""Query parameters, and what they name."""
HEADERS = {"x-enfilade-user": "users"}
"""Headers of calls, and what they name."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A request, and its twin."""

    theirs: Request
    nobodys: Request


@dataclass(frozen=True, slots=True)
class Form:
    """A request of one kind, in which things have their places."""

    served: Served
    body: Any
    """A template, or None."""

    @property
    def places(self) -> list[tuple[str, str]]:
        """The placeholders of the path, with what they name."""
        return [(name, noun_of(self.served.path, name)) for name in PLACEHOLDER.findall(self.served.path)]

    @property
    def nouns(self) -> list[str]:
        """What the body names."""
        text = "" if self.body is None else msgspec.json.encode(self.body).decode()
        return [noun for noun in dict.fromkeys(TOKEN.findall(text)) if noun != "it"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Makes them, of what there is to be asked for and what the caller has."""

    foreign: Things
    own: Things

    def of(self, served: Served) -> Iterator[Pair]:
        """All pairs for an address."""
        for template in BODIES.get(served.name, (None,)):
            form = Form(served, template)
            yield from self._by_path(form)
            yield from self._by_body(form)
            settled = self._filled(form, self._own_places(form))
            for parameter in sorted(served.parameters & FILTERS.keys()):
                for value, twin in self.values(FILTERS[parameter]):
                    yield Pair(settled.beneath(**{parameter: value}), settled.beneath(**{parameter: twin}))
            if served.method == "POST" and served.path.startswith("/v1"):
                yield from self._by_header(settled)

    def own_request(self, served: Served) -> Request:
        """One in which nothing of another's is named."""
        form = Form(served, BODIES.get(served.name, (None,))[0])
        return self._filled(form, self._own_places(form))

    def values(self, noun: str) -> Iterator[tuple[str, str]]:
        """What there is of a noun, each with what nobody has."""
        for value in samples(self.foreign.get(noun, ())):
            if (twin := nobodys(value)) is not None:
                yield value, twin

    def fitting(self, place: tuple[str, str]) -> Iterator[tuple[str, str]]:
        """What there is for a place in a path."""
        name, noun = place
        return (pair for pair in self.values(noun) if name not in IDS_ALONE or is_id(pair[0]))

    def _by_path(self, form: Form) -> Iterator[Pair]:
        """Each place in turn is another's; what stands before it is the caller's own, and all after it another's too."""
        if form.served.name in NAMED_WITHIN:
            return
        for index, place in enumerate(form.places):
            before = self._own_places(form)[:index]
            for value, twin in self.fitting(place):
                after = [next(self.fitting(rest), (value, twin)) for rest in form.places[index + 1 :]]
                asked = [value, *(entry for entry, _ in after)], [twin, *(entry for _, entry in after)]
                yield Pair(*(self._filled(form, [*before, *values], named=values) for values in asked))

    def _by_body(self, form: Form) -> Iterator[Pair]:
        own = self._own_places(form)
        for noun in form.nouns:
            for values in self.values(noun):
                yield Pair(*(self._filled(form, own, {noun: value}, [value]) for value in values))

    def _by_header(self, settled: Request) -> Iterator[Pair]:
        for header, noun in HEADERS.items():
            for values in self.values(noun):
                yield Pair(*(replace(settled, headers={header: value}, named=(value,)) for value in values))

    def _filled(
        self, form: Form, places: list[str], values: Mapping[str, str] = MappingProxyType({}), named: Sequence[str] = ()
    ) -> Request:
        path = form.served.path
        for (name, _), value in zip(form.places, places, strict=True):
            path = path.replace(f"{{{name}}}", value, 1)
        words = {"it": places[-1] if places else NEW} | dict(values)
        return Request(form.served.method, path, body=self._in_words(form.body, words), named=tuple(named))

    def _in_words(self, template: Any, words: Mapping[str, str]) -> Any:
        if isinstance(template, str):
            return TOKEN.sub(lambda found: words.get(found[1]) or self._own(found[1]), template)
        if isinstance(template, dict):
            return {name: self._in_words(entry, words) for name, entry in template.items()}
        if isinstance(template, list | tuple):
            return [self._in_words(entry, words) for entry in template]
        return template

    def _own_places(self, form: Form) -> list[str]:
        return [self._own(noun, ids=name in IDS_ALONE) for name, noun in form.places]

    def _own(self, noun: str, *, ids: bool = False) -> str:
        """Something of the caller's: its name, where it has one and that will do."""
        values = self.own.get(noun) or [NOBODYS_ID if ids else NEW]
        if ids:
            return next((value for value in values if is_id(value)), NOBODYS_ID)
        return next((value for value in values if not UUID.fullmatch(value)), values[0])
