"""Policies as the program works with them: whom and what each can concern, and which circumstances it looks at.

This is found out once, when a version is written, and kept with it: whoever starts with thousands of tenants has
nothing to parse. Only the few policies that can concern a question are parsed, when it is first asked.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import cedarpy
import msgspec

from enfilade.access.content import MATRIX, Content, PolicySpec
from enfilade.access.matrix import cedar_of
from enfilade.access.schema import CONTEXT
from enfilade.access.source import Statement, Token, read

FORM = 1
"""Grows when what is found out changes; what was kept in another form is found out again."""
MAX_SLICES = 2_000


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
    text = statement.bare
    form = structure_of(text)
    reach: dict[str, Any] = {"actions": None, "principals": None, "resources": None}
    if form is not None:
        reach["actions"] = _actions(form["action"])
        reach["principals"] = _entities(form, "principal")
        reach["resources"] = _entities(form, "resource")
    return CompiledPolicy(
        spec.name, statement.effect, text, spec.visible, mentions=tuple(sorted(mentions_of(statement))), **reach
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
    for condition in form["conditions"]:
        if condition["kind"] != "when":
            continue
        for clause in _conjuncts(condition["body"]):
            found = _named(clause, variable)
            if found is not None:
                return tuple(dict.fromkeys(found))
    return None


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


def _uid(entity: dict[str, str]) -> str:
    return f"{entity['type']}::{entity['id']}"


class Slice:
    """The policies that can concern one kind of question, parsed."""

    __slots__ = ("names", "policies")

    def __init__(self, policies: Sequence[CompiledPolicy]) -> None:
        """Parse them. Raises ValueError for what the engine no longer reads."""
        self.names = [policy.name for policy in policies]
        self.policies = cedarpy.PolicySet.from_str("\n".join(policy.text for policy in policies))


class PolicyTable:
    """A tenant's policies, found by whom and what they concern."""

    def __init__(self, policies: Sequence[CompiledPolicy]) -> None:
        """Index them."""
        self.policies = policies
        self.by_name = {policy.name: policy for policy in policies}
        self.mentions = frozenset(name for policy in policies for name in policy.mentions)
        self._by_action = _index(policies, lambda policy: policy.actions)
        self._by_principal = _index(policies, lambda policy: policy.principals)
        self._by_resource = _index(policies, lambda policy: policy.resources)
        self._slices: dict[frozenset[int], Slice] = {}

    def slice(self, principals: Iterable[str], action: str, resources: Iterable[str]) -> Slice | None:
        """Those that can concern a caller (with all that they belong to), an action and a resource; None: none can."""
        found = _pick(self._by_action, (action,))
        found &= _pick(self._by_principal, principals)
        found &= _pick(self._by_resource, resources)
        if not found:
            return None
        key = frozenset(found)
        slice_ = self._slices.get(key)
        if slice_ is None:
            if len(self._slices) >= MAX_SLICES:
                self._slices.clear()
            slice_ = self._slices[key] = Slice([self.policies[position] for position in sorted(key)])
        return slice_


Index = dict[str | None, set[int]]


def _index(policies: Sequence[CompiledPolicy], names: Callable[[CompiledPolicy], tuple[str, ...] | None]) -> Index:
    index: Index = {None: set()}
    for position, policy in enumerate(policies):
        for name in names(policy) or ((None,) if names(policy) is None else ()):
            index.setdefault(name, set()).add(position)
    return index


def _pick(index: Index, names: Iterable[str]) -> set[int]:
    found = set(index[None])
    for name in names:
        if (more := index.get(name)) is not None:
            found |= more
    return found
