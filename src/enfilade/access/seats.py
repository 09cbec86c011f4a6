"""Callers, resources and circumstances, in the form in which the engine takes them."""

import ipaddress
from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from enfilade.access.schema import DEPLOYMENT
from enfilade.access.types import Attribute, Caller, Resource, ResourceKind

NOWHERE = "0.0.0.0"  # noqa: S104 - stands for an address that is not known
ATTRIBUTE_FORMS: dict[str, Any] = {"string": str, "long": int, "boolean": bool, "strings": tuple}


class Seat:
    """A caller as the engine takes one."""

    __slots__ = ("belongs", "caller", "entity", "number", "uid")

    def __init__(self, caller: Caller, number: int, declared: dict[str, str]) -> None:
        """Say what the caller is and belongs to."""
        self.caller = caller
        self.number = number
        kinds = (("User", caller.user), ("Application", caller.application), ("Key", caller.key))
        named = [(kind, name) for kind, name in kinds if name is not None] or [("Key", "")]
        self.uid = {"type": named[0][0], "id": named[0][1]}
        parents = [{"type": kind, "id": name} for kind, name in named[1:]]
        if caller.department is not None:
            parents.append({"type": "Department", "id": caller.department})
        parents += [{"type": "Role", "id": role} for role in sorted(caller.roles)]
        self.belongs = _names(self.uid, parents)
        known = {name: value for name, value in caller.attributes if _fits(value, declared.get(name))}
        self.entity = _entity(self.uid, {"attributes": known}, parents)


class Place:
    """A resource as the engine takes one."""

    __slots__ = ("belongs", "entity", "number", "resource", "uid")

    def __init__(self, resource: Resource, number: int) -> None:
        """Say what the resource is and belongs to."""
        self.resource = resource
        self.number = number
        self.uid = {"type": str(resource.kind), "id": resource.name}
        parents: list[dict[str, str]] = []
        attributes: dict[str, str] = {}
        if resource.kind == ResourceKind.DEPLOYMENT:
            parents = [
                {"type": "Model", "id": resource.model or ""},
                {"type": "Provider", "id": resource.provider or ""},
            ]
            attributes = {name: getattr(resource, name) or "" for name in DEPLOYMENT}
        self.belongs = _names(self.uid, parents)
        self.entity = _entity(self.uid, attributes, parents)


def times_of(local: datetime, wanted: Collection[str]) -> dict[str, Any]:
    """Those parts of a local time that are wanted."""
    times = {
        "hour": local.hour,
        "minute": local.minute,
        "weekday": local.isoweekday(),
        "date": local.date().isoformat(),
    }
    return {name: value for name, value in times.items() if name in wanted}


def plain_address(address: str | None) -> str:
    """A network address as the engine knows them: the old form where there is one, and without a zone."""
    try:
        parsed = ipaddress.ip_address(address or NOWHERE)
    except ValueError:
        return NOWHERE
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed)))
    return str(parsed)


def _names(uid: dict[str, str], parents: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(f"{entity['type']}::{entity['id']}" for entity in (uid, *parents))


def _entity(uid: dict[str, str], attributes: dict[str, Any], parents: list[dict[str, str]]) -> str:
    return msgspec.json.encode({"uid": uid, "attrs": attributes, "parents": parents}).decode()


def _fits(value: Attribute, kind: str | None) -> bool:
    return kind is not None and type(value) is ATTRIBUTE_FORMS[kind]
