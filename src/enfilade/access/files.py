"""Policies in files of their own: `.cedar` with annotations, or the form of `access:` in a configuration file."""

from typing import Any

from enfilade.access.content import MATRIX
from enfilade.access.errors import InvalidPolicy
from enfilade.access.source import Fault, read

FLAGS = ("visible", "enabled")
Places = dict[str, tuple[int, int]]
"""By name, the line and column at which a policy begins in its file, without its annotations."""


def policies_of(text: str) -> tuple[list[dict[str, Any]], Places]:
    """The policies of a `.cedar` file, as a configuration file has them, and their places; `@id` names each.

    Raises InvalidPolicy.
    """
    try:
        statements = read(text)
    except Fault as fault:
        message = f"line {fault.line}, column {fault.column}: {fault.message}"
        raise InvalidPolicy(message) from None
    found: list[dict[str, Any]] = []
    places: Places = {}
    for statement in statements:
        notes, place = statement.annotations, statement.tokens[0]
        name = notes.get("id", "").removeprefix(MATRIX)
        if not name:
            message = f'line {place.line}, column {place.column}: this policy has no name; write @id("name") before it'
            raise InvalidPolicy(message)
        begins = statement.begins
        places[name] = begins.line, begins.column
        policy: dict[str, Any] = {"name": name, "cedar": statement.bare}
        if "description" in notes:
            policy["description"] = notes["description"]
        policy |= {flag: notes[flag] != "false" for flag in FLAGS if flag in notes}
        found.append(policy)
    return found, places
