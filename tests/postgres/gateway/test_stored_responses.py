"""Responses that are kept: chains of them, for whom they exist, their bounds, and how they lie in the database."""

import asyncio
from typing import Any

import msgspec
import pytest

from enfilade.core.errors import InvalidRequest
from enfilade.gateway.errors import KeyCannotCall
from enfilade.gateway.stored import service
from enfilade.gateway.stored.contents import INLINE_BYTES
from enfilade.gateway.stored.errors import (
    ContextTooLarge,
    InvalidItem,
    ItemNotFound,
    NotOffered,
    PreviousResponseNotFound,
    ResponseNotFound,
    StoringRefused,
)
from enfilade.gateway.stored.forms import items_of_input, raw
from enfilade.gateway.stored.service import Stored
from enfilade.gateway.stored.types import Exchange, Paging
from enfilade.storage.errors import DatabaseUnavailable, StorageFault
from tests.postgres.gateway.conftest import Desk, response_object
from tests.support.parts import unit_in
from tests.support.sealing import another_process
from tests.support.world import ACME_ADMIN_KEY

STRANGERS = ["review", "ana", "globex"]
TABLES = ("responses", "conversations", "conversation_items")


async def chain(desk: Desk, length: int, by: str = "copilot") -> list[str]:
    """So many responses, each of which continues the one before."""
    ids: list[str] = []
    for number in range(length):
        previous = ids[-1] if ids else None
        ids.append(await desk.keep(f"question {number}", f"answer {number}", by, previous_response_id=previous))
    return ids


async def test_a_chain_is_continued_with_every_input_and_output_in_order(desk: Desk) -> None:
    ids = await chain(desk, 3)
    found = await desk.expand(previous_response_id=ids[-1])
    assert found == ["question 0", "answer 0", "question 1", "answer 1", "question 2", "answer 2"]
    assert await desk.expand(previous_response_id=ids[0]) == ["question 0", "answer 0"]
    assert await desk.expand() == []


async def test_one_response_may_be_continued_in_several_ways(desk: Desk) -> None:
    (root,) = await chain(desk, 1)
    left = await desk.keep("left", "L", previous_response_id=root)
    right = await desk.keep("right", "R", previous_response_id=root)
    assert (await desk.expand(previous_response_id=left))[2:] == ["left", "L"]
    assert (await desk.expand(previous_response_id=right))[2:] == ["right", "R"]


async def test_items_come_back_as_they_were_sent_and_answered(desk: Desk) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{", "unknown": [1.5, None]}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "sunny\u0000 ☀"}
    first = await desk.keep([{"role": "user", "content": "weather?"}, call, result], "fine")
    items = [
        msgspec.json.decode(item)
        for item in await desk.stored.expand(desk.who("copilot").scope, previous_response_id=first)
    ]
    assert items[:3] == [{"role": "user", "content": "weather?"}, call, result]
    assert items[3]["id"] == "msg_fine"


async def test_instructions_are_not_carried_over(desk: Desk) -> None:
    (kept,) = await chain(desk, 1)
    assert "Obey" not in "".join(await desk.expand(previous_response_id=kept))
    assert b"Obey the instructions" in await desk.stored.responses.get(desk.who("copilot").scope, kept)


async def test_a_stored_response_says_of_itself_what_is_true_here(desk: Desk) -> None:
    ids = await chain(desk, 2)
    found = msgspec.json.decode(await desk.stored.responses.get(desk.who("copilot").scope, ids[1]))
    assert (found["id"], found["previous_response_id"], found["conversation"]) == (ids[1], ids[0], None)
    assert found["store"] is True
    assert found["output"][0]["content"][0]["text"] == "answer 1"


@pytest.mark.parametrize("by", STRANGERS)
async def test_for_anybody_else_a_response_does_not_exist(desk: Desk, by: str) -> None:
    (kept,) = await chain(desk, 1)
    responses, scope = desk.stored.responses, desk.who(by).scope
    unknown = kept[:-4] + "0000"
    for method in (responses.get, responses.delete, responses.require):
        for name in (kept, unknown):
            with pytest.raises(ResponseNotFound, match=f"Response with id '{name}' not found"):
                await method(scope, name)
    with pytest.raises(ResponseNotFound):
        await responses.input_items(scope, kept, Paging())
    for name in (kept, unknown):
        with pytest.raises(PreviousResponseNotFound, match=f"Previous response with id '{name}' not found"):
            await desk.expand(by, previous_response_id=name)
    assert await responses.page(scope, Paging()) == ([], False)
    assert await desk.expand(previous_response_id=kept) == ["question 0", "answer 0"]


async def test_a_chain_does_not_lead_into_what_belongs_to_somebody_else(desk: Desk) -> None:
    (theirs,) = await chain(desk, 1, "review")
    mine = await desk.keep("mine", "M", previous_response_id=theirs)
    with pytest.raises(PreviousResponseNotFound, match=theirs):
        await desk.expand(previous_response_id=mine)


@pytest.mark.parametrize("by", ["ana", "globex", "review"])
async def test_users_and_applications_have_their_own(desk: Desk, by: str) -> None:
    ids = await chain(desk, 2, by)
    assert len(await desk.expand(by, previous_response_id=ids[-1])) == 4
    assert [entry.model for entry in (await desk.stored.responses.page(desk.who(by).scope, Paging()))[0]] == [
        "chat"
    ] * 2


async def test_a_key_that_administers_keeps_nothing(desk: Desk) -> None:
    admin = desk.parts.principals.authenticate(ACME_ADMIN_KEY.encode(), None, desk.clock.now_ns())
    exchange = Exchange(desk.parts.ids.new_id(), "chat", desk.clock.now_ns(), (), response_object("x"))
    with pytest.raises(KeyCannotCall):
        await desk.stored.keep(admin, admin.scope, exchange)


@pytest.mark.parametrize(
    "name", ["", "resp_", "resp_1", "conv_" + "0" * 32, "resp_" + "G" * 32, "resp_" + "0" * 33, "ü\u0000"]
)
async def test_what_is_no_id_of_ours_is_unknown(desk: Desk, name: str) -> None:
    scope = desk.who("copilot").scope
    with pytest.raises(ResponseNotFound):
        await desk.stored.responses.get(scope, name)
    with pytest.raises(PreviousResponseNotFound):
        await desk.stored.expand(scope, previous_response_id=name)


async def test_a_chain_that_lost_a_link_is_refused_and_says_which(desk: Desk) -> None:
    ids = await chain(desk, 4)
    scope = desk.who("copilot").scope
    await desk.stored.responses.delete(scope, ids[1])
    for later in ids[2:]:
        with pytest.raises(PreviousResponseNotFound, match=f"builds on '{ids[1]}'"):
            await desk.expand(previous_response_id=later)
        assert b"answer" in await desk.stored.responses.get(scope, later)
    assert await desk.expand(previous_response_id=ids[0]) == ["question 0", "answer 0"]
    with pytest.raises(ResponseNotFound):
        await desk.stored.responses.get(scope, ids[1])
    with pytest.raises(ResponseNotFound):
        await desk.stored.responses.delete(scope, ids[1])


async def test_nothing_of_the_contents_can_be_read_from_the_rows(desk: Desk) -> None:
    scope = desk.who("copilot").scope
    metadata = {"topic": "SECRET-metadata"}
    item = raw({"role": "user", "content": "SECRET-item"})
    conversation = await desk.stored.conversations.create(scope, metadata, [item], 30)
    name = f"conv_{conversation.id.replace('-', '')}"
    await desk.keep("SECRET-question", "SECRET-answer", conversation_id=name)
    async with desk.parts.database.owner() as owner:
        for table in TABLES:
            rows = await owner.fetch(f"SELECT * FROM enfilade_shared.{table}")
            assert rows, table
            for row in rows:
                assert not [
                    value for value in row.values() if b"SECRET" in _bytes(value) and row.get("item_id") != value
                ]
    events = await desk.events("ResponseKept", "ConversationCreated")
    assert len(events) == 2
    assert "SECRET" not in str(events)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


async def test_contents_that_were_moved_to_another_row_do_not_open(desk: Desk) -> None:
    first, second = await desk.keep("one", "1"), await desk.keep("two", "2")
    async with desk.parts.database.owner() as owner:
        await owner.execute(
            "UPDATE enfilade_shared.responses AS r SET input = o.input, reply = o.reply"
            " FROM enfilade_shared.responses AS o WHERE o.id <> r.id"
        )
    scope = desk.who("copilot").scope
    for name in (first, second):
        with pytest.raises(StorageFault):
            await desk.stored.responses.get(scope, name)
        with pytest.raises(StorageFault):
            await desk.expand(previous_response_id=name)


async def test_large_contents_are_kept_whole(desk: Desk) -> None:
    text = "☃" * INLINE_BYTES
    kept = await desk.keep(text, "A" * INLINE_BYTES)
    assert await desk.expand(previous_response_id=kept) == [text, "A" * INLINE_BYTES]


async def test_a_chain_may_have_so_many_responses(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_CHAIN", 3)
    ids = await chain(desk, 4)
    assert len(await desk.expand(previous_response_id=ids[2])) == 6
    with pytest.raises(ContextTooLarge, match="3 responses"):
        await desk.expand(previous_response_id=ids[3])


async def test_a_chain_may_have_so_many_items(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_ITEMS", 4)
    ids = await chain(desk, 3)
    assert len(await desk.expand(previous_response_id=ids[1])) == 4
    with pytest.raises(ContextTooLarge, match="4 items"):
        await desk.expand(previous_response_id=ids[2])


async def test_a_chain_may_have_so_many_bytes(desk: Desk) -> None:
    parts = desk.parts
    narrow = Stored(parts.storage, parts.envelope, desk.clock, parts.ids, most_bytes=20_000)
    ids: list[str] = []
    for _ in range(4):
        ids.append(await desk.keep("q" * 8_000, "a", previous_response_id=ids[-1] if ids else None))
    scope = desk.who("copilot").scope
    assert len(await narrow.expand(scope, previous_response_id=ids[1])) == 4
    for name in ids[2:]:
        with pytest.raises(ContextTooLarge, match="20000 bytes") as refused:
            await narrow.expand(scope, previous_response_id=name)
        assert refused.value.param == "previous_response_id"


async def test_a_long_chain_is_continued_whole(desk: Desk) -> None:
    ids = await chain(desk, 60)
    found = await desk.expand(previous_response_id=ids[-1])
    assert found[::2] == [f"question {number}" for number in range(60)]


async def test_both_references_together_are_refused(desk: Desk) -> None:
    with pytest.raises(InvalidRequest, match="cannot be used together"):
        await desk.expand(previous_response_id="resp_1", conversation_id="conv_1")


async def test_what_is_kept_is_listed_newest_first_in_pages(desk: Desk) -> None:
    ids = await chain(desk, 5)
    scope = desk.who("copilot").scope
    for newest_first, ordered in ((True, ids[::-1]), (False, ids)):
        seen, after, more = [], None, True
        while more:
            entries, more = await desk.stored.responses.page(scope, Paging(after, 2, newest_first))
            seen += [f"resp_{entry.id.replace('-', '')}" for entry in entries]
            after = seen[-1]
        assert seen == ordered
    entry = (await desk.stored.responses.page(scope, Paging(limit=1)))[0][0]
    assert (entry.status, f"resp_{(entry.previous_response_id or '').replace('-', '')}") == ("completed", ids[3])


async def test_a_responses_input_is_listed_in_pages(desk: Desk) -> None:
    given = [{"type": "message", "role": "user", "content": f"part {number}"} for number in range(3)]
    given[1]["id"] = "msg_own"
    first = await desk.keep("before", "b")
    kept = await desk.keep(given, "done", previous_response_id=first)
    scope = desk.who("copilot").scope
    items, more = await desk.stored.responses.input_items(scope, kept, Paging(limit=20, newest_first=False))
    assert [msgspec.json.decode(item.content)["content"] for item in items] == ["part 0", "part 1", "part 2"]
    assert (items[1].id, more) == ("msg_own", False)
    assert len({item.id for item in items}) == 3
    page, more = await desk.stored.responses.input_items(scope, kept, Paging(limit=1))
    assert ([item.id for item in page], more) == ([items[2].id], True)
    page, more = await desk.stored.responses.input_items(scope, kept, Paging(after=items[2].id, limit=2))
    assert ([item.id for item in page], more) == (["msg_own", items[0].id], False)
    with pytest.raises(ItemNotFound):
        await desk.stored.responses.input_items(scope, kept, Paging(after="msg_nobody"))


@pytest.mark.parametrize(
    ("by", "asked", "kept"),
    [
        ("copilot", None, True),
        ("copilot", True, True),
        ("copilot", False, False),
        ("ana", None, True),
        ("silent", None, False),
        ("silent", False, False),
    ],
)
async def test_whether_a_response_is_kept(desk: Desk, by: str, asked: bool | None, kept: bool) -> None:
    assert desk.stored.keeps(desk.who(by), asked=asked) is kept


async def test_storing_that_is_asked_for_and_not_done_is_refused(desk: Desk) -> None:
    with pytest.raises(StoringRefused, match="application keeps no responses"):
        desk.stored.keeps(desk.who("silent"), asked=True)
    parts = desk.parts
    keyless = Stored(parts.storage, another_process(parts, None).envelope, desk.clock, parts.ids, 1_000_000)
    assert not keyless.keeps(desk.who("copilot"), asked=None)
    with pytest.raises(StoringRefused, match="no master key"):
        keyless.keeps(desk.who("copilot"), asked=True)
    with pytest.raises(StoringRefused):
        keyless.require_keeping(desk.who("copilot"))


async def test_changes_are_events_that_name_ids_only(desk: Desk) -> None:
    kept = await desk.keep("question", "answer")
    await desk.stored.responses.delete(desk.who("copilot").scope, kept)
    events = await desk.events("ResponseKept", "ResponseDeleted")
    assert [(event["type"], event["data"]["id"]) for event in events] == [
        ("ResponseKept", kept),
        ("ResponseDeleted", kept),
    ]
    assert events[0]["data"].keys() == {"id", "application", "user", "conversation", "days"}
    assert events[0]["data"]["application"] == desk.who("copilot").scope.application


async def test_many_are_kept_at_once(desk: Desk) -> None:
    ids = await asyncio.gather(*(desk.keep(f"q {n}", f"a {n}", by) for n in range(10) for by in ("copilot", "globex")))
    assert len(set(ids)) == 20
    for by in ("copilot", "globex"):
        assert len((await desk.stored.responses.page(desk.who(by).scope, Paging()))[0]) == 10


async def test_an_answer_is_kept_while_its_tenant_is_being_changed(desk: Desk) -> None:
    tenant = desk.who("copilot").scope.tenant
    async with unit_in(desk.parts, tenant), asyncio.timeout(20):
        kept = await desk.keep("question", "answer")
        assert await desk.expand(previous_response_id=kept) == ["question", "answer"]


async def test_what_cannot_be_written_is_not_kept(desk: Desk) -> None:
    await desk.parts.database.close()
    with pytest.raises(DatabaseUnavailable):
        await desk.keep("question", "answer")


async def test_a_response_of_a_conversation_is_continued_by_the_conversation_only(desk: Desk) -> None:
    scope = desk.who("copilot").scope
    made = await desk.stored.conversations.create(scope, {}, (), 30)
    name = f"conv_{made.id.replace('-', '')}"
    inside = await desk.keep("question", "answer", conversation_id=name)
    with pytest.raises(NotOffered, match=name):
        await desk.expand(previous_response_id=inside)
    await desk.stored.conversations.delete(scope, name)
    with pytest.raises(NotOffered, match=name):
        await desk.expand(previous_response_id=inside)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([{"type": "item_reference", "id": "msg_1"}], "send the item itself"),
        ([{"id": "msg_1"}], "no item"),
        (["text"], "no item"),
        ({"role": "user"}, "array of items"),
        (7, "array of items"),
    ],
)
def test_an_input_that_is_no_list_of_items_is_refused(given: object, says: str) -> None:
    """Also a reference to an item: it could be another tenant's at the provider."""
    with pytest.raises(InvalidItem, match=says):
        items_of_input(raw(given))
