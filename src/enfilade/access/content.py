"""What a version holds: the settings, the policies and the matrix of a tenant."""

import re
from typing import Literal

import msgspec

from enfilade.access.errors import InvalidAccess
from enfilade.access.schema import ATTRIBUTE_TYPES
from enfilade.access.types import DATA_CLASSES

POLICY_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,98}")
ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
RESERVED = frozenset({"if", "then", "else", "in", "is", "like", "has", "true", "false"})
MAX_POLICIES = 10_000
MAX_ROWS = 5_000
MAX_PATTERNS = 50
MATRIX = "matrix/"
"""How the names of policies begin that rows of the matrix compile to."""


class PolicySpec(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A policy as its author writes it."""

    name: str
    cedar: str
    description: str = ""
    visible: bool = True
    """Whether callers may know its name."""
    enabled: bool = True


class MatrixRow(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who may use which models, for what, with which data. What is empty sets no condition."""

    name: str
    departments: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """Names, and patterns with `*`."""
    use_cases: tuple[str, ...] = ()
    data_class: str = "internal"
    """The highest that is allowed."""
    approval: bool = False
    """Whether an approval is needed."""
    description: str = ""
    visible: bool = True
    enabled: bool = True


class Content(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All of a version."""

    default: Literal["deny", "allow"] = "deny"
    """What holds where no policy speaks."""
    use_cases: Literal["required", "known", "free"] = "free"
    """Whether a call must name a registered use case, or may name registered ones only, or any."""
    default_data_class: str = "internal"
    """Of calls whose use case says nothing."""
    second_person: bool = False
    """Whether somebody other than the author must approve a version."""
    attributes: dict[str, str] = {}
    """Attributes of users that policies may speak of, with their types."""
    policies: tuple[PolicySpec, ...] = ()
    matrix: tuple[MatrixRow, ...] = ()

    @property
    def rules(self) -> int:
        """How many policies and rows there are."""
        return len(self.policies) + len(self.matrix)


EMPTY = Content()


def check_form(content: Content) -> None:
    """Refuse names, numbers and words that do not fit. What policies say is checked elsewhere. Raises InvalidAccess."""
    _most(len(content.policies), MAX_POLICIES, "policies")
    _most(len(content.matrix), MAX_ROWS, "matrix")
    _data_class(content.default_data_class, "default_data_class")
    for name, kind in content.attributes.items():
        if not ATTRIBUTE_NAME.fullmatch(name) or name in RESERVED:
            message = (
                f"{name!r} is no name of an attribute: it must match {ATTRIBUTE_NAME.pattern}, and be no Cedar word"
            )
            raise InvalidAccess(message, param="attributes")
        if kind not in ATTRIBUTE_TYPES:
            message = f"{kind!r} is no type of an attribute; there are {', '.join(ATTRIBUTE_TYPES)}"
            raise InvalidAccess(message, param=f"attributes.{name}")
    _names([policy.name for policy in content.policies], "policies")
    _names([row.name for row in content.matrix], "matrix")
    for position, row in enumerate(content.matrix):
        _data_class(row.data_class, f"matrix[{position}].data_class")
        _most(sum("*" in model for model in row.models), MAX_PATTERNS, f"matrix[{position}].models")


def _names(names: list[str], param: str) -> None:
    seen: set[str] = set()
    for position, name in enumerate(names):
        if not POLICY_NAME.fullmatch(name):
            message = f"{name!r} is no name of a policy: it must match {POLICY_NAME.pattern}"
            raise InvalidAccess(message, param=f"{param}[{position}].name")
        if name in seen:
            message = f"there are two of the name {name!r}"
            raise InvalidAccess(message, param=f"{param}[{position}].name")
        seen.add(name)


def _most(count: int, most: int, param: str) -> None:
    if count > most:
        message = f"there are {count}; {most} are the most"
        raise InvalidAccess(message, param=param)


def _data_class(name: str, param: str) -> None:
    if name not in DATA_CLASSES:
        message = f"{name!r} is no data class; there are {', '.join(DATA_CLASSES)}"
        raise InvalidAccess(message, param=param)
