"""Holds policies against the schema, and against what there is to be named."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Literal

import cedarpy
import msgspec

from enfilade.access.content import MATRIX, Content, PolicySpec
from enfilade.access.problems import Problem
from enfilade.access.reading import QUOTED, Reading
from enfilade.access.schema import schema_of, words
from enfilade.access.source import Fault, Token
from enfilade.access.types import DATA_CLASSES, RISK_TIERS

MAX_WARNINGS = 50
ZONES = ("on_premise", "private_cloud", "public_cloud")
FEW = 20
"""So few are held against the schema faster than other threads could run meanwhile."""


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


class Examiner:
    """Knows what the policies of one version may say."""

    def __init__(self, content: Content, known: Known) -> None:
        """`known` is what there is."""
        self._known = known
        self._words = words(content.attributes)
        self._schema = schema_of(tuple(sorted(content.attributes.items())))
        self._warnings = 0

    def examine(self, several: Sequence[Reading]) -> Iterator[Problem]:
        """What is wrong or odd with policies that parse."""
        for found in several:
            yield from self._names(found)
            yield from self._texts(found)
        yield from self._against_schema(several)

    def unread(self, spec: PolicySpec, fault: Fault) -> Problem:
        """What is wrong with one that does not."""
        lines = spec.cedar.split("\n")
        word = re.match(r"\w+", lines[fault.line - 1][fault.column - 1 :]) if fault.line <= len(lines) else None
        meant = self._meant(word.group(), (*self._words, "when", "unless", "permit", "forbid")) if word else None
        return Problem("error", spec.name, fault.message, fault.line, fault.column, meant)

    def _against_schema(self, several: Sequence[Reading]) -> Iterator[Problem]:
        told: set[tuple[str, int]] = set()
        text = "\n".join(found.statement.text for found in several)
        for error in cedarpy.validate_policies(text, self._schema, release_gil=len(several) > FEW).errors:
            for at in [int(error.policy_id[6:])] if error.policy_id.startswith("policy") else ():
                spec, statement = several[at].spec, several[at].statement
                message = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
                named = QUOTED.findall(message)
                place = statement.find(
                    *[p for name in named for p in (name, name.rpartition(".")[2], name.rpartition("::")[2])]
                )
                word = place.value if place.kind == "string" else place.text
                message = _plainer(message, word)
                # One fault is told of once for each action that the policy may be about.
                if (spec.name, place.start) not in told:
                    told.add((spec.name, place.start))
                    yield self._at(spec, message, place, self._meant(word, self._words))

    def _names(self, found: Reading) -> Iterator[Problem]:
        """Everything of the form `Type::"name"` exists."""
        kinds: dict[str, tuple[Collection[str], str]] = {
            "Department": (self._known.departments, "department"),
            "Application": (self._known.applications, "application"),
            "Role": (self._known.roles, "role"),
            "User": (self._known.users, "user"),
            "Key": (self._known.keys, "key"),
            "Provider": (self._known.providers, "provider"),
        }
        spec, tokens = found.spec, found.statement.tokens
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

    def _texts(self, found: Reading) -> Iterator[Problem]:
        """What circumstances are compared with can be what they are."""
        fixed = {
            ("context", "data_class"): (DATA_CLASSES, "data class"),
            ("context", "risk_tier"): (RISK_TIERS, "risk tier"),
            ("resource", "zone"): (ZONES, "zone"),
            ("resource", "provider"): (self._known.providers, "provider"),
            ("context", "use_case"): (self._known.use_cases, "use case"),
        }
        spec = found.spec
        for place, text in _compared(found.form["conditions"] if found.form is not None else []):
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
            yield self._at(spec, f"there is no {noun} {text!r}", found.statement.find(text), meant, severity)

    def _at(
        self,
        spec: PolicySpec,
        message: str,
        place: Token,
        meant: str | None,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        if spec.name.startswith(MATRIX):
            # Nobody wrote the text that a row compiles to.
            return Problem(severity, spec.name, message, meant=meant)
        return Problem(severity, spec.name, message, place.line, place.column, meant)

    def _meant(self, word: str, there: Iterable[str]) -> str | None:
        nearest = get_close_matches(word, there, 1, 0.75) if len(word) < 100 else []
        return nearest[0] if nearest and nearest[0] != word else None


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
    waiting = [body]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part[::-1]
        elif isinstance(part, dict):
            waiting += [operands for operands in part.values() if isinstance(operands, dict | list)][::-1]
            if "==" in part:
                yield from _pairs(part["=="]["left"], [part["=="]["right"]])
            elif "contains" in part and "Set" in part["contains"]["left"]:
                yield from _pairs(part["contains"]["right"], part["contains"]["left"]["Set"])


def _pairs(body: dict[str, Any], others: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, str], str]]:
    place = _attribute(body)
    if place is not None:
        yield from ((place, text) for other in others if isinstance(text := other.get("Value"), str))


def _attribute(body: dict[str, Any]) -> tuple[str, str] | None:
    inner = body.get(".")
    if inner is None or not isinstance(inner.get("left"), dict) or "Var" not in inner["left"]:
        return None
    return inner["left"]["Var"], inner["attr"]
