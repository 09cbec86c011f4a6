"""SCIM filters and paths (RFC 7644, sections 3.4.2.2 and 3.5.2), read into a tree. Long and deep ones are refused."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.identity.provisioning.errors import InvalidFilter, InvalidPath
from enfilade.identity.provisioning.schemas import URNS

MAX_LENGTH = 4000
MAX_DEPTH = 10
MAX_TERMS = 50
MAX_VALUE = 512
OPERATORS = frozenset({"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"})

Value = str | bool | int | float | None

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")|(?P<bracket>[()\[\]])|(?P<number>-?\d+(?:\.\d+)?(?![\w.:-]))"""
    r"""|(?P<word>\.?[A-Za-z$][A-Za-z0-9_$:.-]*))""",
    re.ASCII,
)
_NAME = re.compile(r"[A-Za-z$][A-Za-z0-9_$-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Path:
    """An attribute, or a part of it."""

    urn: str | None
    name: str
    sub: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """An attribute compared with a value; `pr` compares with nothing."""

    path: Path
    operator: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Combination:
    """`and` or `or` of several."""

    operator: str
    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """The opposite."""

    part: "Filter"


@dataclass(frozen=True, slots=True)
class Among:
    """Whether one value of a multi-valued attribute fits, as in `emails[type eq "work"]`."""

    path: Path
    condition: "Filter"


Filter = Comparison | Combination | Negation | Among


@dataclass(frozen=True, slots=True)
class ChangePath:
    """Where a change is made: an attribute, those of its values that a filter selects, and a part of them."""

    path: Path
    condition: Filter | None = None


def parse_filter(text: str) -> Filter:
    """The tree. Raises InvalidFilter."""
    if len(text) > MAX_LENGTH:
        message = f"A filter has at most {MAX_LENGTH} characters."
        raise InvalidFilter(message, param="filter")
    parser = _Parser(text)
    found = parser.disjunction(0)
    if parser.peek() is not None:
        raise parser.fault(f"nothing can stand where {parser.peek()!r} does")
    return found


def parse_path(text: str) -> Path:
    """An attribute's path, as in `name.givenName` or with a URN before it. Raises InvalidPath."""
    urn = next((known for known in URNS if text.lower().startswith(known.lower() + ":")), None)
    rest = text[len(urn) + 1 :] if urn else text
    name, dot, sub = rest.partition(".")
    if not _NAME.fullmatch(name) or (dot and not _NAME.fullmatch(sub)):
        message = f"{text[:100]!r} is no attribute's path."
        raise InvalidPath(message, param="path")
    return Path(urn, name, sub if dot else None)


def parse_change_path(text: str) -> ChangePath:
    """The path of a change, as in `members[value eq "1"]` or `emails[type eq "work"].value`. Raises InvalidPath."""
    if len(text) > MAX_LENGTH:
        message = f"A path has at most {MAX_LENGTH} characters."
        raise InvalidPath(message, param="path")
    head, bracket, rest = text.partition("[")
    if not bracket:
        return ChangePath(parse_path(text))
    condition, closing, sub = rest.rpartition("]")
    if not closing or (sub and not sub.startswith(".")):
        message = f"{text[:100]!r} is no path: a bracket is not closed."
        raise InvalidPath(message, param="path")
    path = parse_path(head + sub)
    try:
        return ChangePath(path, parse_filter(condition))
    except InvalidFilter as error:
        raise InvalidPath(error.message, param="path") from None


class _Parser:
    """Recursive descent; `not` binds tighter than `and`, and that tighter than `or`."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._terms = 0

    def peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def disjunction(self, depth: int) -> Filter:
        return self._chain("or", depth)

    def fault(self, what: str) -> InvalidFilter:
        return InvalidFilter(f"The filter cannot be read: {what}.", param="filter")

    def _chain(self, word: str, depth: int) -> Filter:
        parts = [self._chain("and", depth) if word == "or" else self._term(depth)]
        while self._is_word(word):
            self._at += 1
            parts.append(self._chain("and", depth) if word == "or" else self._term(depth))
        return parts[0] if len(parts) == 1 else Combination(word, tuple(parts))

    def _is_word(self, word: str) -> bool:
        token = self.peek()
        return token is not None and token.lower() == word

    def _next(self, wanted: str) -> str:
        token = self.peek()
        if token is None:
            raise self.fault(f"it ends where {wanted} is expected")
        self._at += 1
        return token

    def _close(self, bracket: str) -> None:
        if self._next(f"`{bracket}`") != bracket:
            raise self.fault(f"`{bracket}` is missing")

    def _term(self, depth: int) -> Filter:
        self._terms += 1
        if depth > MAX_DEPTH or self._terms > MAX_TERMS:
            raise self.fault(f"it has more than {MAX_TERMS} terms, or is nested deeper than {MAX_DEPTH}")
        if self._is_word("not") and self._following() == "(":
            self._at += 1
            return Negation(self._term(depth + 1))
        if self.peek() == "(":
            self._at += 1
            found = self.disjunction(depth + 1)
            self._close(")")
            return found
        path = self._path()
        if self.peek() == "[":
            self._at += 1
            condition = self.disjunction(depth + 1)
            self._close("]")
            return self._among(path, condition)
        return self._comparison(path)

    def _following(self) -> str | None:
        return self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else None

    def _path(self) -> Path:
        token = self._next("an attribute")
        if token[0] in '"()[]-0123456789.':
            raise self.fault(f"{token[:50]!r} is no attribute")
        try:
            return parse_path(token)
        except InvalidPath as error:
            raise InvalidFilter(error.message, param="filter") from None

    def _among(self, path: Path, condition: Filter) -> Filter:
        """`emails[type eq "work"].value eq "…"` is not in the grammar, and sent all the same."""
        token = self.peek()
        if token is None or not token.startswith("."):
            return Among(path, condition)
        self._at += 1
        comparison = self._comparison(Path(None, token[1:]))
        return Among(path, Combination("and", (condition, comparison)))

    def _comparison(self, path: Path) -> Filter:
        operator = self._next("an operator").lower()
        if operator == "pr":
            return Comparison(path, operator)
        if operator not in OPERATORS:
            raise self.fault(f"{operator[:50]!r} is no operator")
        return Comparison(path, operator, self._value())

    def _value(self) -> Value:
        token = self._next("a value")
        words: dict[str, Value] = {"true": True, "false": False, "null": None}
        if token.lower() in words:
            return words[token.lower()]
        if not token.startswith('"') and token[0] not in "-0123456789":
            raise self.fault(f"{token[:50]!r} is no value: texts stand in double quotes")
        try:
            value: Value = msgspec.json.decode(token.encode())
        except UNREADABLE:
            raise self.fault("a value is no JSON") from None
        if isinstance(value, str) and (len(value) > MAX_VALUE or "\x00" in value):
            raise self.fault(f"a text has at most {MAX_VALUE} characters, and no NUL")
        return value


def _tokens(text: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            message = f"The filter cannot be read at {text[at : at + 20]!r}."
            raise InvalidFilter(message, param="filter")
        yield match[match.lastgroup or 0]
        at = match.end()
