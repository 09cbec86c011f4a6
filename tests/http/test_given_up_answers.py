"""Answers that a model gives up, over which most dialects have no word but an error: told so, and paid for as reported."""

import json
from decimal import Decimal
from typing import Any

import pytest

from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    MESSAGES,
    assert_nothing_held,
    cost_of,
    error_of,
    house_at,
    question,
    record_of,
)
from tests.support.upstream import Upstream, open_upstream, reply, stream

USED = {"promptTokenCount": 12, "candidatesTokenCount": 3, "totalTokenCount": 15}


def chunk(text: str | None = None, finish: str | None = None) -> dict[str, Any]:
    """What Gemini answers, whole or in part."""
    candidate: dict[str, Any] = {"index": 0}
    if text is not None:
        candidate["content"] = {"role": "model", "parts": [{"text": text}]}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": USED, "modelVersion": "m"}


def gemini(upstream: Upstream) -> dict[str, Any]:
    """How the upstream is declared."""
    return {"kind": "gemini", "base_url": upstream.url.removesuffix("/v1") + "/v1beta"}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("words", [None, "I wi"])
async def test_whole_answers(database: Address, path: str, words: str | None) -> None:
    given = reply(chunk(words, "MALFORMED_FUNCTION_CALL"))
    async with (
        open_upstream(given) as upstream,
        house_at(database, upstream, path, **gemini(upstream)) as house,
    ):
        answer = await house.client().post(path, json=question(path))
        assert answer.status_code == 502, answer.text
        assert error_of(path, answer)["code"] == "provider_stream_failed"
        record = await record_of(house, answer.headers["x-request-id"])
        assert (record["status"], record["usage"]["total_tokens"]) == ("failed", 15)
        assert Decimal(record["cost_usd"]) == cost_of(record)
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("words", [None, "I wi"])
async def test_streams(database: Address, path: str, words: str | None) -> None:
    said = [] if words is None else [chunk(words)]
    events = [f"data: {json.dumps(one)}\r\n\r\n".encode() for one in (*said, chunk(finish="MALFORMED_FUNCTION_CALL"))]
    async with (
        open_upstream(stream(events)) as upstream,
        house_at(database, upstream, path, **gemini(upstream)) as house,
    ):
        answer = await house.client().post(path, json=question(path, stream=True))
        # Anthropic's streams have begun by then: they begin with the message, not with its first word.
        assert answer.status_code == (502 if words is None and path == CHAT else 200)
        assert b"provider_stream_failed" in answer.content
        assert b"end_turn" not in answer.content
        assert b"[DONE]" not in answer.content
        record = await record_of(house, answer.headers["x-request-id"])
        assert (record["status"], record["usage"]["total_tokens"]) == ("failed", 15)
        assert Decimal(record["cost_usd"]) == cost_of(record)
        await assert_nothing_held(house)
