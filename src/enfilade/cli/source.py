"""Configuration files: read, merged, and remembered by line, so that an error can say where it is."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from enfilade.configuration.errors import UnreadableSource
from enfilade.core.errors import EnfiladeError

FromVault = Callable[[str], str]
"""Reads `PATH#FIELD` from the Vault of this machine's settings. Raises EnfiladeError."""
PLAIN = (str, int, float, date, type(None))
SUFFIXES = {".yaml", ".yml", ".json"}
NAMED_BY = ("name", "email")
MAX_FILE_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands."""

    file: str
    line: int

    def __str__(self) -> str:
        """As editors and terminals link it."""
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class Located:
    """A value with its place. Mappings and lists hold located values."""

    value: Any
    place: Place

    def plain(self) -> Any:
        """The value without places; dates as text."""
        if isinstance(self.value, dict):
            return {name: entry.plain() for name, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        if isinstance(self.value, date | datetime):
            return self.value.isoformat()
        return self.value


class Source:
    """One document made of all files."""

    def __init__(self, root: Located) -> None:
        """Hold the merged document."""
        self._root = root

    @property
    def content(self) -> Any:
        """The document without places."""
        return self._root.plain()

    def place_of(self, path: str) -> Place:
        """The place of what a path such as `tenants[0].limits[2].per` leads to, or of the last step that exists."""
        current = self._root
        for step in path.replace("[", ".[").split("."):
            if not step:
                continue
            following: Located | None = None
            if step.startswith("[") and isinstance(current.value, list):
                index = int(step[1:-1])
                following = current.value[index] if index < len(current.value) else None
            elif isinstance(current.value, dict):
                following = current.value.get(step)
            if following is None:
                break
            current = following
        return current.place

    def resolve_key_secrets(self, environment: Mapping[str, str], from_vault: FromVault) -> None:
        """Read the secrets of keys and issuers here, where the document is: the server never sees where they came from.

        Raises UnreadableSource for a variable, a file or a secret in Vault that is not there.
        """
        for keys in [self._root, *_entries(self._root, "tenants")]:
            for key in _entries(keys, "keys"):
                secret = key.value.get("secret") if isinstance(key.value, dict) else None
                if secret is not None and isinstance(secret.value, dict):
                    _resolve(secret, environment, from_vault)
            for issuer in _entries(keys, "issuers"):
                secret = issuer.value.get("client_secret") if isinstance(issuer.value, dict) else None
                if secret is not None and isinstance(secret.value, dict):
                    _resolve(secret, environment, from_vault)


def _entries(node: Located, name: str) -> Sequence[Located]:
    found = node.value.get(name) if isinstance(node.value, dict) else None
    return found.value if found is not None and isinstance(found.value, list) else []


def _resolve(secret: Located, environment: Mapping[str, str], from_vault: FromVault) -> None:
    if (name := secret.value.get("env")) is not None:
        value = environment.get(str(name.value))
        if not value:
            message = f"{name.place}: the environment variable {name.value} is not set"
            raise UnreadableSource(message)
    elif (path := secret.value.get("file")) is not None:
        try:
            value = Path(str(path.value)).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            message = f"{path.place}: the file {path.value} cannot be read: {error}"
            raise UnreadableSource(message) from None
    elif (where := secret.value.get("vault")) is not None:
        try:
            value = from_vault(str(where.value))
        except EnfiladeError as error:
            message = f"{where.place}: {error.message}"
            raise UnreadableSource(message) from None
    else:
        return
    secret.value = {"value": Located(value, secret.place)}


def read_sources(paths: Sequence[Path]) -> Source:
    """Read files, and all configuration files in folders, as one document. Raises UnreadableSource."""
    merged: Located | None = None
    for path in _files(paths):
        document = _read(path)
        merged = document if merged is None else _merge(merged, document)
    if merged is None:
        message = "there is no configuration file"
        raise UnreadableSource(message)
    return Source(merged)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(entry for entry in path.rglob("*") if entry.suffix in SUFFIXES and entry.is_file())
            if not found:
                message = f"{path}: the folder holds no .yaml, .yml or .json file"
                raise UnreadableSource(message)
            files += found
        else:
            files.append(path)
    return files


def _read(path: Path) -> Located:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            message = f"{path}: the file is larger than {MAX_FILE_BYTES} bytes"
            raise UnreadableSource(message)
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UnreadableSource(message) from None
    except UnicodeDecodeError as error:
        message = f"{path}: not valid UTF-8 (byte {error.start})"
        raise UnreadableSource(message) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not valid YAML"
        message = f"{path}:{mark.line + 1}: {problem}" if mark else f"{path}: {problem}"
        raise UnreadableSource(message) from None
    if node is None:
        return Located({}, Place(str(path), 1))
    located = _locate(node, str(path))
    if not isinstance(located.value, dict):
        message = f"{path}:1: the document must be a mapping"
        raise UnreadableSource(message)
    return located


def _locate(node: yaml.Node, file: str) -> Located:
    place = Place(file, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Located] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in entries:
                message = f"{file}:{key.start_mark.line + 1}: {name!r} stands here twice"
                raise UnreadableSource(message)
            entries[name] = _locate(value, file)
            if isinstance(value, yaml.ScalarNode):
                entries[name].place = Place(file, key.start_mark.line + 1)
        return Located(entries, place)
    if isinstance(node, yaml.SequenceNode):
        return Located([_locate(entry, file) for entry in node.value], place)
    try:
        value = yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError):
        value = math.nan
    if not isinstance(value, PLAIN) or (isinstance(value, float) and not math.isfinite(value)):
        message = f"{place}: {getattr(node, 'value', '')!r} cannot be read"
        raise UnreadableSource(message)
    return Located(value, place)


def _merge(first: Located, second: Located) -> Located:
    """Two documents as one: lists are joined, entries of the same name are merged, values must not differ."""
    if isinstance(first.value, dict) and isinstance(second.value, dict):
        merged = dict(first.value)
        for name, entry in second.value.items():
            merged[name] = _merge(merged[name], entry) if name in merged else entry
        return Located(merged, first.place)
    if isinstance(first.value, list) and isinstance(second.value, list):
        return Located(_join(first.value, second.value), first.place)
    if first.value != second.value:
        message = f"{second.place}: {second.value!r} contradicts {first.value!r} in {first.place}"
        raise UnreadableSource(message)
    return first


def _join(first: list[Located], second: list[Located]) -> list[Located]:
    joined = list(first)
    for entry in second:
        name = _name(entry)
        position = next((i for i, known in enumerate(joined) if name is not None and _name(known) == name), None)
        if position is None:
            joined.append(entry)
        else:
            joined[position] = _merge(joined[position], entry)
    return joined


def _name(entry: Located) -> object:
    if not isinstance(entry.value, dict):
        return None
    return next((entry.value[name].value for name in NAMED_BY if name in entry.value), None)
