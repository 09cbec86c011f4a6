"""Policies as the program works with them: whom and what each can concern, and which circumstances it looks at.

This is found out once, when a version is written, and kept with it: whoever starts with thousands of tenants has
nothing to parse. Only the few policies that can concern a question are parsed, when it is first asked (`table.py`).
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cedarpy
import msgspec

from enfilade.access.content import MATRIX, Content, PolicySpec
from enfilade.access.matrix import cedar_of
from enfilade.access.schema import CONTEXT
from enfilade.access.source import Statement, Token, read

FORM = 2
"""Grows when what is found out changes; what was kept in another form is found out again."""
_USE_CASE = {".": {"left": {"Var": "context"}, "attr": "use_case"}}


class CompiledPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """One policy that is in force."""

    name: str
    effect: str
    text: str
    """One statement, without annotations."""
    visible: bool = True
    actions: tuple[str, ...] | None = None
    principals: tuple[str, ...] | None = None
    """It concerns only who is one of these, or belongs to one; None: everybody."""
    resources: tuple[str, ...] | None = None
    use_cases: tuple[str, ...] | None = None
    """It concerns only what is done for one of these; None: for whatever."""
    mentions: tuple[str, ...] = ()
    """Which circumstances it looks at."""


class Compiled(msgspec.Struct, frozen=True):
    """A version as it is kept."""

    form: int
    policies: tuple[CompiledPolicy, ...] = ()


def compile_content(content: Content) -> Compiled:
    """All enabled policies and rows. What is given was checked."""
    return Compiled(FORM, tuple(compile_policy(spec) for spec in all_policies(content) if spec.enabled))


def all_policies(content: Content) -> tuple[PolicySpec, ...]:
    """The policies, and those that the rows of the matrix compile to."""
    rows = (
        PolicySpec(MATRIX + row.name, cedar_of(row), row.description, row.visible, row.enabled)
        for row in content.matrix
    )
    return (*content.policies, *rows)


def compile_policy(spec: PolicySpec) -> CompiledPolicy:
    """See `Compiled`."""
    statement = read(spec.cedar)[0]
    return compiled_of(spec, statement, structure_of(statement.bare))


def compiled_of(spec: PolicySpec, statement: Statement, form: dict[str, Any] | None) -> CompiledPolicy:
    """The same, of a policy that has been read; `form` is its structure."""
    reach: dict[str, Any] = {}
    if form is not None:
        reach["actions"] = _actions(form["action"])
        reach["principals"] = _entities(form, "principal")
        reach["resources"] = _entities(form, "resource")
        reach["use_cases"] = _first(_conditions(form), _use_cases)
    return CompiledPolicy(
        spec.name,
        statement.effect,
        statement.bare,
        spec.visible,
        mentions=tuple(sorted(mentions_of(statement))),
        **reach,
    )


def structure_of(text: str) -> dict[str, Any] | None:
    """A policy as the engine's JSON, or None where that nests too deeply for it."""
    try:
        form: dict[str, Any] = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]["policy0"]
    except (ValueError, KeyError, RecursionError):
        return None
    return form


def mentions_of(statement: Statement) -> set[str]:
    """The circumstances that a policy looks at; all of them where that cannot be told."""
    tokens = [*statement.tokens, *[Token("end", "", 0, 0, 0)] * 3]
    found: set[str] = set()
    for at, token in enumerate(tokens[:-3]):
        if token.kind != "word" or token.text != "context" or (at and tokens[at - 1].text == "."):
            continue
        follows, name = tokens[at + 1], tokens[at + 2]
        if follows.text == "." and name.text in CONTEXT:
            found.add(name.text)
        elif follows.text in {"[", "has"} and name.kind == "string" and name.value in CONTEXT:
            found.add(name.value)
        else:
            return set(CONTEXT)
    return found


def _actions(scope: dict[str, Any]) -> tuple[str, ...] | None:
    if scope["op"] == "All":
        return None
    entities = scope.get("entities") or [scope["entity"]]
    return tuple(entity["id"] for entity in entities)


def _entities(form: dict[str, Any], variable: str) -> tuple[str, ...] | None:
    """Whom a policy can concern, from its scope, or from a condition that must hold whatever else does."""
    scope = form[variable]
    inner = scope if scope["op"] in {"==", "in"} else scope.get("in")
    if inner is not None:
        return (_uid(inner["entity"]),)
    return _first(_conditions(form), lambda clause: _named(clause, variable))


def _first(
    clauses: Iterable[dict[str, Any]], names: Callable[[dict[str, Any]], list[str] | None]
) -> tuple[str, ...] | None:
    for clause in clauses:
        found = names(clause)
        if found is not None:
            return tuple(dict.fromkeys(found))
    return None


def _conditions(form: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What must hold whatever else does."""
    for condition in form["conditions"]:
        if condition["kind"] == "when":
            yield from _conjuncts(condition["body"])


def _conjuncts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "&&" in body:
        yield from _conjuncts(body["&&"]["left"])
        yield from _conjuncts(body["&&"]["right"])
    else:
        yield body


def _named(clause: dict[str, Any], variable: str) -> list[str] | None:
    if "||" in clause:
        left, right = _named(clause["||"]["left"], variable), _named(clause["||"]["right"], variable)
        return None if left is None or right is None else left + right
    for operator in ("in", "=="):
        if operator in clause and clause[operator]["left"] == {"Var": variable}:
            right = clause[operator]["right"]
            entries = right.get("Set", [right])
            if all(isinstance(e.get("Value"), dict) and "__entity" in e["Value"] for e in entries):
                return [_uid(entry["Value"]["__entity"]) for entry in entries]
    return None


def _use_cases(clause: dict[str, Any]) -> list[str] | None:
    if "||" in clause:
        left, right = _use_cases(clause["||"]["left"]), _use_cases(clause["||"]["right"])
        return None if left is None or right is None else left + right
    if "==" in clause:
        sides = clause["=="]["left"], clause["=="]["right"]
        values = [side["Value"] for side in sides if isinstance(side.get("Value"), str)]
        return values if _USE_CASE in sides and values else None
    if "contains" in clause and clause["contains"]["right"] == _USE_CASE:
        entries = clause["contains"]["left"].get("Set")
        if entries is not None and all(isinstance(entry.get("Value"), str) for entry in entries):
            return [entry["Value"] for entry in entries]
    return None


def _uid(entity: dict[str, str]) -> str:
    return f"{entity['type']}::{entity['id']}"
