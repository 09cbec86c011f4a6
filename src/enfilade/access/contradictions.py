"""Policies that say the same twice, or that can never have an effect."""

from collections.abc import Iterator, Sequence
from typing import Any

from enfilade.access.content import Content
from enfilade.core.canonical import canonical_json

MOST_PAIRS = 500_000
Structure = dict[str, Any]


def contradictions(content: Content, structures: Sequence[tuple[str, Structure]]) -> Iterator[tuple[str, str]]:
    """The name of each odd policy, and what is odd about it."""
    seen: dict[bytes, str] = {}
    for name, form in structures:
        bare = canonical_json({key: value for key, value in form.items() if key != "annotations"})
        if (earlier := seen.setdefault(bare, name)) != name:
            yield name, f"says the same as {earlier!r}"
    permits = [(name, form, _conditions(form)) for name, form in structures if form["effect"] == "permit"]
    forbids = [(name, form, _conditions(form)) for name, form in structures if form["effect"] == "forbid"]
    if structures and not permits and content.default == "deny":
        yield forbids[0][0], "no policy permits anything, and the default is `deny`: nothing will be allowed"
    if len(permits) * len(forbids) > MOST_PAIRS:
        return
    for name, form, conditions in permits:
        for other, forbidden, less in forbids:
            if less <= conditions and all(_covers(forbidden[v], form[v]) for v in ("principal", "action", "resource")):
                yield name, f"is always overridden by {other!r}, so that it never permits anything"
                break


def _conditions(form: Structure) -> frozenset[bytes]:
    return frozenset(map(canonical_json, form["conditions"]))


def _covers(wide: Structure, narrow: Structure) -> bool:
    """Whether whatever fits the narrow part of a scope fits the wide one as well."""
    if wide["op"] == "All" or wide == narrow:
        return True
    if wide["op"] == "in" and "entity" in wide and narrow.get("op") == "==":
        return bool(wide["entity"] == narrow.get("entity"))
    if wide["op"] == "in" and "entities" in wide:
        return narrow.get("op") == "==" and narrow.get("entity") in wide["entities"]
    return False
