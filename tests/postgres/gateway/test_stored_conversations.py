"""Conversations that are kept: their items in order, what responses add to them, their bounds and their life."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from enfilade.core.clock import to_datetime
from enfilade.gateway.stored import conversations, service
from enfilade.gateway.stored.errors import ContextTooLarge, ConversationNotFound, ItemNotFound
from enfilade.gateway.stored.forms import raw
from enfilade.gateway.stored.service import Stored
from enfilade.gateway.stored.types import CONVERSATION, Paging, public_id
from tests.postgres.gateway.conftest import DAY, Desk, texts


def said(text: str, **more: object) -> msgspec.Raw:
    """A user's message."""
    return raw({"type": "message", "role": "user", "content": text} | more)


async def made(desk: Desk, *words: str, by: str = "copilot", days: int = 30) -> str:
    """A conversation with these messages."""
    found = await desk.stored.conversations.create(
        desk.who(by).scope, {"topic": "t"}, [said(word) for word in words], days
    )
    return public_id(CONVERSATION, found.id)


async def test_a_response_adds_its_question_and_its_answer(desk: Desk) -> None:
    name = await made(desk, "zero")
    assert await desk.expand(conversation_id=name) == ["zero"]
    await desk.keep("one", "two", conversation_id=name)
    await desk.keep([{"role": "user", "content": "three"}], "four", conversation_id=name)
    assert await desk.expand(conversation_id=name) == ["zero", "one", "two", "three", "four"]
    ids = [item.id for item in (await desk.stored.conversations.items(desk.who("copilot").scope, name, Paging()))[0]]
    assert len(set(ids)) == 5


async def test_responses_that_end_at_once_do_not_mix_their_items(desk: Desk) -> None:
    name = await made(desk)
    await asyncio.gather(*(desk.keep(f"q{number}", f"a{number}", conversation_id=name) for number in range(12)))
    found = await desk.expand(conversation_id=name)
    assert sorted(found[::2]) == sorted(f"q{number}" for number in range(12))
    assert [text.replace("q", "a") for text in found[::2]] == found[1::2]


async def test_a_conversation_that_was_deleted_meanwhile_stays_gone(desk: Desk) -> None:
    name = await made(desk, "zero")
    scope = desk.who("copilot").scope
    await desk.stored.conversations.delete(scope, name)
    kept = await desk.keep("one", "two", conversation_id=name)
    assert msgspec.json.decode(await desk.stored.responses.get(scope, kept))["conversation"] == {"id": name}
    assert await desk.count("conversations") == await desk.count("conversation_items") == 0
    with pytest.raises(ConversationNotFound) as refused:
        await desk.expand(conversation_id=name)
    assert refused.value.param == "conversation"


@pytest.mark.parametrize("by", ["review", "ana", "globex"])
async def test_for_anybody_else_a_conversation_does_not_exist(desk: Desk, by: str) -> None:
    name = await made(desk, "zero")
    mine, scope = desk.stored.conversations, desk.who(by).scope
    item = (await mine.items(desk.who("copilot").scope, name, Paging()))[0][0]
    unknown = name[:-4] + "0000"
    for wanted in (name, unknown, "conv_1", name.replace("conv", "resp")):
        attempts = (
            mine.get(scope, wanted),
            mine.change(scope, wanted, {}, 30),
            mine.delete(scope, wanted),
            mine.items(scope, wanted, Paging()),
            mine.add_items(scope, wanted, [said("x")], 30),
            mine.item(scope, wanted, item.id),
            mine.delete_item(scope, wanted, item.id),
            desk.stored.expand(scope, conversation_id=wanted),
        )
        for attempt in attempts:
            with pytest.raises(ConversationNotFound, match=f"Conversation with id '{wanted}' not found"):
                await attempt
    assert await mine.page(scope, Paging()) == ([], False)
    await desk.keep("sneaked in", "x", by, conversation_id=name)
    assert await desk.expand(conversation_id=name) == ["zero"]


async def test_items_are_listed_found_added_and_deleted(desk: Desk) -> None:
    name = await made(desk, "zero", "one", "two")
    mine, scope = desk.stored.conversations, desk.who("copilot").scope
    added = await mine.add_items(
        scope, name, [said("three", id="msg_own"), raw({"type": "reasoning", "summary": []})], 30
    )
    assert added[0].id == "msg_own"
    assert added[1].id.startswith("rs_")
    everything = (await mine.items(scope, name, Paging(newest_first=False)))[0]
    assert texts([item.content for item in everything[:4]]) == ["zero", "one", "two", "three"]
    for newest_first in (True, False):
        seen, after, more = [], None, True
        while more:
            page, more = await mine.items(scope, name, Paging(after, 2, newest_first))
            seen += [item.id for item in page]
            after = seen[-1]
        ids = [item.id for item in everything]
        assert seen == (ids[::-1] if newest_first else ids)
    assert (await mine.item(scope, name, "msg_own")).content == added[0].content
    await mine.delete_item(scope, name, everything[1].id)
    assert texts((await desk.stored.expand(scope, conversation_id=name))[:3]) == ["zero", "two", "three"]
    for attempt in (
        mine.item(scope, name, everything[1].id),
        mine.delete_item(scope, name, everything[1].id),
        mine.items(scope, name, Paging(after=everything[1].id)),
    ):
        with pytest.raises(ItemNotFound):
            await attempt


async def test_an_item_that_is_added_anew_is_a_copy(desk: Desk) -> None:
    name = await made(desk)
    scope = desk.who("copilot").scope
    for _ in range(2):
        await desk.stored.conversations.add_items(scope, name, [said("again", id="msg_own")], 30)
    assert await desk.expand(conversation_id=name) == ["again", "again"]
    await desk.stored.conversations.delete_item(scope, name, "msg_own")
    assert await desk.expand(conversation_id=name) == []


async def test_items_of_one_conversation_are_not_found_in_another(desk: Desk) -> None:
    first, second = await made(desk), await made(desk)
    scope = desk.who("copilot").scope
    await desk.stored.conversations.add_items(scope, first, [said("x", id="msg_own")], 30)
    with pytest.raises(ItemNotFound):
        await desk.stored.conversations.item(scope, second, "msg_own")


async def test_metadata_are_replaced(desk: Desk) -> None:
    name = await made(desk)
    mine, scope = desk.stored.conversations, desk.who("copilot").scope
    assert (await mine.get(scope, name)).metadata == {"topic": "t"}
    changed = await mine.change(scope, name, {"a": "ü\u0000"}, 30)
    assert changed.metadata == (await mine.get(scope, name)).metadata == {"a": "ü\u0000"}


async def test_conversations_are_listed_in_pages(desk: Desk) -> None:
    names = []
    for _ in range(3):
        desk.clock.advance(1)
        names.append(await made(desk))
    await made(desk, by="review")
    mine, scope = desk.stored.conversations, desk.who("copilot").scope
    page, more = await mine.page(scope, Paging(limit=2))
    assert ([public_id(CONVERSATION, entry.id) for entry in page], more) == ([names[2], names[1]], True)
    page, more = await mine.page(scope, Paging(names[1], 2))
    assert ([public_id(CONVERSATION, entry.id) for entry in page], more) == ([names[0]], False)
    page, _ = await mine.page(scope, Paging(names[0], 2, newest_first=False))
    assert [public_id(CONVERSATION, entry.id) for entry in page] == names[1:]


async def test_a_conversation_holds_so_many_items(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MAX_ITEMS", 3)
    monkeypatch.setattr(service, "MAX_ITEMS", 3)
    name = await made(desk, "zero", "one")
    scope = desk.who("copilot").scope
    with pytest.raises(ContextTooLarge, match="3 items") as refused:
        await desk.stored.conversations.add_items(scope, name, [said("two"), said("three")], 30)
    assert refused.value.param == "items"
    assert await desk.expand(conversation_id=name) == ["zero", "one"]
    # An answer is not lost because its conversation became too long: the next question is refused.
    kept = await desk.keep("two", "three", conversation_id=name)
    assert b"three" in await desk.stored.responses.get(scope, kept)
    with pytest.raises(ContextTooLarge, match="3 items"):
        await desk.expand(conversation_id=name)


async def test_a_conversation_holds_so_many_bytes(desk: Desk) -> None:
    parts, scope = desk.parts, desk.who("copilot").scope
    narrow = Stored(parts.storage, parts.envelope, desk.clock, parts.ids, most_bytes=2_000)
    with pytest.raises(ContextTooLarge):
        await narrow.conversations.create(scope, {}, [said("x" * 3_000)], 30)
    assert await desk.count("conversations") == 0
    name = await made(desk, "x" * 3_000)
    with pytest.raises(ContextTooLarge, match="2000 bytes"):
        await narrow.expand(scope, conversation_id=name)


async def test_a_conversation_lives_from_its_last_use(desk: Desk) -> None:
    name = await made(desk, "zero", days=2)
    mine, scope = desk.stored.conversations, desk.who("copilot").scope
    uses = (
        lambda: mine.add_items(scope, name, [said("more")], 2),
        lambda: mine.change(scope, name, {}, 2),
        lambda: desk.keep("question", "answer", conversation_id=name),
    )
    for use in uses:
        desk.clock.advance(DAY + DAY // 2)
        await use()
    found = await mine.get(scope, name)
    assert found.expires_at == to_datetime(desk.clock.now_ns()) + timedelta(days=30)
    # A shorter life does not begin before the longer one is over.
    await mine.change(scope, name, {}, 2)
    assert (await mine.get(scope, name)).expires_at == found.expires_at


async def test_changes_are_events_that_name_ids_only(desk: Desk) -> None:
    name = await made(desk, "SECRET")
    mine, scope = desk.stored.conversations, desk.who("copilot").scope
    await mine.add_items(scope, name, [said("SECRET", id="SECRET")], 30)
    await mine.change(scope, name, {"SECRET": "SECRET"}, 30)
    await mine.delete_item(scope, name, "SECRET")
    await mine.delete(scope, name)
    types = ("Created", "ItemsAdded", "Changed", "ItemDeleted", "Deleted")
    events = await desk.events(*(f"Conversation{kind}" for kind in types))
    assert [event["type"] for event in events] == [f"Conversation{kind}" for kind in types]
    assert all(name in event["data"].values() for event in events)
    assert "SECRET" not in str(events)
