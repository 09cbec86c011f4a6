"""Policies that say the same twice, or that can never have an effect."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from enfilade.access.content import Content
from enfilade.core.canonical import canonical_json

MOST_PAIRS = 500_000
SCOPE = ("principal", "action", "resource")
Structure = dict[str, Any]


class Gist(NamedTuple):
    """As much of a policy as has to be compared."""

    name: str
    effect: str
    scope: tuple[Structure, ...]
    conditions: frozenset[bytes]
    whole: bytes


def gist_of(name: str, form: Structure) -> Gist:
    """That of a policy whose structure this is."""
    conditions = frozenset(_digest(condition) for condition in form["conditions"])
    whole = _digest({key: value for key, value in form.items() if key != "annotations"})
    return Gist(name, form["effect"], tuple(form[variable] for variable in SCOPE), conditions, whole)


def contradictions(content: Content, gists: Sequence[Gist]) -> Iterator[tuple[str, str]]:
    """The name of each odd policy, and what is odd about it."""
    seen: dict[bytes, str] = {}
    for gist in gists:
        if (earlier := seen.setdefault(gist.whole, gist.name)) != gist.name:
            yield gist.name, f"says the same as {earlier!r}"
    permits = [gist for gist in gists if gist.effect == "permit"]
    forbids = [gist for gist in gists if gist.effect == "forbid"]
    if gists and not permits and content.default == "deny":
        yield forbids[0].name, "no policy permits anything, and the default is `deny`: nothing will be allowed"
    if len(permits) * len(forbids) > MOST_PAIRS:
        return
    for permit in permits:
        for forbid in forbids:
            if forbid.conditions <= permit.conditions and all(map(_covers, forbid.scope, permit.scope)):
                yield permit.name, f"is always overridden by {forbid.name!r}, so that it never permits anything"
                break


def _digest(part: Any) -> bytes:
    return hashlib.sha256(canonical_json(part)).digest()


def _covers(wide: Structure, narrow: Structure) -> bool:
    """Whether whatever fits the narrow part of a scope fits the wide one as well."""
    if wide["op"] == "All" or wide == narrow:
        return True
    if wide["op"] == "in" and "entity" in wide and narrow.get("op") == "==":
        return bool(wide["entity"] == narrow.get("entity"))
    if wide["op"] == "in" and "entities" in wide:
        return narrow.get("op") == "==" and narrow.get("entity") in wide["entities"]
    return False
