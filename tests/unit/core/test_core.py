"""Events, usage, scopes and the neutral form: the words that every room shares."""

import hashlib
import json
from types import ModuleType

import pytest
import rfc8785

from enfilade.core.events import Event
from enfilade.core.families import members
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.messages import Conversation, Media, Message, Role, Text
from enfilade.core.scope import Scope
from enfilade.core.usage import MAX_TOKENS, Usage
from enfilade.dialects import members as dialect_members
from enfilade.gateway import strategies
from enfilade.identity.scopes import key_scope, system_scope

GOLDEN = (
    '{"actor":"key:1","at":"2026-11-02T12:00:00.000001Z","data":{"a":"\u00e9","b":[1,true,null]},'
    '"tenant":"t","type":"KeyIssued"}'
)
LEAF = "453553913b2d1b2f1210edc229f32a63855630280d04449d84be544715e3e343"


def test_the_body_of_an_event_is_fixed_for_ever() -> None:
    event = Event("KeyIssued", "t", 1_793_620_800_000_001_999, "key:1", {"b": [1, True, None], "a": "\u00e9"})

    assert event.body() == GOLDEN
    assert event.body().encode() == rfc8785.dumps(json.loads(GOLDEN))
    assert hashlib.sha256(b"\x00" + event.body().encode()).hexdigest() == LEAF


def test_events_that_differ_in_anything_have_different_bodies() -> None:
    base = ("KeyIssued", "t", 1_000_000, "key:1", {"a": 1})
    others = [("KeyRevoked",), ("", "u"), ("", "", 2_000_000), ("", "", 0, "key:2"), ("", "", 0, "", {"a": 2})]
    bodies = {Event(*base).body()}
    for change in others:
        changed = list(base)
        changed[len(change) - 1] = change[-1]
        bodies.add(Event(*changed).body())  # type: ignore[arg-type]

    assert len(bodies) == 1 + len(others)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(), True),
        (Usage(10, 4, 3, 3, 5, 5), True),
        (Usage(10, 4, 3, 4), False),
        (Usage(output_tokens=5, reasoning_tokens=6), False),
        (Usage(-1), False),
        (Usage(10, -1, 1), False),
        (Usage(10, 0, -5, 5), False),
        (Usage(output_tokens=-1), False),
        (Usage(output_tokens=5, reasoning_tokens=-1), False),
        (Usage(MAX_TOKENS, output_tokens=MAX_TOKENS), True),
        (Usage(MAX_TOKENS + 1), False),
        (Usage(output_tokens=MAX_TOKENS + 1), False),
    ],
)
def test_usage_that_cannot_be_is_recognised(usage: Usage, expected: bool) -> None:
    assert usage.is_plausible() is expected


def test_the_total_counts_each_token_once() -> None:
    assert Usage(10, 4, 3, 3, 5, 2).total_tokens == 15


def test_a_scope_may_do_what_it_was_granted_and_nothing_else() -> None:
    scope = Scope("t", "key:1", frozenset({"keys:read"}))

    assert scope.may("keys:read")
    assert not scope.may("keys:write")
    assert not scope.may("")
    assert not scope.is_platform
    assert system_scope("test").is_platform
    assert key_scope(PLATFORM_ID, "1").is_platform


def test_a_scope_cannot_be_changed() -> None:
    scope = key_scope("t", "1")

    with pytest.raises(AttributeError):
        scope.tenant = "u"  # type: ignore[misc]


def test_the_last_words_of_the_user_are_found() -> None:
    messages = (
        Message(Role.USER, (Text("first"),)),
        Message(Role.USER, (Text("one, "), Media("image", url="https://x.invalid"), Text("two"))),
        Message(Role.ASSISTANT, (Text("answer"),)),
    )

    assert Conversation(messages).last_user_text() == "one, two"
    assert Conversation(messages[2:]).last_user_text() == ""


def test_a_family_is_what_its_folder_holds() -> None:
    assert set(members(dialect_members, "DIALECT")) >= {"openai_chat", "openai_embeddings", "anthropic_messages"}
    with pytest.raises(AttributeError):
        members(strategies, "NO_SUCH_ATTRIBUTE")
    empty = ModuleType("empty")
    empty.__path__ = []
    assert members(empty, "ANYTHING") == {}
