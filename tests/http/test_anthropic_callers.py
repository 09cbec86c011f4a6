"""What Anthropic's SDK reads of a reply beside its body, and what it may not ask for."""

from typing import Any

import pytest

from tests.support.data_plane import MESSAGES, question, record_of
from tests.support.house import House


@pytest.mark.parametrize(("model", "status"), [("simulated/echo", 200), ("simulated/fail-400", 400), ("none", 404)])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_is_named_where_anthropics_sdk_looks(house: House, model: str, status: int, stream: bool) -> None:
    reply = await house.client().post(MESSAGES, json=question(MESSAGES, model) | {"stream": stream})
    assert reply.status_code == status
    assert reply.headers["request-id"] == reply.headers["x-request-id"]


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
async def test_threads_are_refused_so_that_the_sdk_goes_on_without(house: House, thread: dict[str, Any]) -> None:
    asked = question(MESSAGES, "simulated/echo")
    reply = await house.client().post(MESSAGES, json=asked | {"thread": thread})
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert (error["code"], error["param"]) == ("threads_not_kept", "thread")
    assert error["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
    record = await record_of(house, reply.headers["x-request-id"])
    assert (record["error"], record["cost_usd"]) == ("threads_not_kept", "0.000000000")
    assert (await house.client().post(MESSAGES, json=asked | {"thread": None})).status_code == 200
