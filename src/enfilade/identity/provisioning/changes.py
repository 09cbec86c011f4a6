"""The operations of a PATCH (RFC 7644, section 3.5.2), as clients send them: Entra ID's and Okta's ways included."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from enfilade.identity.provisioning.errors import InvalidPath, InvalidSyntax, TooMuch
from enfilade.identity.provisioning.filters import ChangePath, parse_change_path
from enfilade.identity.provisioning.schemas import ENTERPRISE, ENTERPRISE_USER, URNS, known_urn

MAX_OPERATIONS = 500
MAX_VALUES = 20_000
KINDS = frozenset({"add", "replace", "remove"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One change in one place."""

    kind: str
    path: ChangePath
    value: Any = None


def read_operations(body: Any) -> list[Operation]:
    """The changes one by one; one without a path is as many as it has values. Raises what is wrong with the body."""
    given = _member(body, "operations") if isinstance(body, dict) else None
    if not isinstance(given, list) or not given:
        message = "A PATCH has `Operations`, a list of changes."
        raise InvalidSyntax(message, param="Operations")
    if len(given) > MAX_OPERATIONS:
        message = f"A PATCH has at most {MAX_OPERATIONS} operations."
        raise TooMuch(message, param="Operations")
    operations = [operation for entry in given for operation in _expanded(entry)]
    values = sum(len(operation.value) if isinstance(operation.value, list) else 1 for operation in operations)
    if values > MAX_VALUES:
        message = f"A PATCH has at most {MAX_VALUES} values."
        raise TooMuch(message, param="Operations")
    return operations


def _expanded(entry: Any) -> Iterator[Operation]:
    if not isinstance(entry, dict):
        message = "Each of `Operations` is an object."
        raise InvalidSyntax(message, param="Operations")
    kind, path, value = _member(entry, "op"), _member(entry, "path"), _member(entry, "value")
    kind = kind.lower() if isinstance(kind, str) else None
    if kind not in KINDS:
        message = "`op` is one of add, replace and remove."
        raise InvalidSyntax(message, param="op")
    if path is not None and not isinstance(path, str):
        message = "`path` is a text."
        raise InvalidPath(message, param="path")
    if path and known_urn(path) is not None:
        yield from _of_extension(kind, path, value)
        return
    if path:
        yield Operation(kind, parse_change_path(path), value)
        return
    if kind == "remove" or not isinstance(value, dict):
        message = "Without a `path`, `value` is an object, and nothing can be removed."
        raise InvalidSyntax(message, param="value")
    for name, part in value.items():
        if known_urn(name) is not None and isinstance(part, dict):
            yield from _of_extension(kind, name, part)
        elif name.lower() not in {"schemas", "id", "meta"} and not _is_foreign(name):
            yield Operation(kind, parse_change_path(name), part)


def _of_extension(kind: str, urn: str, value: Any) -> Iterator[Operation]:
    """A schema's attributes at once, under its name."""
    if kind == "remove" and known_urn(urn) == ENTERPRISE:
        value = {attribute.name: None for attribute in ENTERPRISE_USER}
    if not isinstance(value, dict):
        message = f"The value of {urn!r} is an object."
        raise InvalidSyntax(message, param="value")
    for name, part in value.items():
        yield Operation(kind, parse_change_path(f"{urn}:{name}"), part)


def _is_foreign(name: str) -> bool:
    """Whether it belongs to a schema that is not known here. It is taken and not kept, as where a whole user is sent."""
    return name.lower().startswith("urn:") and not name.lower().startswith(tuple(f"{urn.lower()}:" for urn in URNS))


def _member(holder: dict[str, Any], name: str) -> Any:
    """A member whatever its case: clients do not agree on it."""
    return next((value for key, value in holder.items() if key.lower() == name), None)
