"""What has expired is shown to nobody, and deleted in small steps."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from enfilade.gateway.stored import retention
from enfilade.gateway.stored.errors import ConversationNotFound, PreviousResponseNotFound, ResponseNotFound
from enfilade.gateway.stored.forms import raw
from enfilade.gateway.stored.retention import SWEEP_EVERY_S
from enfilade.gateway.stored.types import CONVERSATION, Paging, public_id
from tests.postgres.gateway.conftest import DAY, Desk
from tests.support.parts import service
from tests.support.waiting import eventually

ITEM = raw({"type": "message", "role": "user", "content": "hello"})


async def conversation(desk: Desk, by: str, days: int) -> str:
    made = await desk.stored.conversations.create(desk.who(by).scope, {}, [ITEM, ITEM], days)
    return public_id(CONVERSATION, made.id)


async def test_an_expired_response_is_not_shown_although_it_is_still_there(desk: Desk) -> None:
    kept = await desk.keep("question", "answer", "brief")
    later = await desk.keep("question", "answer", "brief", previous_response_id=kept)
    responses, scope = desk.stored.responses, desk.who("brief").scope
    desk.clock.advance(2 * DAY - 2)
    assert len(await desk.expand("brief", previous_response_id=later)) == 4
    desk.clock.advance(1)
    with pytest.raises(PreviousResponseNotFound, match=f"builds on '{kept}'"):
        await desk.expand("brief", previous_response_id=later)
    desk.clock.advance(1)
    attempts: list[Callable[[str], Awaitable[Any]]] = [
        lambda name: responses.get(scope, name),
        lambda name: responses.delete(scope, name),
        lambda name: responses.require(scope, name),
        lambda name: responses.input_items(scope, name, Paging()),
    ]
    for name in (kept, later):
        for attempt in attempts:
            with pytest.raises(ResponseNotFound):
                await attempt(name)
        with pytest.raises(PreviousResponseNotFound):
            await desk.expand("brief", previous_response_id=name)
    assert await responses.page(scope, Paging()) == ([], False)
    assert await desk.count("responses") == 2


async def test_an_expired_conversation_is_not_shown_although_it_is_still_there(desk: Desk) -> None:
    name = await conversation(desk, "brief", 2)
    mine, scope = desk.stored.conversations, desk.who("brief").scope
    desk.clock.advance(2 * DAY)
    attempts: list[Callable[[], Awaitable[Any]]] = [
        lambda: mine.get(scope, name),
        lambda: mine.change(scope, name, {}, 2),
        lambda: mine.delete(scope, name),
        lambda: mine.items(scope, name, Paging()),
        lambda: mine.item(scope, name, "msg_x"),
        lambda: mine.delete_item(scope, name, "msg_x"),
        lambda: mine.add_items(scope, name, [ITEM], 2),
        lambda: desk.stored.expand(scope, conversation_id=name),
    ]
    for attempt in attempts:
        with pytest.raises(ConversationNotFound):
            await attempt()
    await desk.keep("too late", "x", "brief", conversation_id=name)
    assert await desk.count("conversation_items") == 2


async def test_the_sweep_deletes_what_has_expired_and_nothing_else(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "RESPONSES_AT_ONCE", 2)
    monkeypatch.setattr(retention, "CONVERSATIONS_AT_ONCE", 1)
    monkeypatch.setattr(retention, "TENANTS_AT_ONCE", 1)
    for number in range(5):
        await desk.keep(f"question {number}", "answer", "brief")
    gone = [await conversation(desk, by, 2) for by in ("brief", "brief", "globex")]
    stays = [await conversation(desk, by, 30) for by in ("copilot", "globex")]
    kept = await desk.keep("question", "answer", "globex")
    assert await desk.parts.retention.sweep() == 0
    desk.clock.advance(2 * DAY)
    assert await desk.parts.retention.sweep() == 5 + len(gone)
    assert await desk.parts.retention.sweep() == 0
    assert [await desk.count(table) for table in ("responses", "conversations", "conversation_items")] == [1, 2, 4]
    assert await desk.expand("globex", previous_response_id=kept) == ["question", "answer"]
    assert await desk.expand("copilot", conversation_id=stays[0]) == ["hello", "hello"]
    events = await desk.events("ResponsesExpired", "ConversationsExpired")
    named = [name for event in events for name in event["data"]["ids"]]
    assert sorted(named) == sorted([*desk.kept[:5], *gone])
    assert {event["tenant"] for event in events} == {desk.who(by).scope.tenant for by in ("brief", "globex")}
    assert {event["actor"] for event in events} == {"system:retention"}


async def test_the_sweep_takes_what_a_removed_tenant_left(desk: Desk) -> None:
    await desk.keep("question", "answer", "globex")
    async with desk.parts.database.owner() as owner:
        await owner.execute("UPDATE enfilade.tenants SET removed_at = now() WHERE name = 'globex'")
    desk.clock.advance(30 * DAY)
    assert await desk.parts.retention.sweep() == 1
    assert await desk.count("responses") == 0


async def test_the_sweep_runs_by_itself_and_outlives_a_database_that_is_away(desk: Desk) -> None:
    await desk.keep("question", "answer", "brief")
    async with service(desk.parts.retention.run):
        await eventually(lambda: desk.clock.next_wake() is not None)
        desk.clock.advance(2 * DAY)
        await eventually(lambda: _is_empty(desk))
        await desk.parts.database.close()
        await eventually(lambda: desk.clock.next_wake() is not None)
        desk.clock.advance(SWEEP_EVERY_S)
        await eventually(lambda: (desk.clock.next_wake() or 0) == SWEEP_EVERY_S)
        await desk.parts.database.open()
        await desk.keep("question", "answer", "brief")
        desk.clock.advance(2 * DAY)
        await eventually(lambda: _is_empty(desk))


async def _is_empty(desk: Desk) -> bool:
    return await desk.count("responses") == 0


async def test_the_applications_days_count_when_it_is_kept(desk: Desk) -> None:
    lives = {}
    for by in ("brief", "copilot", "ana"):
        await desk.keep("question", "answer", by)
        (entry,), _ = await desk.stored.responses.page(desk.who(by).scope, Paging())
        lives[by] = (entry.expires_at - entry.created_at).days
    assert lives == {"brief": 2, "copilot": 30, "ana": 30}
