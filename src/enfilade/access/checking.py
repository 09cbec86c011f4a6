"""Whether policies can be published: they parse, fit the schema, and name what there is. Places are told."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Literal

import cedarpy
import msgspec

from enfilade.access.compiled import all_policies, structure_of
from enfilade.access.content import Content, PolicySpec, check_form
from enfilade.access.contradictions import contradictions
from enfilade.access.errors import InvalidPolicy
from enfilade.access.schema import schema_of, words
from enfilade.access.source import Fault, Statement, Token, read, unexpected
from enfilade.access.types import DATA_CLASSES, RISK_TIERS

MAX_PROBLEMS = 100
MAX_WARNINGS = 50
ZONES = ("on_premise", "private_cloud", "public_cloud")
_QUOTED = re.compile(r"`([^`]*)`")


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something wrong, or odd, with a policy."""

    severity: Literal["error", "warning"]
    policy: str
    message: str
    line: int | None = None
    column: int | None = None
    meant: str | None = None
    """What was probably meant."""

    def __str__(self) -> str:
        """For people."""
        place = f", line {self.line}, column {self.column}" if self.line is not None else ""
        meant = f"; did you mean {self.meant!r}?" if self.meant else ""
        return f"{self.policy}{place}: {self.message}{meant}"


class Known(msgspec.Struct, frozen=True):
    """What policies of a tenant may name."""

    models: frozenset[str] = frozenset()
    """Names, and patterns with `*` at their end."""
    aliases: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    applications: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    use_cases: frozenset[str] = frozenset()

    def has_model(self, name: str) -> bool:
        """Whether the catalogue has a model of that name, or one that stands for it."""
        return name in self.models or any(fnmatchcase(name, known) for known in self.models if known.endswith("*"))


def check(content: Content, known: Known) -> list[Problem]:
    """Everything wrong or odd, errors first. Raises InvalidAccess for a wrong form."""
    check_form(content)
    checker = _Checker(content, known)
    problems: list[Problem] = []
    errors = 0
    for problem in checker.problems():
        problems.append(problem)
        errors += problem.severity == "error"
        if errors == MAX_PROBLEMS:
            break
    if not any(problem.severity == "error" for problem in problems):
        problems += [
            Problem("warning", name, message)
            for name, message in contradictions(content, [(s.name, f) for s, f in checker.structures])
        ]
    return sorted(problems, key=lambda problem: problem.severity)[:MAX_PROBLEMS]


def require_sound(problems: Sequence[Problem]) -> None:
    """Raise InvalidPolicy when there is an error among them."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if not errors:
        return
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    details = {"problems": [msgspec.to_builtins(problem) for problem in problems]}
    raise InvalidPolicy(f"{errors[0]}{others}", param=errors[0].policy, details=details)


class _Checker:
    """Goes through the policies of one version."""

    def __init__(self, content: Content, known: Known) -> None:
        self._known = known
        self._words = words(content.attributes)
        self._attributes = tuple(sorted(content.attributes.items()))
        self._specs = all_policies(content)
        self.structures: list[tuple[PolicySpec, dict[str, Any]]] = []
        self._warnings = 0

    def problems(self) -> Iterator[Problem]:
        """Those that parse are held against the schema all at once."""
        sound: list[tuple[PolicySpec, Statement]] = []
        for spec in self._specs:
            try:
                statement = _parsed(spec)
            except Fault as fault:
                yield self._problem(spec, fault.message, fault.line, fault.column)
                continue
            sound.append((spec, statement))
            yield from self._names(spec, statement)
            form = structure_of(statement.text)
            if form is not None:
                self.structures.append((spec, form))
                yield from self._texts(spec, statement, form)
        yield from self._schema(sound)

    def _schema(self, sound: list[tuple[PolicySpec, Statement]]) -> Iterator[Problem]:
        schema = schema_of(self._attributes)
        told: set[tuple[str, int]] = set()
        text = "\n".join(statement.text for _, statement in sound)
        for error in cedarpy.validate_policies(text, schema).errors:
            for at in [int(error.policy_id[6:])] if error.policy_id.startswith("policy") else ():
                spec, statement = sound[at]
                message = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
                named = _QUOTED.findall(message)
                place = statement.find(
                    *[p for name in named for p in (name, name.rpartition(".")[2], name.rpartition("::")[2])]
                )
                word = place.value if place.kind == "string" else place.text
                message = _plainer(message, word)
                # One fault is told of once for each action that the policy may be about.
                if (spec.name, place.start) not in told:
                    told.add((spec.name, place.start))
                    yield self._at(spec, message, place, self._meant(word, self._words))

    def _names(self, spec: PolicySpec, statement: Statement) -> Iterator[Problem]:
        """Everything of the form `Type::"name"` exists."""
        kinds: dict[str, tuple[Collection[str], str]] = {
            "Department": (self._known.departments, "department"),
            "Application": (self._known.applications, "application"),
            "Role": (self._known.roles, "role"),
            "User": (self._known.users, "user"),
            "Key": (self._known.keys, "key"),
            "Provider": (self._known.providers, "provider"),
        }
        tokens = statement.tokens
        for kind, mark, name in zip(tokens, tokens[1:], tokens[2:], strict=False):
            if mark.text != "::" or name.kind != "string":
                continue
            if kind.text == "Model" and not self._known.has_model(name.value):
                if name.value in self._known.aliases:
                    message = f"{name.value!r} is an alias; policies speak of the models behind it"
                    yield self._at(spec, message, name, None)
                else:
                    meant = self._meant(name.value, self._known.models)
                    yield self._at(spec, f"there is no model {name.value!r}", name, meant)
            elif kind.text in kinds and name.value not in kinds[kind.text][0]:
                there, noun = kinds[kind.text]
                message = f"there is no {noun} {name.value!r}"
                yield self._at(spec, message, name, self._meant(name.value, there))

    def _texts(self, spec: PolicySpec, statement: Statement, form: dict[str, Any]) -> Iterator[Problem]:
        """What circumstances are compared with can be what they are."""
        fixed = {
            ("context", "data_class"): (DATA_CLASSES, "data class"),
            ("context", "risk_tier"): (RISK_TIERS, "risk tier"),
            ("resource", "zone"): (ZONES, "zone"),
            ("resource", "provider"): (self._known.providers, "provider"),
            ("context", "use_case"): (self._known.use_cases, "use case"),
        }
        for place, text in _compared(form["conditions"]):
            there, noun = fixed.get(place, (None, ""))
            if place == ("resource", "model") and not self._known.has_model(text):
                there, noun = self._known.models, "model"
            if there is None or text in there or text == "":
                continue
            # Use cases may be named freely where the tenant says so: what is not registered may be meant all the same.
            severity: Literal["error", "warning"] = "warning" if noun == "use case" else "error"
            if severity == "warning":
                self._warnings += 1
                if self._warnings > MAX_WARNINGS:
                    continue
            meant = self._meant(text, there)
            token = statement.find(text)
            yield Problem(severity, spec.name, f"there is no {noun} {text!r}", token.line, token.column, meant)

    def _at(self, spec: PolicySpec, message: str, place: Token, meant: str | None) -> Problem:
        return Problem("error", spec.name, message, place.line, place.column, meant)

    def _problem(self, spec: PolicySpec, message: str, line: int, column: int) -> Problem:
        lines = spec.cedar.split("\n")
        found = re.match(r"\w+", lines[line - 1][column - 1 :]) if line <= len(lines) else None
        meant = self._meant(found.group(), (*self._words, "when", "unless", "permit", "forbid")) if found else None
        return Problem("error", spec.name, message, line, column, meant)

    def _meant(self, word: str, there: Iterable[str]) -> str | None:
        nearest = get_close_matches(word, there, 1, 0.75) if len(word) < 100 else []
        return nearest[0] if nearest and nearest[0] != word else None


def _parsed(spec: PolicySpec) -> Statement:
    """The one statement of a policy. Raises Fault."""
    statements = read(spec.cedar)
    if len(statements) != 1:
        first = statements[1].tokens[0] if statements else None
        message = f"a policy is one statement; here are {len(statements)}"
        raise Fault(message, first.line if first else 1, first.column if first else 1)
    statement = statements[0]
    complaint = _complaint(statement.text)
    if complaint is None:
        return statement
    if complaint == "unexpected end of input":
        last = statement.tokens[-1]
        raise Fault("something is missing after this, perhaps a `;`", last.line, last.column + len(last.text))
    named = _QUOTED.findall(complaint) or [complaint.rpartition(": ")[2]]
    token = (
        unexpected(statement, _complaint, named[0]) if complaint.startswith("unexpected") else statement.find(*named)
    )
    raise Fault(complaint, token.line, token.column)


def _complaint(text: str) -> str | None:
    try:
        cedarpy.PolicySet.from_str(text)
    except ValueError as error:
        return str(error)
    return None


def _plainer(message: str, word: str) -> str:
    if message.startswith("unable to find an applicable action"):
        return (
            "no action applies to such a principal and resource: a call is of a deployment, so a model is written as "
            '`resource in Model::"…"`'
        )
    if message.startswith("attribute `") and message.endswith("not found"):
        return f"there is no attribute {word!r} here ({message})"
    if "optional attribute" in message:
        return f"{message}: ask `principal.attributes has …` first"
    return message


def _compared(body: Any) -> Iterator[tuple[tuple[str, str], str]]:
    """Texts with which an attribute of a variable is compared."""
    if isinstance(body, list):
        for entry in body:
            yield from _compared(entry)
    if not isinstance(body, dict):
        return
    for operator, operands in body.items():
        if (
            operator == "=="
            and (place := _attribute(operands["left"]))
            and isinstance(operands["right"].get("Value"), str)
        ):
            yield place, operands["right"]["Value"]
        elif operator == "contains" and (place := _attribute(operands["right"])) and "Set" in operands["left"]:
            for entry in operands["left"]["Set"]:
                if isinstance(entry.get("Value"), str):
                    yield place, entry["Value"]
        if isinstance(operands, dict | list):
            yield from _compared(operands)


def _attribute(body: dict[str, Any]) -> tuple[str, str] | None:
    inner = body.get(".")
    if inner is None or not isinstance(inner.get("left"), dict) or "Var" not in inner["left"]:
        return None
    return inner["left"]["Var"], inner["attr"]
