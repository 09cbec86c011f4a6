"""The addresses of stored responses and conversations, through the official SDK and by hand."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from enfilade.core.clock import ManualClock
from enfilade.gateway.stored.forms import items_of_input, raw
from enfilade.gateway.stored.types import RESPONSE, Exchange, public_id
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.sdk import forget_surroundings
from tests.support.world import ACME_KEY, ACME_USER_KEY, GLOBEX_KEY, world

SILENT_KEY = "acme-silent-application-key-with-enough-characters"
MESSAGE = {"type": "message", "role": "user", "content": "Good morning"}
UNKNOWN = "resp_01a19c217200700080000000000000ad"
NO_CONVERSATION = "conv_01a19c217200700080000000000000ad"


@dataclass
class Desk:
    """A house, and OpenAI's SDK pointed at it."""

    house: House
    sdk: Any

    async def keep(self, text: object, answer: str, key: str = ACME_KEY, **references: str) -> str:
        """Keep a question and its answer as the line does; the response's id."""
        parts = self.house.parts
        now_ns = parts.clock.now_ns()
        principal = parts.principals.authenticate(key.encode(), None, now_ns)
        call_id = parts.ids.new_id()
        part = {"type": "output_text", "text": answer, "annotations": []}
        message = {
            "id": f"msg_{answer}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        reply = {
            "id": "resp_upstream",
            "object": "response",
            "created_at": now_ns // 10**9,
            "status": "completed",
            "model": "m",
            "output": [message],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
        exchange = Exchange(
            call_id, "chat", now_ns, items_of_input(raw(text)), json.dumps(reply).encode(), **references
        )
        await parts.stored.keep(principal, principal.scope, exchange)
        return public_id(RESPONSE, call_id)


@pytest.fixture
async def desk(database: Address, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """See `Desk`."""
    forget_surroundings(monkeypatch)
    document = world()
    acme = document["tenants"][0]
    acme["applications"].append({"name": "silent", "store_responses": False})
    acme["keys"].append({"name": "silent-key", "application": "silent", "secret": {"value": SILENT_KEY}})
    async with (
        open_house(database, HouseOptions(document=document)) as house,
        openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=ACME_KEY, max_retries=0) as sdk,
    ):
        yield Desk(house, sdk)


async def test_the_sdk_reads_and_deletes_a_stored_response(desk: Desk) -> None:
    first = await desk.keep("Good morning", "Hello")
    kept = await desk.keep("And now?", "Goodbye", previous_response_id=first)
    found = await desk.sdk.responses.retrieve(kept)
    assert (found.id, found.output_text, found.previous_response_id) == (kept, "Goodbye", first)
    assert (found.status, found.model, found.conversation) == ("completed", "m", None)
    items = [item async for item in await _listed(desk.sdk.responses.input_items.list(kept))]
    assert [item.content[0].text for item in items] == ["And now?"]
    assert items[0].id.startswith("msg_")
    assert await desk.sdk.responses.delete(kept) is None
    for _ in range(2):
        with pytest.raises(openai.NotFoundError) as refused:
            await desk.sdk.responses.retrieve(kept)
        assert refused.value.code == "response_not_found"
        assert refused.value.type == "not_found_error"
    with pytest.raises(openai.NotFoundError):
        await desk.sdk.responses.delete(kept)
    assert (await desk.sdk.responses.retrieve(first)).output_text == "Hello"


async def test_the_sdk_pages_through_what_a_request_added(desk: Desk) -> None:
    given = [MESSAGE | {"content": f"part {number}"} for number in range(7)]
    kept = await desk.keep([*given, {"type": "function_call_output", "call_id": "call_1", "output": "x"}], "Hello")
    page = await desk.sdk.responses.input_items.list(kept, limit=3, order="asc")
    assert (len(page.data), page.has_more) == (3, True)
    seen: list[Any] = [item async for item in page]
    assert [item.content[0].text for item in seen[:7]] == [f"part {number}" for number in range(7)]
    assert (seen[7].type, seen[7].call_id, seen[7].output) == ("function_call_output", "call_1", "x")
    backwards = [item.id async for item in await _listed(desk.sdk.responses.input_items.list(kept, limit=5))]
    assert backwards == [item.id for item in seen][::-1]


async def test_background_mode_is_answered_clearly(desk: Desk) -> None:
    kept = await desk.keep("Good morning", "Hello")
    with pytest.raises(openai.BadRequestError, match="background mode is not offered") as refused:
        await desk.sdk.responses.cancel(kept)
    assert (refused.value.code, refused.value.param) == ("not_offered", "background")
    with pytest.raises(openai.NotFoundError):
        await desk.sdk.responses.cancel(UNKNOWN)
    with pytest.raises(openai.BadRequestError, match="not streamed again"):
        await desk.sdk.responses.retrieve(kept, stream=True)
    assert (await desk.sdk.responses.retrieve(kept, stream=False)).id == kept


async def test_responses_are_listed_without_their_contents(desk: Desk) -> None:
    ids = [await desk.keep(f"question {number}", f"answer {number}") for number in range(3)]
    client = desk.house.client()
    listed = (await client.get("/v1/responses", params={"limit": 2})).json()
    assert [entry["id"] for entry in listed["data"]] == ids[:0:-1]
    assert (listed["object"], listed["has_more"]) == ("list", True)
    assert (listed["first_id"], listed["last_id"]) == (ids[2], ids[1])
    assert listed["data"][0].keys() == {
        *("id", "object", "created_at", "expires_at", "status", "model"),
        *("previous_response_id", "conversation", "store"),
    }
    rest = (await client.get("/v1/responses", params={"limit": 2, "after": listed["last_id"]})).json()
    assert ([entry["id"] for entry in rest["data"]], rest["has_more"]) == ([ids[0]], False)
    upwards = (await client.get("/v1/responses", params={"order": "asc"})).json()
    assert [entry["id"] for entry in upwards["data"]] == ids
    empty = (await desk.house.client(ACME_USER_KEY).get("/v1/responses")).json()
    assert (empty["data"], empty["first_id"], empty["last_id"], empty["has_more"]) == ([], None, None, False)


async def test_the_sdk_makes_changes_and_deletes_a_conversation(desk: Desk) -> None:
    made = await desk.sdk.conversations.create(metadata={"topic": "weather"}, items=[MESSAGE])
    assert (made.object, made.metadata) == ("conversation", {"topic": "weather"})
    assert await desk.sdk.conversations.retrieve(made.id) == made
    changed = await desk.sdk.conversations.update(made.id, metadata={"topic": "news", "more": ""})
    assert changed.metadata == {"topic": "news", "more": ""}
    assert (changed.id, changed.created_at) == (made.id, made.created_at)
    deleted = await desk.sdk.conversations.delete(made.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (made.id, True, "conversation.deleted")
    with pytest.raises(openai.NotFoundError) as refused:
        await desk.sdk.conversations.retrieve(made.id)
    assert refused.value.code == "conversation_not_found"
    empty = await desk.sdk.conversations.create()
    assert (empty.metadata, [item async for item in desk.sdk.conversations.items.list(empty.id)]) == ({}, [])
    listed = (await desk.house.client().get("/v1/conversations")).json()
    assert [entry["id"] for entry in listed["data"]] == [empty.id]


async def test_the_sdk_works_on_the_items_of_a_conversation(desk: Desk) -> None:
    made = await desk.sdk.conversations.create(items=[MESSAGE])
    added = await desk.sdk.conversations.items.create(
        made.id,
        items=[
            {"role": "assistant", "content": "Hello"},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        ],
    )
    answer, call = added.data
    assert (answer.type, answer.content[0].type, answer.content[0].text) == ("message", "output_text", "Hello")
    assert (call.type, call.status) == ("function_call", "completed")
    assert (added.first_id, added.last_id, added.has_more) == (answer.id, call.id, False)
    await desk.keep("And now?", "Goodbye", conversation_id=made.id)
    everything = [item async for item in desk.sdk.conversations.items.list(made.id, order="asc", limit=2)]
    assert [item.type for item in everything] == ["message", "message", "function_call", "message", "message"]
    assert everything[-1].content[0].text == "Goodbye"
    backwards = [item.id async for item in desk.sdk.conversations.items.list(made.id, limit=3)]
    assert backwards == [item.id for item in everything][::-1]
    one = await desk.sdk.conversations.items.retrieve(answer.id or "", conversation_id=made.id)
    assert one == answer
    left = await desk.sdk.conversations.items.delete(answer.id or "", conversation_id=made.id)
    assert (left.id, left.metadata) == (made.id, made.metadata)
    with pytest.raises(openai.NotFoundError) as refused:
        await desk.sdk.conversations.items.retrieve(answer.id or "", conversation_id=made.id)
    assert refused.value.code == "conversation_item_not_found"


@pytest.mark.parametrize("key", [ACME_USER_KEY, GLOBEX_KEY, SILENT_KEY], ids=["user", "tenant", "application"])
async def test_others_get_the_same_answer_as_for_what_does_not_exist(desk: Desk, key: str) -> None:
    kept = await desk.keep("Good morning", "Hello")
    made = await desk.sdk.conversations.create(items=[MESSAGE])
    client = desk.house.client(key)
    for name, unknown, root in ((kept, UNKNOWN, "responses"), (made.id, NO_CONVERSATION, "conversations")):
        for method in ("GET", "DELETE"):
            got = await client.request(method, f"/v1/{root}/{name}")
            twin = await client.request(method, f"/v1/{root}/{unknown}")
            assert got.status_code == twin.status_code == 404
            assert got.text.replace(name, "") == twin.text.replace(unknown, "")
    assert (await desk.sdk.responses.retrieve(kept)).id == kept


async def test_an_application_that_keeps_nothing_cannot_make_conversations(desk: Desk) -> None:
    reply = await desk.house.client(SILENT_KEY).post("/v1/conversations", json={})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "storing_refused")


async def test_parameters_that_make_no_sense_are_refused(desk: Desk) -> None:
    cases = [(f"/v1/responses?limit={limit}", "limit") for limit in ("0", "101", "-1", "x", "1e1", "9" * 30, "")]
    cases += [("/v1/responses?order=up", "order"), ("/v1/conversations?after=%00", "after")]
    cases += [(f"/v1/conversations?after={'x' * 300}", "after")]
    for path, param in cases:
        reply = await desk.house.client().get(path)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, param), path
    unreadable = await desk.house.client().get("/v1/responses?%ff=%ff")
    assert (unreadable.status_code, unreadable.json()["error"]["code"]) == (400, "malformed_body")


BAD_BODIES: list[tuple[bytes, str]] = [
    (b"[]", "malformed_body"),
    (b"{", "malformed_body"),
    (b'{"items": "x"}', "invalid_item"),
    (b'{"items": [1]}', "invalid_item"),
    (b'{"items": [{}]}', "invalid_item"),
    (b'{"items": [{"type": 7}]}', "invalid_item"),
    (b'{"items": [{"type": "item_reference", "id": "msg_1"}]}', "invalid_item"),
    (json.dumps({"items": [MESSAGE] * 21}).encode(), "invalid_item"),
    (b'{"items": [' + b'{"type": "x", "a": ' * 5000 + b"1" + b"}" * 5000 + b"]}", "malformed_body"),
]


async def test_bodies_that_make_no_sense_are_refused(desk: Desk) -> None:
    made = await desk.sdk.conversations.create()
    for path in ("/v1/conversations", f"/v1/conversations/{made.id}/items"):
        for body, code in BAD_BODIES:
            reply = await desk.house.client().post(path, content=body)
            assert (reply.status_code, reply.json()["error"]["code"]) == (400, code), (path, body[:80])
    listed = (await desk.house.client().get("/v1/conversations")).json()
    assert [entry["id"] for entry in listed["data"]] == [made.id]
    assert [item async for item in desk.sdk.conversations.items.list(made.id)] == []


BAD_METADATA: list[object] = [[], "x", {"a": 1}, {"a": None}, {"x" * 65: "y"}, {"x": "y" * 513}]
BAD_METADATA += [{str(number): "" for number in range(17)}]


async def test_metadata_that_do_not_fit_are_refused(desk: Desk) -> None:
    made = await desk.sdk.conversations.create(metadata={"a": "b"})
    for path in ("/v1/conversations", f"/v1/conversations/{made.id}"):
        for metadata in BAD_METADATA:
            reply = await desk.house.client().post(path, json={"metadata": metadata})
            assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_metadata"), metadata
    assert (await desk.sdk.conversations.retrieve(made.id)).metadata == {"a": "b"}


async def test_items_must_be_given_when_items_are_added(desk: Desk) -> None:
    made = await desk.sdk.conversations.create()
    bodies: list[dict[str, Any]] = [{}, {"items": []}, {"items": None}]
    for body in bodies:
        reply = await desk.house.client().post(f"/v1/conversations/{made.id}/items", json=body)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "items")


async def test_a_body_that_is_too_large_is_refused(desk: Desk) -> None:
    body = {"items": [MESSAGE | {"content": "x" * 1_000_000}]}
    reply = await desk.house.client().post("/v1/conversations", json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")


async def test_methods_that_an_address_does_not_take(desk: Desk) -> None:
    for method, path, allowed in (
        ("DELETE", "/v1/responses", "GET, POST"),
        ("PUT", "/v1/responses/resp_1", "GET, DELETE"),
        ("GET", "/v1/responses/resp_1/cancel", "POST"),
        ("PATCH", "/v1/conversations/conv_1", "GET, POST, DELETE"),
        ("DELETE", "/v1/conversations", "GET, POST"),
        ("POST", "/v1/conversations/conv_1/items/msg_1", "GET, DELETE"),
    ):
        reply = await desk.house.client().request(method, path)
        assert (reply.status_code, reply.headers["allow"]) == (405, allowed), path


async def test_addresses_that_lead_nowhere(desk: Desk) -> None:
    for path in (
        *("/v1/responses/", "/v1/responses/resp_1/", "/v1/responses/resp_1/more", "/v1/responses/resp_1/input_items/1"),
        *("/v1/conversations//items", "/v1/conversations/conv_1/items/msg_1/more", "/v1/responsesx"),
    ):
        reply = await desk.house.client().get(path)
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found"), path


async def test_names_of_any_form_are_unknown(desk: Desk) -> None:
    made = await desk.sdk.conversations.create()
    client = desk.house.client()
    for name in ("%00", "x" * 300, "conv_%C3%BC", "..%2F.."):
        for path in (f"/v1/responses/{name}", f"/v1/conversations/{name}", f"/v1/conversations/{made.id}/items/{name}"):
            assert (await client.get(path)).status_code == 404, path


async def test_head_is_answered_like_get(desk: Desk) -> None:
    kept = await desk.keep("Good morning", "Hello")
    reply = await desk.house.client().head(f"/v1/responses/{kept}")
    assert (reply.status_code, reply.content) == (200, b"")


async def test_a_conversation_says_for_which_user_it_was_made(desk: Desk) -> None:
    client = desk.house.client()
    reply = await client.post("/v1/conversations", json={}, headers={"x-enfilade-user": "ana@acme.example"})
    assert reply.status_code == 200
    assert reply.headers["x-request-id"]
    refused = await client.post("/v1/conversations", json={}, headers={"x-enfilade-user": "gil@globex.example"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "unknown_user")
    events = (await desk.house.admin().get("/api/v1/events", params={"tenant": "acme"})).json()["items"]
    (made,) = [event for event in events if event["type"] == "ConversationCreated"]
    ana = (await desk.house.admin().get("/api/v1/users", params={"tenant": "acme"})).json()["items"][0]
    assert ana["email"] == "ana@acme.example"
    assert made["event"]["data"]["user"] == ana["id"]


async def test_while_the_database_is_away_callers_are_told_when_to_come_back(desk: Desk) -> None:
    await desk.house.parts.database.close()
    reply = await desk.house.client().get("/v1/responses")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    await desk.house.parts.database.open()
    assert (await desk.house.client().get("/v1/responses")).status_code == 200


async def test_what_has_expired_is_gone_for_its_caller(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house:
        client = house.client()
        made = (await client.post("/v1/conversations", json={})).json()
        assert made["expires_at"] - made["created_at"] == 30 * 86_400
        clock.jump(30 * 86_400)
        assert (await client.get(f"/v1/conversations/{made['id']}")).status_code == 404
        assert (await client.get("/v1/conversations")).json()["data"] == []


async def _listed(paginator: Any) -> Any:
    return await paginator
