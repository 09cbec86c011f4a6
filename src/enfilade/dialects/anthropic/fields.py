"""A caller's objects, read field by field: each of its type, each fault with its place."""

from typing import Any, NoReturn, TypeVar

import msgspec

from enfilade.core.messages import CacheLife
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.errors import MissingField, WrongType

T = TypeVar("T")
Path = tuple[str | int, ...]

STRING = msgspec.json.Decoder(str | None)
FLAG = msgspec.json.Decoder(bool | None)
WHOLE = msgspec.json.Decoder(int | None)
NUMBER = msgspec.json.Decoder(float | None)
STRINGS = msgspec.json.Decoder(list[str] | None)
OBJECT = msgspec.json.Decoder(dict[str, Any] | None)
RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
RAW_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)

_KINDS: dict[int, str] = {
    id(STRING): "a string",
    id(FLAG): "true or false",
    id(WHOLE): "a whole number",
    id(NUMBER): "a number",
    id(STRINGS): "an array of strings",
    id(OBJECT): "an object",
    id(RAW_OBJECT): "an object",
    id(RAW_OBJECTS): "an array of objects",
}


def refuse(path: Path, what: str) -> NoReturn:
    """Raise WrongType for the field at that place."""
    where = ".".join(str(step) for step in path)
    message = f"`{where}` must be {what}."
    raise WrongType(message, param=where)


def decoded(decoder: "msgspec.json.Decoder[T]", raw: msgspec.Raw, path: Path) -> T:
    """A value of that decoder's type. Raises WrongType."""
    try:
        return decoder.decode(raw)
    except UNREADABLE:
        refuse(path, _KINDS[id(decoder)])


class Notes:
    """The fields that have no neutral meaning, without the places of the messages in which they stood."""

    __slots__ = ("foreign", "harmless")

    def __init__(self) -> None:
        """Start with none."""
        self.harmless: dict[str, None] = {}
        self.foreign: dict[str, None] = {}


class Fields:
    """One object of the caller's."""

    __slots__ = ("path", "raw")

    def __init__(self, raw: dict[str, msgspec.Raw], path: Path) -> None:
        """The object that stands at `path`."""
        self.raw = raw
        self.path = path

    def get(self, name: str, decoder: "msgspec.json.Decoder[T | None]") -> T | None:
        """A field's value; None when it is absent or null. Raises WrongType."""
        raw = self.raw.get(name)
        return None if raw is None else decoded(decoder, raw, (*self.path, name))

    def need(self, name: str, decoder: "msgspec.json.Decoder[T | None]") -> T:
        """A field's value. Raises WrongType, MissingField."""
        value = self.get(name, decoder)
        if value is None:
            where = ".".join(str(step) for step in (*self.path, name))
            message = f"`{where}` is required."
            raise MissingField(message, param=where)
        return value

    def inner(self, name: str) -> "Fields | None":
        """An object in this one; None when it is absent or null. Raises WrongType."""
        raw = self.get(name, RAW_OBJECT)
        return None if raw is None else Fields(raw, (*self.path, name))

    def cache(self) -> CacheLife | None:
        """The mark that ends a prefix to be cached. Raises WrongType."""
        mark = self.inner("cache_control")
        if mark is None:
            return None
        life = mark.get("ttl", STRING)
        if life not in {None, "5m", "1h"}:
            refuse((*mark.path, "ttl"), "`5m` or `1h`")
        return "1h" if life == "1h" else "5m"

    def note_others(self, known: frozenset[str], where: str, notes: Notes) -> None:
        """Note the fields that are not known: another dialect cannot take what we do not understand."""
        if self.raw.keys() <= known:
            return
        for name in self.raw.keys() - known:
            if not name.startswith("x_") and bytes(self.raw[name]) != b"null":
                notes.foreign[f"{where}{name}"] = None

    def note(self, name: str, where: str, notes: dict[str, None]) -> None:
        """Note a field if it is given."""
        raw = self.raw.get(name)
        if raw is not None and bytes(raw) not in {b"null", b"false", b"[]", b"{}"}:
            notes[f"{where}{name}"] = None
