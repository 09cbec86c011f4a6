"""Usage as it is written for callers: every figure that their dialect has a place for, and totals that always hold."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.usage import Usage
from enfilade.dialects.gemini import usage as gemini
from enfilade.dialects.members.anthropic_messages import usage as anthropic
from enfilade.dialects.members.openai_responses import usage as responses
from enfilade.dialects.openai import usage as openai
from enfilade.dialects.usage import Table
from tests.support.properties import examples

COUNT = st.integers(0, 30)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A usage with some of each kind, and some of none."""
    inside = {
        name: draw(COUNT)
        for name in Usage.__struct_fields__
        if name.endswith("input_tokens") and name != "input_tokens"
    }
    inside |= {name: draw(COUNT) for name in ("cache_write_tokens", "cache_write_1h_tokens")}
    outside = {name: draw(COUNT) for name in ("reasoning_tokens", "audio_output_tokens", "image_output_tokens")}
    return Usage(
        input_tokens=sum(inside.values()) + draw(st.integers(1, 30)),
        output_tokens=sum(outside.values()) + draw(st.integers(1, 30)),
        web_searches=draw(COUNT),
        **inside,
        **outside,
    )


def without(usage: Usage, *names: str) -> Usage:
    """The usage when figures of these kinds count as plain ones."""
    return msgspec.structs.replace(usage, **dict.fromkeys(names, 0))


def with_all_cached(usage: Usage) -> Usage:
    """The usage when nobody says which cached tokens were media."""
    plain = without(usage, "cached_audio_input_tokens", "cached_image_input_tokens")
    return msgspec.structs.replace(plain, cached_input_tokens=usage.all_cached_input)


def for_openai(usage: Usage) -> Usage:
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return msgspec.structs.replace(usage, cache_write_tokens=written, cache_write_1h_tokens=0, web_searches=0)


def for_anthropic(usage: Usage) -> Usage:
    media = ("audio_input_tokens", "image_input_tokens", "audio_output_tokens", "image_output_tokens")
    return without(with_all_cached(usage), *media)


def for_google(usage: Usage) -> Usage:
    return without(usage, "cache_write_tokens", "cache_write_1h_tokens", "web_searches")


WRITERS: dict[str, tuple[Callable[[Usage], Any], Table, Callable[[Usage], Usage]]] = {
    "openai_chat": (openai.usage_object, openai.CHAT, for_openai),
    "openai_responses": (responses.usage_object, responses.RESPONSES, for_openai),
    "anthropic_messages": (anthropic.usage_object, anthropic.MESSAGES, for_anthropic),
    "gemini_generate": (gemini.usage_object, gemini.GENERATE, for_google),
}
WRITER = pytest.mark.parametrize("dialect", WRITERS)


@WRITER
@examples(40)
@given(usage=usages())
def test_what_is_written_reads_as_it_was_meant(dialect: str, usage: Usage) -> None:
    write, table, kept = WRITERS[dialect]
    if dialect.startswith("openai"):
        # OpenAI's dialects have no place for cached media: what is cached and what is media may overlap there.
        usage = without(usage, "cached_audio_input_tokens", "cached_image_input_tokens")
    assert table.read(json.dumps(write(usage)).encode()) == kept(usage)


@WRITER
@examples(40)
@given(usage=usages())
def test_totals_hold_and_nothing_is_impossible(dialect: str, usage: Usage) -> None:
    write, table, _ = WRITERS[dialect]
    told = table.read(json.dumps(write(usage)).encode())
    assert told is not None
    assert told.is_plausible()
    assert (told.input_tokens, told.output_tokens) == (usage.input_tokens, usage.output_tokens)


@WRITER
def test_a_usage_of_nothing_is_written_without_media(dialect: str) -> None:
    write, _, _ = WRITERS[dialect]
    written = json.dumps(write(Usage(3, output_tokens=1)))
    assert "image" not in written
    assert "AUDIO" not in written
    assert "server_tool_use" not in written
