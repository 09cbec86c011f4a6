"""The text of Cedar policies, read for places: which policy begins where, and where a word stands.

The engine names no lines, and recursion in it ends the process when conditions are nested deeply; so the text is read
here first.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_TEXT = 1_000_000
MAX_DEPTH = 30
MAX_IFS = 20
MAX_CHAIN = 300
MAX_DOTS = 20

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<slot>\?[A-Za-z_]+)
    |(?P<number>\d+)
    |(?P<mark>::|==|!=|<=|>=|&&|\|\||[-<>+*!.,;:(){}\[\]@=])""",
    re.VERBOSE | re.DOTALL,
)
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|x([0-7][0-9a-fA-F])|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(_OPENING.values())
_WITH_LINES = frozenset({"space", "string"})
_CHAINED = frozenset({"&&", "||", "+", "-", "*", "!"})


class Token(NamedTuple):
    """A word, a mark, a number or a text, and where it stands."""

    kind: str
    text: str
    start: int
    line: int
    column: int

    @property
    def value(self) -> str:
        """What a text says."""
        return unescape(self.text[1:-1])


@dataclass(frozen=True, slots=True)
class Fault(Exception):
    """Something that does not fit, with its place."""

    message: str
    line: int
    column: int


@dataclass(slots=True)
class Statement:
    """One policy's text."""

    text: str
    tokens: list[Token] = field(default_factory=list)

    @property
    def effect(self) -> str:
        """permit or forbid, or what stands in its place."""
        return self.begins.text

    @property
    def annotations(self) -> dict[str, str]:
        """What `@name("text")` says."""
        tokens, found = self.tokens, {}
        for at, token in enumerate(tokens[:-3]):
            if token.text == "@" and tokens[at + 2].text == "(" and tokens[at + 3].kind == "string":
                found[tokens[at + 1].text] = tokens[at + 3].value
        return found

    @property
    def bare(self) -> str:
        """Without its annotations."""
        return self.text[self.begins.start - self.tokens[0].start :]

    @property
    def begins(self) -> Token:
        """Where it begins, after its annotations."""
        at, tokens = 0, self.tokens
        while at + 2 < len(tokens) and tokens[at].text == "@":
            at += 2
            if tokens[at].text == "(":
                at = next((n for n in range(at, len(tokens)) if tokens[n].text == ")"), len(tokens) - 2) + 1
        return tokens[min(at, len(tokens) - 1)]

    def find(self, *words: str) -> Token:
        """The first place of any of these words or texts, or else the beginning."""
        for word in words:
            bare = word.strip('"`')
            for token in self.tokens:
                if token.text in {word, bare} or (token.kind == "string" and token.value == bare):
                    return token
        return self.tokens[0]


def read(text: str) -> list[Statement]:
    """The policies of a text. Raises Fault for what cannot be read or is nested too deeply."""
    if len(text) > MAX_TEXT:
        message = f"the text has {len(text)} characters; {MAX_TEXT} are the most"
        raise Fault(message, 1, 1)
    if found := _HIDDEN.search(text):
        message = f"the character U+{ord(found.group()):04X} cannot be seen, and may not stand in a policy"
        raise Fault(message, *place(text, found.start()))
    statements: list[Statement] = []
    current: list[Token] = []
    for token in _tokens(text):
        current.append(token)
        if token.text == ";":
            statements.append(_statement(text, current))
            current = []
    if current:
        statements.append(_statement(text, current))
    return statements


def _statement(text: str, tokens: list[Token]) -> Statement:
    _check_depth(tokens)
    last = tokens[-1]
    return Statement(text[tokens[0].start : last.start + len(last.text)], tokens)


def _tokens(text: str) -> Iterator[Token]:
    at, line, begins = 0, 1, 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            message = "this text has no end" if text[at] == '"' else f"`{text[at]}` has no meaning here"
            raise Fault(message, line, at - begins + 1)
        kind, piece = found.lastgroup or "", found.group()
        if kind == "slot":
            message = f"`{piece}`: templates are not taken here; write the policy for whom it is"
            raise Fault(message, line, at - begins + 1)
        if kind != "space":
            yield Token(kind, piece, at, line, at - begins + 1)
        if kind in _WITH_LINES and (lines := piece.count("\n")):
            line += lines
            begins = at + piece.rindex("\n") + 1
        at = found.end()


def _check_depth(tokens: list[Token]) -> None:
    depth = ifs = chain = dots = 0
    for token in tokens:
        kind, text = token.kind, token.text
        if kind == "word":
            ifs += text == "if"
        elif kind != "mark":
            dots = 0
        elif text == ".":
            dots += 1
        else:
            dots = 0
            depth += (text in _OPENING) - (text in _CLOSING)
            chain += text in _CHAINED
        if depth > MAX_DEPTH or ifs > MAX_IFS or chain > MAX_CHAIN or dots > MAX_DOTS:
            message = (
                f"this is nested too deeply: at most {MAX_DEPTH} brackets in one another, {MAX_IFS} times `if`, "
                f"{MAX_CHAIN} operators and {MAX_DOTS} dots in a row; long lists are written as `[…].contains(…)`"
            )
            raise Fault(message, token.line, token.column)


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column of a position."""
    before = text[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1


def unexpected(statement: Statement, complaint: Callable[[str], str | None], named: str) -> Token:
    """Where a statement stops making sense: the first token with which its beginning is refused for good.

    `complaint` tells what the parser says of a text; a beginning that could go on ends unexpectedly, nothing more. The
    parser goes on for a little after a fault, so the token that it `named` may stand before that.
    """
    tokens, first = statement.tokens, statement.tokens[0].start
    low, high = 0, len(tokens) - 1
    while low < high:
        middle = (low + high) // 2
        token = tokens[middle]
        said = complaint(statement.text[: token.start + len(token.text) - first])
        if said is not None and said != "unexpected end of input":
            high = middle
        else:
            low = middle + 1
    return next((token for token in reversed(tokens[: low + 1]) if token.text == named), tokens[low])


def unescape(text: str) -> str:
    """What stands between quotation marks, without its escapes."""
    return _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else _SIMPLE.get(m[3], m[3]), text)


def quoted(text: str) -> str:
    """A text between quotation marks, as Cedar reads it."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in inner) + '"'
