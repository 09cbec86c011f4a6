"""What a tenant has, by noun, as it sees it itself; and what each would be called if nobody had it."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx2

from enfilade.api.served import Served
from enfilade.bootstrap.isolation.asking import UUID, Asker

OURS, THEIRS, NOBODY = "acme", "globex", "umbrella"
"""Whose things are asked for, who asks, and a name that nobody has."""
Things = Mapping[str, list[str]]
PREFIX = "/api/v1/"
PLACEHOLDER = re.compile(r"\{([^}]+)\}")
NOBODYS_ID = "01a19c21-7200-7000-8000-00000000dead"
PUBLIC_ID = re.compile(r"(resp|conv|msg)_[0-9a-f]{32}")
NUMBERED = re.compile(r"\d{6}$")
NAMES = ("id", "name", "email", "number")
IDS_ALONE = frozenset({"id", "item", "raise", "move", "erasure"})
"""Placeholders that take no names."""
OTHERWISE = {"tenant_name": "tenants", "tenant": "tenants", "erasure": "tenants", "model": "model"}
"""Placeholders that name something else than what stands before them."""
SAME_AS = {
    "Users": "users",
    "Groups": "groups",
    "billing-profiles": "tenants",
    "approval-delegations": "users",
    "totp": "second-factors",
}
MOST = 3
"""So many things of a noun are looked into for what belongs to them."""


def noun_of(path: str, placeholder: str) -> str:
    """What a placeholder in a path names."""
    return OTHERWISE.get(placeholder) or noun_at(path.partition(f"/{{{placeholder}}}")[0])


def noun_at(path: str) -> str:
    """What is listed at a path."""
    last = path.rpartition("/")[2]
    # Conversations have items as reviews have, and of another kind.
    return "kept items" if last == "items" and path.startswith("/v1/") else SAME_AS.get(last, last)


async def things_of(person: Asker, application: Asker, served: Iterable[Served]) -> dict[str, list[str]]:
    """All that a tenant's owner and one of its applications find when they list what they have."""
    lists = [one for one in served if one.method == "GET" and one.reach != "public"]
    found: dict[str, list[str]] = {}
    for asker, prefix in ((person, PREFIX), (application, "/v1/")):
        flat = [one.path for one in lists if one.path.startswith(prefix) and "{" not in one.path]
        for path, values in zip(flat, await asyncio.gather(*(_listed(asker, path) for path in flat)), strict=True):
            _add(found, path, values)
        for one in lists:
            places = PLACEHOLDER.findall(one.path)
            if not one.path.startswith(prefix) or len(places) != 1 or one.path.endswith("}"):
                continue
            for value in found.get(noun_of(one.path, places[0]), [])[:MOST]:
                _add(found, one.path, await _listed(asker, PLACEHOLDER.sub(value, one.path)))
    return found


async def _listed(asker: Asker, path: str) -> list[str]:
    reply = await asker.get(path)
    content = reply.content if reply.status == httpx2.codes.OK else None
    items = (content.get("items") or content.get("data")) if isinstance(content, dict) else content
    return list(_values(items)) if isinstance(items, list) else []


def _values(items: list[Any]) -> Iterator[str]:
    for item in items:
        if isinstance(item, dict):
            yield from (item[name] for name in NAMES if isinstance(item.get(name), str))


def _add(found: dict[str, list[str]], path: str, values: list[str]) -> None:
    known = found.setdefault(noun_at(path), [])
    known += [value for value in dict.fromkeys(values) if value not in known]


def without(things: Things, others: Things) -> dict[str, list[str]]:
    """What one has and the other has not: what both have tells nobody anything."""
    return {
        noun: [value for value in values if value not in others.get(noun, ()) and nobodys(value) is not None]
        for noun, values in things.items()
    }


def samples(values: Iterable[str]) -> list[str]:
    """An id and a name: the others are looked for in the same way."""
    found = list(values)
    firsts = [next((value for value in found if is_id(value) is wanted), None) for wanted in (True, False)]
    return [value for value in firsts if value is not None]


def is_id(value: str) -> bool:
    """Whether only we can have made it."""
    return bool(UUID.fullmatch(value) or PUBLIC_ID.fullmatch(value))


def nobodys(value: str) -> str | None:
    """Something alike that nobody has; None for what would be so called anywhere."""
    if UUID.fullmatch(value):
        return NOBODYS_ID
    if PUBLIC_ID.fullmatch(value):
        return f"{value.partition('_')[0]}_{NOBODYS_ID.replace('-', '')}"
    if OURS in value:
        return value.replace(OURS, NOBODY)
    return NUMBERED.sub("999999", value) if NUMBERED.search(value) else None
