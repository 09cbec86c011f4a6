"""However a stream ends, between the dialects that came later and in translation: the caller learns it in its own
dialect, the record says it, and what came is paid for.
"""

import asyncio
from decimal import Decimal

import pytest

from enfilade.core.clock import ManualClock
from enfilade.core.messages import Finish, Text
from enfilade.storage.address import Address
from tests.support.data_plane import UP_KEY, assert_nothing_held, cost_of, record_of
from tests.support.house import HouseOptions
from tests.support.speaking import answered
from tests.support.upstream import open_upstream, silence, stream
from tests.support.waiting import eventually
from tests.support.wire_streams import (
    MAX_OUTPUT,
    PAIRS,
    WORDS,
    asked,
    begun,
    charged,
    ending,
    failing,
    house_between,
    post,
    told,
    until_left,
)

between = pytest.mark.parametrize(("caller", "upstream_dialect"), PAIRS)


@between
@pytest.mark.parametrize("usage", [True, False])
async def test_a_whole_stream_is_paid_by_its_usage_or_by_what_came(
    database: Address, caller: str, upstream_dialect: str, usage: bool
) -> None:
    step = stream(begun(upstream_dialect, usage=usage) + ending(upstream_dialect, usage=usage))
    async with open_upstream(step) as upstream, house_between(database, upstream, upstream_dialect) as house:
        reply = await post(house, asked(caller))
        assert reply.status_code == 200, reply.text
        completion = answered(caller, reply, stream=True)
        assert "".join(part.text for part in completion.parts if isinstance(part, Text)) == "".join(WORDS)
        assert completion.finish is Finish.STOP
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["dialect"], record["estimated"]) == ("ok", caller, not usage)
        assert record["usage"]["output_tokens"] == len(WORDS)
        assert record["usage"]["input_tokens"] == 12 or not usage
        assert charged(record) == cost_of(record) > 0
        await assert_nothing_held(house)


@between
async def test_a_caller_who_leaves_ends_the_upstream_request_and_pays_for_what_came(
    database: Address, caller: str, upstream_dialect: str
) -> None:
    options = HouseOptions(clock=ManualClock())
    async with (
        open_upstream(until_left(begun(upstream_dialect))) as upstream,
        house_between(database, upstream, upstream_dialect, options) as house,
    ):
        question, got = asked(caller), b""
        async with house.client().stream("POST", question.path, json=question.body) as reply:
            parts = reply.aiter_raw()
            while WORDS[-1].encode() not in got:
                got += await anext(parts)
        await eventually(upstream.wires[0].left.is_set)
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["http_status"], record["estimated"]) == ("abandoned", 499, True)
        assert record["usage"]["output_tokens"] == len(WORDS)
        assert charged(record) == cost_of(record) > 0
        await assert_nothing_held(house)


@between
async def test_a_caller_who_leaves_before_the_answer_pays_the_worst_case(
    database: Address, caller: str, upstream_dialect: str
) -> None:
    options = HouseOptions(clock=ManualClock())
    async with (
        open_upstream(silence) as upstream,
        house_between(database, upstream, upstream_dialect, options) as house,
    ):
        call = asyncio.ensure_future(post(house, asked(caller)))
        await upstream.was_asked()
        call.cancel()
        await eventually(upstream.wires[0].left.is_set)
        await eventually(lambda: not house.parts.meter_book.holds)
        await house.parts.writer.flush()
        (record,) = (await house.admin().get("/api/v1/calls")).json()["items"]
        assert (record["status"], record["usage"]["output_tokens"]) == ("abandoned", MAX_OUTPUT)
        assert charged(record) == cost_of(record)
        await assert_nothing_held(house)


@between
@pytest.mark.parametrize("ends", [True, False], ids=["ended", "broken"])
async def test_a_stream_without_its_end_is_an_error_in_the_callers_dialect(
    database: Address, caller: str, upstream_dialect: str, ends: bool
) -> None:
    step = stream(begun(upstream_dialect), ends=ends)
    async with open_upstream(step) as upstream, house_between(database, upstream, upstream_dialect) as house:
        reply = await post(house, asked(caller))
        assert reply.status_code == 200
        assert WORDS[-1] in reply.text
        assert told(caller, reply.content)[0] == "provider_connection_broken"
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["error"]) == ("failed", "provider_connection_broken")
        assert (record["usage"]["output_tokens"], record["estimated"]) == (len(WORDS), True)
        assert charged(record) == cost_of(record) > 0
        await assert_nothing_held(house)


@between
async def test_an_error_amid_the_stream_is_told_by_what_it_says(
    database: Address, caller: str, upstream_dialect: str
) -> None:
    said = f"key {UP_KEY} at 127.0.0.1 is tired. " + "x" * 700
    step = stream(begun(upstream_dialect) + failing(upstream_dialect, said))
    async with open_upstream(step) as upstream, house_between(database, upstream, upstream_dialect) as house:
        reply = await post(house, asked(caller))
        assert reply.status_code == 200
        code, words = told(caller, reply.content)
        assert code == "provider_overloaded"
        assert "tired" not in words
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["error"], record["attempts"]) == ("failed", "provider_overloaded", 1)
        assert record["usage"]["output_tokens"] == len(WORDS)
        assert charged(record) == cost_of(record) > 0
        await assert_nothing_held(house)
        assert UP_KEY not in house.log_lines()


@between
async def test_a_stream_that_begins_with_an_error_is_asked_for_again(
    database: Address, caller: str, upstream_dialect: str
) -> None:
    tired = stream(failing(upstream_dialect, "tired"))
    well = stream(begun(upstream_dialect) + ending(upstream_dialect))
    async with open_upstream(tired, well) as upstream, house_between(database, upstream, upstream_dialect) as house:
        reply = await post(house, asked(caller))
        assert answered(caller, reply, stream=True).finish is Finish.STOP
        assert "tired" not in reply.text
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["attempts"]) == ("ok", 2)
        assert charged(record) == cost_of(record)
        await assert_nothing_held(house)


@between
async def test_a_stream_is_cut_where_its_budget_is_used_up(
    database: Address, caller: str, upstream_dialect: str
) -> None:
    (*start, word) = begun(upstream_dialect)
    step = until_left([*start, *[word] * MAX_OUTPUT])
    budget = {"scope": "tenant", "window": "total", "limit_usd": "0.0002", "action": "cut"}
    async with (
        open_upstream(step) as upstream,
        house_between(database, upstream, upstream_dialect, budgets=[budget]) as house,
    ):
        reply = await post(house, asked(caller))
        assert reply.status_code == 200, reply.text
        assert answered(caller, reply, stream=True).finish is Finish.LENGTH
        await eventually(upstream.wires[0].left.is_set)
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["estimated"]) == ("cut", True)
        assert 0 < charged(record) == cost_of(record) <= Decimal("0.0002")
        assert 0 < record["usage"]["output_tokens"] < MAX_OUTPUT
        await assert_nothing_held(house)
        refused = await post(house, asked(caller, "x" * 300))
        assert refused.status_code in {402, 429}
        assert told(caller, refused.content)[0] == "budget_exhausted"
