"""What models can do, and what is refused before it is asked of one that cannot."""

from typing import Any

import pytest

from enfilade.dialects.translation.passage import Translator
from enfilade.gateway.capabilities.known import ABILITIES, WORDS, check_words, known_of, lacking, table
from enfilade.gateway.errors import CapabilityMissing, InvalidModel
from enfilade.gateway.resolve import resolve
from enfilade.gateway.types import Call, ModelSpec
from tests.unit.gateway.parts import DIALECTS, call
from tests.unit.gateway.test_resolve import catalogue, model

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}]


def test_every_word_of_the_table_is_known_and_every_entry_can_be_reached() -> None:
    reached = set()
    for entry in table():
        assert entry.lacks <= WORDS
        reached.add(known_of(entry.names[0].replace("*", "x")))
    assert reached == set(table())


@pytest.mark.parametrize(
    ("name", "lacks", "has"),
    [
        ("gpt-3.5-turbo-0125", {"images", "json_schema"}, {"tools", "temperature"}),
        ("gpt-4o-mini", {"reasoning", "audio"}, {"images", "json_schema"}),
        ("o3-mini", {"temperature", "top_p", "stop", "parallel_tool_calls"}, {"tools", "thinking"}),
        ("GPT-5-nano", {"temperature", "logprobs"}, {"images", "reasoning"}),
        ("gpt-5.1", set(), {"temperature"}),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", {"json_schema", "thinking"}, {"documents"}),
        ("claude-sonnet-4-20250514", {"json_schema"}, {"reasoning"}),
        ("anthropic/claude-sonnet-4.5", {"audio"}, {"json_schema", "reasoning"}),
        ("gemini-2.5-pro", set(), {"audio", "reasoning"}),
        ("a-model-of-ours", set(), set(ABILITIES)),
    ],
)
def test_known_models_lack_what_their_vendors_say(name: str, lacks: set[str], has: set[str]) -> None:
    found = lacking(name, ())
    assert lacks <= found
    assert not has & found


def test_an_administrator_knows_better_than_the_table() -> None:
    assert lacking("a-model-of-ours", ("tools", "images")) & ABILITIES == ABILITIES - {"tools", "images"}
    assert "audio" not in lacking("gpt-4o", ("tools", "images", "audio"))
    assert "temperature" not in lacking("gpt-5", ("temperature",))
    assert "images" not in lacking("gpt-4o", ("temperature",))
    assert {"seed", "thinking"} <= lacking("a-model-of-ours", ("-seed", "-reasoning"))


def test_words_that_mean_nothing_are_refused() -> None:
    check_words(("tools", "-n"))
    with pytest.raises(InvalidModel) as refusal:
        check_words(("tools", "flying"))
    assert "'flying'" in refusal.value.message


async def asked(spec: ModelSpec, question: Call) -> list[str]:
    found = await catalogue(spec)
    return [target.label for target in resolve(found, Translator(DIALECTS), question)]


@pytest.mark.parametrize(
    ("capabilities", "fields", "missing"),
    [
        (("images",), {"tools": TOOLS}, "tools"),
        (("tools",), {"messages": IMAGE}, "images"),
        (("tools",), {"reasoning_effort": "high"}, "reasoning"),
        (
            ("tools",),
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
            "json_schema",
        ),
    ],
)
async def test_what_a_model_cannot_do_is_refused_before_the_call(
    capabilities: tuple[str, ...], fields: dict[str, Any], missing: str
) -> None:
    one = model("chat", "sim/a")
    able, unable = (ModelSpec(one.name, one.deployments, capabilities=words) for words in ((), capabilities))
    assert await asked(able, call(**fields)) == ["sim/a"]
    with pytest.raises(CapabilityMissing) as refusal:
        await asked(unable, call(**fields))
    assert refusal.value.param == missing
    assert await asked(unable, call()) == ["sim/a"]


async def test_a_deployment_that_can_is_taken_before_the_model_is_refused() -> None:
    spec = model("chat", "sim/gpt-3.5-turbo", "sim/gpt-4o")
    assert await asked(spec, call(messages=IMAGE)) == ["sim/gpt-4o"]
    assert len(await asked(spec, call())) == 2
