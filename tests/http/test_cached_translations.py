"""The reply cache between dialects: what comes from memory is what came first, and says what was left out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import assert_nothing_held, record_of
from tests.support.house import House, HouseOptions
from tests.support.speaking import Asked
from tests.support.upstream import Step, Upstream, open_upstream, reply, stream
from tests.support.wire_streams import PAIRS, asked, begun, ending, house_between, post, whole

between = pytest.mark.parametrize(("caller", "dialect"), PAIRS)


@asynccontextmanager
async def caching(database: Address, upstream: Upstream, dialect: str) -> AsyncIterator[House]:
    options = HouseOptions(clock=ManualClock())
    applications = [{"name": "copilot", "department": "sales", "cache": {"ttl": "60s"}}, {"name": "review"}]
    async with house_between(database, upstream, dialect, options, applications=applications) as house:
        yield house


def answers(dialect: str, *, is_stream: bool) -> Step:
    return stream(begun(dialect) + ending(dialect)) if is_stream else reply(whole(dialect))


@between
@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_answer_from_memory_is_the_first_one_byte_for_byte(
    database: Address, caller: str, dialect: str, is_stream: bool
) -> None:
    question = asked(caller, stream=is_stream)
    async with (
        open_upstream(answers(dialect, is_stream=is_stream)) as upstream,
        caching(database, upstream, dialect) as house,
    ):
        first, again, third = [await post(house, question) for _ in range(3)]
        assert first.status_code == 200, first.text
        assert [got.headers.get("x-enfilade-cache") for got in (first, again, third)] == [None, "hit", "hit"]
        record = await record_of(house, first.headers["x-request-id"])
        # A stream that tells what it cost says of a repetition that it cost nothing.
        said = first.content.replace(b'"cost_usd":"' + record["cost_usd"].encode(), b'"cost_usd":"0.000000000')
        assert again.content == third.content == said
        assert Decimal(record["cost_usd"]) > 0
        assert again.headers["content-type"] == first.headers["content-type"]
        assert len(upstream.seen) == 1
        record = await record_of(house, again.headers["x-request-id"])
        assert (record["status"], record["cached"], record["attempts"]) == ("ok", True, 0)
        assert (record["cost_usd"], record["usage"]["total_tokens"]) == ("0.000000000", 0)
        await assert_nothing_held(house)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_was_left_out_is_named_again(database: Address, is_stream: bool) -> None:
    question = asked("openai_chat", stream=is_stream)
    question.body["seed"] = 7
    dialect = "anthropic_messages"
    async with (
        open_upstream(answers(dialect, is_stream=is_stream)) as upstream,
        caching(database, upstream, dialect) as house,
    ):
        first, again = await post(house, question), await post(house, question)
        assert again.headers["x-enfilade-cache"] == "hit"
        assert first.headers["x-enfilade-dropped"] == again.headers["x-enfilade-dropped"] == "seed"
        await record_of(house, again.headers["x-request-id"])
        events = (await house.admin().get("/api/v1/events?limit=200")).json()["items"]
        settled = [event["event"]["data"] for event in events if event["type"] == "CallSettled"]
        assert [data["dropped"] for data in settled] == [["seed"], ["seed"]]


@pytest.mark.parametrize("dialect", ["gemini_generate", "openai_chat"])
async def test_whole_answers_streams_and_arrays_of_gemini_are_apart(database: Address, dialect: str) -> None:
    """Their bodies are the same: what is asked for stands in the address."""
    kinds: list[tuple[Asked, bool]] = [
        (asked("gemini_generate", stream=False), False),
        (asked("gemini_generate"), True),
        (asked("gemini_generate", array=True), True),
    ]
    async with open_upstream(reply()) as upstream, caching(database, upstream, dialect) as house:
        firsts: list[Any] = []
        for question, is_stream in kinds:
            upstream.will(answers(dialect, is_stream=is_stream))
            firsts.append(await post(house, question))
            assert "x-enfilade-cache" not in firsts[-1].headers
        for (question, _), first in zip(kinds, firsts, strict=True):
            again = await post(house, question)
            assert again.headers["x-enfilade-cache"] == "hit"
            assert (again.content, again.headers["content-type"]) == (first.content, first.headers["content-type"])
        assert len({first.content for first in firsts}) == len(kinds)
