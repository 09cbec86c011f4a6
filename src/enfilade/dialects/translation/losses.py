"""What a translation leaves out, by the names that the caller knows."""

from collections.abc import Mapping
from typing import NoReturn

from enfilade.dialects.errors import NotTranslatable


class Losses:
    """The account of one translation."""

    __slots__ = ("_names", "_strict", "_target", "dropped")

    def __init__(self, names: Mapping[str, str], target: str, *, strict: bool) -> None:
        """`names` are the caller's words for neutral settings, `target` the dialect that is translated into.

        When `strict`, nothing may be left out.
        """
        self._names = names
        self._target = target
        self._strict = strict
        self.dropped: list[str] = []

    def drop(self, name: str) -> None:
        """Leave out something without which the answer is much the same. Raises NotTranslatable when strict."""
        field = self._names.get(name, name)
        if self._strict:
            message = f"`{field}` has no place in {self._target}, and this application wants nothing left out."
            raise NotTranslatable(message, param=field)
        if field not in self.dropped:
            self.dropped.append(field)

    def refuse(self, name: str, why: str = "has no place there") -> NoReturn:
        """Without this the answer would be another one. Raises NotTranslatable."""
        field = self._names.get(name, name)
        message = f"The model is served in {self._target}; `{field}` {why}."
        raise NotTranslatable(message, param=field)
