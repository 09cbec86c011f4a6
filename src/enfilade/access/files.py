"""Policies in files of their own: `.cedar` with annotations, or the form of `access:` in a configuration file."""

from typing import Any

from enfilade.access.content import MATRIX
from enfilade.access.errors import InvalidPolicy
from enfilade.access.source import Fault, read

FLAGS = ("visible", "enabled")


def policies_of(text: str) -> list[dict[str, Any]]:
    """The policies of a `.cedar` file, as a configuration file has them; `@id` names each. Raises InvalidPolicy."""
    try:
        statements = read(text)
    except Fault as fault:
        message = f"line {fault.line}, column {fault.column}: {fault.message}"
        raise InvalidPolicy(message) from None
    found: list[dict[str, Any]] = []
    for statement in statements:
        notes, place = statement.annotations, statement.tokens[0]
        name = notes.get("id", "").removeprefix(MATRIX)
        if not name:
            message = f'line {place.line}, column {place.column}: this policy has no name; write @id("name") before it'
            raise InvalidPolicy(message)
        policy: dict[str, Any] = {"name": name, "cedar": statement.bare}
        if "description" in notes:
            policy["description"] = notes["description"]
        policy |= {flag: notes[flag] != "false" for flag in FLAGS if flag in notes}
        found.append(policy)
    return found
