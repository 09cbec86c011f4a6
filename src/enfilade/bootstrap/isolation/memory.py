"""Looks into what a running process keeps in memory: whose each entry is."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import MethodType
from typing import Any

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.isolation.kept import IN_TABLES, KEPT, Kept
from enfilade.core.ids import PLATFORM_ID
from enfilade.storage.isolation.types import Guarded

ROOT = "enfilade."
MOST_FOLLOWED = 2_000
"""So many entries of a container are followed; those after them are alike."""


def probe_memory(parts: Parts) -> Iterator[Guarded]:
    """Each of them, with the entries that a process has there: every one is of a tenant that there is."""
    known = {tenant.id for tenant in parts.principals.tenants()} | {PLATFORM_ID}
    owners = objects_of(parts)
    for kept in KEPT:
        place, _, attribute = kept.name.rpartition(".")
        found = [owner for owner in owners.get(place, ()) if hasattr(owner, attribute)]
        yield _judged(kept, [(getattr(owner, attribute), owner) for owner in found], known)
    for name, guard in IN_TABLES.items():
        yield Guarded("cache", "database", name, guard, "with their tables")


def _judged(kept: Kept, found: list[tuple[Any, Any]], known: set[str]) -> Guarded:
    if kept.tenants is None:
        sizes = [len(container) for container, _ in found if hasattr(container, "__len__")]
        probe = f"none: {kept.guard}; {sum(sizes)} entries"
        return Guarded(kept.kind, "process", kept.name, kept.guard, probe)
    tenants = [tenant for container, owner in found for tenant in kept.tenants(container, owner)]
    strangers = sorted(set(tenants) - known)
    faults = (f"entries are not by tenant: {', '.join(strangers)[:100]}",) if strangers else ()
    probe = f"{len(tenants)} entries, of {len(set(tenants))} tenants"
    return Guarded(kept.kind, "process", kept.name, kept.guard, probe, faults)


def objects_of(parts: Parts) -> dict[str, list[Any]]:
    """Every object of ours that can be reached from a process's parts, by module and class."""
    found: dict[str, list[Any]] = {}
    seen: set[int] = set()
    waiting: deque[Any] = deque([parts])
    while waiting:
        thing = waiting.popleft()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        kind = type(thing)
        if kind.__module__.startswith(ROOT):
            for base in kind.__mro__:
                found.setdefault(f"{base.__module__}.{base.__name__}".removeprefix(ROOT), []).append(thing)
            waiting.extend(_attributes(thing))
        else:
            waiting.extend(_within(thing))
    return found


def _attributes(thing: Any) -> Iterator[Any]:
    names = {name for base in type(thing).__mro__ for name in getattr(base, "__slots__", ())}
    names |= set(getattr(thing, "__dict__", ()))
    return (getattr(thing, name) for name in names if isinstance(name, str) and hasattr(thing, name))


def _within(thing: Any) -> Iterable[Any]:
    if isinstance(thing, Mapping):
        return list(thing.values())[:MOST_FOLLOWED]
    if isinstance(thing, list | tuple | set | frozenset | deque):
        return list(thing)[:MOST_FOLLOWED]
    if isinstance(thing, MethodType):
        return [thing.__self__]
    if isinstance(thing, partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    return ()
