"""The reply cache: for applications that want it, for their own requests, for a while, at no cost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    EMBEDDINGS,
    MESSAGES,
    PATHS,
    UP_ENVIRONMENT,
    assert_nothing_held,
    chat_stream,
    driven,
    events_of,
    model,
    provider,
    question,
    record_of,
    served,
    streamed,
    whole_reply,
)
from tests.support.house import House, HouseOptions, open_house
from tests.support.upstream import Upstream, open_upstream, reply, stream
from tests.support.world import ACME_KEY, GLOBEX_KEY

REVIEW_KEY = "acme-review-application-key-with-enough-characters"


@asynccontextmanager
async def caching(
    database: Address, upstream: Upstream, path: str, clock: ManualClock, **cache: Any
) -> AsyncIterator[House]:
    """A house in which every application keeps answers for a minute."""
    document = served(upstream, path)
    for tenant in document["tenants"]:
        for application in tenant["applications"]:
            application["cache"] = {"ttl": "60s"} | cache
    document["tenants"][0]["keys"].append(
        {"name": "review-key", "application": "review", "secret": {"value": REVIEW_KEY}}
    )
    options = HouseOptions(document=document, clock=clock, environment=UP_ENVIRONMENT)
    async with open_house(database, options) as house:
        yield house


def is_hit(got: httpx2.Response) -> bool:
    assert got.status_code == 200, got.text
    return got.headers.get("x-enfilade-cache") == "hit"


@pytest.mark.parametrize("path", PATHS)
async def test_the_same_request_is_answered_from_memory_at_no_cost(database: Address, path: str) -> None:
    clock = ManualClock()
    async with (
        open_upstream(reply(whole_reply(path))) as upstream,
        caching(database, upstream, path, clock) as house,
    ):
        first = await house.client().post(path, json=question(path))
        again = await house.client().post(path, json=question(path))
        assert (is_hit(first), is_hit(again)) == (False, True)
        assert again.content == first.content
        assert again.headers["x-enfilade-cost-usd"] == "0.000000000"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        record = await record_of(house, again.headers["x-request-id"])
        assert (record["status"], record["cached"], record["attempts"]) == ("ok", True, 0)
        assert (record["cost_usd"], record["usage"]["total_tokens"]) == ("0.000000000", 0)
        assert not (await record_of(house, first.headers["x-request-id"]))["cached"]
        assert len(upstream.seen) == 1
        await assert_nothing_held(house)

        clock.advance(61)
        assert not is_hit(await house.client().post(path, json=question(path)))


async def test_only_applications_that_want_it_have_answers_kept(house: House) -> None:
    for _ in range(2):
        assert not is_hit(await house.client().post(CHAT, json=question(CHAT, "simulated/echo")))


async def test_nobody_is_answered_with_what_somebody_else_was_told(database: Address) -> None:
    clock = ManualClock()
    async with (
        open_upstream(reply(whole_reply(CHAT))) as upstream,
        caching(database, upstream, CHAT, clock) as house,
    ):
        for key in (ACME_KEY, REVIEW_KEY, GLOBEX_KEY):
            assert not is_hit(await house.client(key).post(CHAT, json=question(CHAT)))
        for key in (ACME_KEY, REVIEW_KEY, GLOBEX_KEY):
            assert is_hit(await house.client(key).post(CHAT, json=question(CHAT)))


async def test_another_request_is_another_answer(database: Address) -> None:
    clock = ManualClock()
    async with (
        open_upstream(reply(whole_reply(CHAT))) as upstream,
        caching(database, upstream, CHAT, clock) as house,
    ):
        client = house.client()
        await client.post(CHAT, json=question(CHAT))
        for change in ({"temperature": 0.5}, {"max_tokens": 5}, {"messages": [{"role": "user", "content": "Bye"}]}):
            assert not is_hit(await client.post(CHAT, json=question(CHAT, **change)))
        assert not is_hit(await client.post(CHAT, json=question(CHAT), headers={"openai-beta": "x"}))
        assert is_hit(await client.post(CHAT, json=question(CHAT)))


async def test_a_caller_can_ask_for_a_fresh_answer_or_that_none_is_kept(database: Address) -> None:
    clock = ManualClock()
    async with (
        open_upstream(reply(whole_reply(CHAT))) as upstream,
        caching(database, upstream, CHAT, clock) as house,
    ):
        client = house.client()

        async def ask(control: str | None) -> bool:
            headers = {"cache-control": control} if control else {}
            return is_hit(await client.post(CHAT, json=question(CHAT), headers=headers))

        assert not await ask("no-store")
        assert not await ask(None)  # Nothing was kept.
        assert not await ask("no-cache")
        assert await ask(None)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_stream_is_repeated_as_a_stream(database: Address, path: str) -> None:
    clock = ManualClock()
    async with (
        open_upstream(stream(streamed(path, "One", " two"))) as upstream,
        caching(database, upstream, path, clock) as house,
    ):
        first = await house.client().post(path, json=question(path, stream=True))
        again = await house.client().post(path, json=question(path, stream=True))
        assert (is_hit(first), is_hit(again)) == (False, True)
        assert again.headers["content-type"].startswith("text/event-stream")
        assert again.content == first.content
        assert (await record_of(house, again.headers["x-request-id"]))["cost_usd"] == "0.000000000"
        await assert_nothing_held(house)


async def test_a_repeated_stream_says_that_it_cost_nothing(database: Address) -> None:
    clock = ManualClock()
    asked = question(CHAT, stream=True, stream_options={"include_usage": True})
    async with (
        open_upstream(stream(chat_stream("One"))) as upstream,
        caching(database, upstream, CHAT, clock) as house,
    ):
        first = await house.client().post(CHAT, json=asked)
        again = await house.client().post(CHAT, json=asked)
        assert is_hit(again)
        assert events_of(first.content)[-1]["enfilade"] == {"cost_usd": "0.000018000"}
        assert events_of(again.content)[-1]["enfilade"] == {"cost_usd": "0.000000000"}
        # Who asked for no usage is not answered with a stream that shows it.
        assert not is_hit(await house.client().post(CHAT, json=question(CHAT, stream=True)))


async def test_errors_and_broken_streams_are_not_kept(database: Address) -> None:
    clock = ManualClock()
    whole = chat_stream("One", " two")
    async with (
        open_upstream(reply({}, 400)) as upstream,
        caching(database, upstream, CHAT, clock) as house,
    ):
        client = house.client()
        assert (await client.post(CHAT, json=question(CHAT))).status_code == 400
        upstream.will(reply(whole_reply(CHAT)))
        assert not is_hit(await client.post(CHAT, json=question(CHAT)))
        upstream.will(stream(whole[:3], ends=False))
        assert b"provider_connection_broken" in (await client.post(CHAT, json=question(CHAT, stream=True))).content
        upstream.will(stream(whole))
        assert not is_hit(await client.post(CHAT, json=question(CHAT, stream=True)))


async def test_an_answer_beyond_the_applications_size_is_not_kept(database: Address) -> None:
    clock = ManualClock()
    async with (
        open_upstream(reply(whole_reply(CHAT))) as upstream,
        caching(database, upstream, CHAT, clock, max_bytes=50) as house,
    ):
        for _ in range(2):
            assert not is_hit(await house.client().post(CHAT, json=question(CHAT)))


async def test_a_hit_still_counts_as_a_request_and_needs_its_room(database: Address) -> None:
    clock = ManualClock()
    async with open_upstream(reply(whole_reply(CHAT))) as upstream:
        document = served(upstream, CHAT)
        document["providers"].append(provider(upstream, EMBEDDINGS, "other"))
        document["models"].append(model("other-model", "other/m"))
        document["tenants"][0]["applications"][0]["cache"] = {"ttl": "1h"}
        document["tenants"][0]["limits"] = [{"scope": "tenant", "requests": 2, "per": "minute"}]
        options = HouseOptions(document=document, clock=clock, environment=UP_ENVIRONMENT)
        async with open_house(database, options) as house:
            assert not is_hit(await house.client().post(CHAT, json=question(CHAT)))
            assert is_hit(await house.client().post(CHAT, json=question(CHAT)))
            refused = await driven(clock, house.client().post(CHAT, json=question(CHAT)), step=0)
            assert refused.status_code == 429
