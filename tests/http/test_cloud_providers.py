"""Azure and Google as they are declared: tokens are got with the secrets of a document, and calls come through."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    EMBEDDINGS,
    MESSAGES,
    MODEL,
    assert_nothing_held,
    model,
    question,
    whole_reply,
)
from tests.support.google_tokens import external_account, service_account, token
from tests.support.house import House, HouseOptions, open_house
from tests.support.upstream import Step, Upstream, open_upstream, reply, stream
from tests.support.world import ACME_KEY, world

TENANT = "11111111-2222-3333-4444-555555555555"
EVENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("message_start", {"message": whole_reply(MESSAGES) | {"content": []}}),
    ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Yes."}}),
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 3}}),
    ("message_stop", {}),
)


@asynccontextmanager
async def house_with(
    database: Address, upstream: Upstream, declared: dict[str, Any], target: str, options: HouseOptions | None = None
) -> AsyncIterator[House]:
    """A house in which `up-model` is `target` at the declared provider, which is the upstream."""
    document = world()
    base = {"name": "up", "allow_private_network": True, "base_url": upstream.url.removesuffix("/v1")}
    document["providers"].append(base | declared)
    document["models"].append(model(MODEL, f"up/{target}"))
    document["tenants"][0]["budgets"] = [{"scope": "tenant", "window": "total", "limit_usd": 1000}]
    options = options or HouseOptions()
    options.document = document
    async with open_house(database, options) as house:
        yield house


def events() -> Step:
    """Claude's reply as events."""
    return stream([f"event: {name}\ndata: {json.dumps({'type': name} | data)}\n\n".encode() for name, data in EVENTS])


@pytest.mark.parametrize("streamed", [False, True])
async def test_claude_on_vertex_with_a_service_account(database: Address, streamed: bool) -> None:
    async with open_upstream(token("ya29.one"), events() if streamed else reply(whole_reply(MESSAGES))) as upstream:
        declared = {
            "kind": "vertex",
            "api_key": {"value": json.dumps(json.loads(service_account(upstream)), indent=2)},
            "options": {"project": "p-1", "location": "europe-west4"},
        }
        async with house_with(database, upstream, declared, "claude-sonnet-4-5") as house:
            client = house.client(ACME_KEY)
            answer = await client.post(
                MESSAGES, json=question(MESSAGES, stream=streamed), headers={"anthropic-beta": "context-1m-2025-08-07"}
            )
            assert answer.status_code == 200, answer.text
            assert "Yes." in answer.text
            await assert_nothing_held(house)
        seen = upstream.seen[-1]
        method = "streamRawPredict" if streamed else "rawPredict"
        place = "/projects/p-1/locations/europe-west4/publishers/anthropic/models"
        assert seen.path == f"{place}/claude-sonnet-4-5:{method}"
        assert seen.header("authorization") == "Bearer ya29.one"
        assert seen.header("anthropic-beta") == "context-1m-2025-08-07"
        assert "model" not in seen.json
        assert seen.json["anthropic_version"] == "vertex-2023-10-16"
        assert seen.json.get("stream", False) is streamed
        assert "PRIVATE KEY" not in house.log_text.getvalue()


async def test_claude_on_vertex_with_a_workloads_token(database: Address, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("projected")
    async with open_upstream(token("ya29.two"), reply(whole_reply(MESSAGES))) as upstream:
        (tmp_path / "external.json").write_text(external_account(upstream, {"file": str(tmp_path / "token")}))
        declared = {
            "kind": "vertex",
            "api_key": {"file": str(tmp_path / "external.json")},
            "region": "us-east5",
            "options": {"project": "p-1"},
        }
        options = HouseOptions(secret_dirs=(tmp_path,))
        async with house_with(database, upstream, declared, "publishers/anthropic/models/claude-x", options) as house:
            answer = await house.client(ACME_KEY).post(MESSAGES, json=question(MESSAGES))
            assert answer.status_code == 200, answer.text
        assert parse_qs(upstream.seen[0].body.decode())["subject_token"] == ["projected"]
        assert (
            upstream.seen[1].path == "/projects/p-1/locations/us-east5/publishers/anthropic/models/claude-x:rawPredict"
        )


async def test_azure_with_a_client_of_entra_id(database: Address) -> None:
    async with open_upstream(token("eyJ.one"), reply(whole_reply(CHAT))) as upstream:
        declared = {
            "kind": "azure_openai",
            "options": {
                "api_version": "2024-10-21",
                "tenant_id": TENANT,
                "client_id": "gateway",
                "client_secret": {"value": "s~cret"},
                "login_url": f"http://127.0.0.1:{upstream.port}",
            },
        }
        async with house_with(database, upstream, declared, "our-gpt") as house:
            answer = await house.client(ACME_KEY).post(CHAT, json=question(CHAT))
            assert answer.status_code == 200, answer.text
            await assert_nothing_held(house)
            shown = await house.admin().get("/api/v1/providers")
            assert "s~cret" not in shown.text + house.log_text.getvalue()
        assert parse_qs(upstream.seen[0].body.decode())["client_secret"] == ["s~cret"]
        seen = upstream.seen[1]
        assert seen.path == "/openai/deployments/our-gpt/chat/completions?api-version=2024-10-21"
        assert seen.header("authorization") == "Bearer eyJ.one"
        assert seen.header("api-key") is None


async def test_a_token_service_that_refuses_costs_the_caller_nothing(database: Address) -> None:
    async with open_upstream(reply({"error": "invalid_grant", "error_description": "no"}, 400)) as upstream:
        declared = {
            "kind": "vertex",
            "api_key": {"value": service_account(upstream)},
            "options": {"project": "p-1", "location": "us"},
        }
        async with house_with(database, upstream, declared, "claude-x") as house:
            answer = await house.client(ACME_KEY).post(MESSAGES, json=question(MESSAGES))
            assert answer.status_code == 502
            error = answer.json()["error"]
            assert "invalid_grant" in error["message"]
            await assert_nothing_held(house)
            rows = (await house.admin().get("/api/v1/calls")).json()["items"]
            assert [row["cost_usd"] for row in rows] == ["0.000000000"]


async def test_an_azure_content_filter_is_told_to_the_caller(database: Address) -> None:
    filtered = {
        "error": {
            "message": "The response was filtered due to the prompt triggering our content policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
            },
        }
    }
    async with open_upstream(reply(filtered, 400)) as upstream:
        declared = {"kind": "azure_openai", "api_key": {"value": "azure-key"}}
        async with house_with(database, upstream, declared, "our-gpt") as house:
            answer = await house.client(ACME_KEY).post(CHAT, json=question(CHAT))
            assert answer.status_code == 400
            assert "content policy" in answer.json()["error"]["message"]
        assert upstream.seen[0].path == "/openai/v1/chat/completions"
        assert upstream.seen[0].header("api-key") == "azure-key"
        assert upstream.seen[0].json["model"] == "our-gpt"


GEMINI_REPLY: dict[str, Any] = {
    "candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 3, "totalTokenCount": 15},
    "modelVersion": "gemini-2.5-flash",
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_gemini_answers_callers_of_every_dialect(database: Address, path: str, streamed: bool) -> None:
    event = f"data: {json.dumps(GEMINI_REPLY)}\r\n\r\n".encode()
    async with open_upstream(stream([event]) if streamed else reply(GEMINI_REPLY)) as upstream:
        declared = {"kind": "gemini", "api_key": {"value": "AIza-key"}, "base_url": f"{upstream.url}beta"}
        async with house_with(database, upstream, declared, "gemini-2.5-flash") as house:
            answer = await house.client(ACME_KEY).post(path, json=question(path, stream=streamed))
            assert answer.status_code == 200, answer.text
            assert "Yes." in answer.text
            await assert_nothing_held(house)
        seen = upstream.seen[0]
        method = "streamGenerateContent?alt=sse" if streamed else "generateContent"
        assert seen.path == f"/v1beta/models/gemini-2.5-flash:{method}"
        assert seen.header("x-goog-api-key") == "AIza-key"
        assert seen.json["contents"] == [{"role": "user", "parts": [{"text": "Good morning"}]}]


async def test_older_embeddings_of_vertex_answer_callers_of_openai(database: Address) -> None:
    predictions = {"predictions": [{"embeddings": {"values": [0.5, 0.25], "statistics": {"token_count": 12}}}]}
    async with open_upstream(reply(predictions)) as upstream:
        declared = {"kind": "vertex", "api_key": {"value": "AIza-key"}, "options": {"project": "p-1"}}
        async with house_with(database, upstream, declared, "text-embedding-005") as house:
            answer = await house.client(ACME_KEY).post(EMBEDDINGS, json=question(EMBEDDINGS))
            assert answer.status_code == 200, answer.text
            assert answer.json()["data"][0]["embedding"] == [0.5, 0.25]
            assert answer.json()["usage"]["prompt_tokens"] == 12
            await assert_nothing_held(house)
        seen = upstream.seen[0]
        assert seen.path == "/projects/p-1/locations/global/publishers/google/models/text-embedding-005:predict"
        assert seen.json == {"instances": [{"content": "Good morning"}]}
