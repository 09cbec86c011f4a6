"""The table of known models, and what it says together with an administrator's own words."""

import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files

import msgspec

from enfilade.gateway.errors import InvalidModel

ABILITIES = frozenset({"tools", "images", "documents", "audio", "json_schema", "reasoning"})
"""What a model can do. Whoever lists some of these for a model says that it has no others."""
SETTINGS = frozenset({"parallel_tools", "system", "temperature", "stop", "n", "logprobs", "seed", "caching"})
"""What a model takes. It takes them all, but those that are taken away with a minus."""
WORDS = ABILITIES | SETTINGS

_NEUTRAL: dict[str, tuple[str, ...]] = {
    "reasoning": ("thinking",),
    "parallel_tools": ("parallel_tool_calls",),
    "temperature": ("temperature", "top_p"),
    "n": ("choices",),
}
"""The settings of the neutral form behind a word, where they have other names."""


class Known(msgspec.Struct, frozen=True):
    """What the table says of some models."""

    names: tuple[str, ...]
    lacks: frozenset[str] = frozenset()
    max_output: int | None = None


NOTHING = Known(())


@lru_cache(maxsize=1)
def table() -> tuple[Known, ...]:
    """The table, read once."""
    text = files(__package__).joinpath("known.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["model"], tuple[Known, ...])


def known_of(model: str) -> Known:
    """What the table says of a model, by its provider's name for it."""
    name = model.lower()
    for entry in table():
        if any(fnmatchcase(name, pattern) for pattern in entry.names):
            return entry
    return NOTHING


def lacking(model: str, said: Sequence[str]) -> frozenset[str]:
    """What a model lacks: words of the table, and the neutral form's settings behind them.

    `said` are the administrator's words, perhaps none: abilities that are listed are all that there are, `-word` takes
    something away, and a setting that is listed is there whatever the table says.
    """
    lacks = known_of(model).lacks
    given = {word for word in said if not word.startswith("-")}
    if given & ABILITIES:
        lacks = (lacks - ABILITIES) | (ABILITIES - given)
    lacks = (lacks - given) | {word[1:] for word in said if word.startswith("-")}
    return lacks.union(*(_NEUTRAL.get(word, ()) for word in lacks))


def check_words(said: Sequence[str]) -> None:
    """Refuse, with InvalidModel, words that mean nothing."""
    for word in said:
        if word.removeprefix("-") not in WORDS:
            message = (
                f"{word!r} is no capability; there are {', '.join(sorted(WORDS))}, each also with a minus before it"
            )
            raise InvalidModel(message, param="capabilities")
