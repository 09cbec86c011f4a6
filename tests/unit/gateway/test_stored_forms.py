"""What is read from, and shown of, the JSON of the Responses API."""

from typing import Any

import msgspec
import pytest

from enfilade.core.ids import PLATFORM_ID
from enfilade.gateway.stored.forms import item_id, items_of_input, output_of, raw, shown_item, stamped_reply, status_of
from enfilade.gateway.stored.types import CONVERSATION, RESPONSE, StoredItem, internal_id, public_id

IDENTIFIER = "01a19c21-7200-7000-8000-0123456789ab"
INPUT_TEXT = {"type": "input_text", "text": "hello"}
OUTPUT_TEXT = {"type": "output_text", "annotations": [], "text": "hello"}


def test_an_id_and_its_public_form_lead_to_one_another() -> None:
    name = public_id(RESPONSE, IDENTIFIER)
    assert name == "resp_01a19c217200700080000123456789ab"
    assert internal_id(RESPONSE, name) == IDENTIFIER
    assert internal_id(CONVERSATION, name) is None
    assert internal_id(RESPONSE, name.upper()) is None
    assert internal_id(CONVERSATION, public_id(CONVERSATION, PLATFORM_ID)) == PLATFORM_ID


def test_a_text_is_a_users_message() -> None:
    (item,) = items_of_input(msgspec.Raw(b' "he\\u006clo"'))
    assert msgspec.json.decode(item) == {"type": "message", "role": "user", "content": [INPUT_TEXT]}


def test_items_keep_their_bytes() -> None:
    given = b'[{"role": "user",  "content": "x", "a": 1.0}, {"type":"new_kind","deep":[{}]}]'
    assert [bytes(item) for item in items_of_input(msgspec.Raw(given))] == [
        b'{"role": "user",  "content": "x", "a": 1.0}',
        b'{"type":"new_kind","deep":[{}]}',
    ]
    assert items_of_input(msgspec.Raw(b"[]")) == ()


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"role": "user"}, "msg_1f"),
        ({"type": "reasoning"}, "rs_1f"),
        ({"type": "never_heard_of"}, "item_1f"),
        ({"type": "message", "id": "msg_own-1.2:3"}, "msg_own-1.2:3"),
        ({"type": "message", "id": "../../x"}, "msg_1f"),
        ({"type": "message", "id": ""}, "msg_1f"),
        ({"type": "message", "id": "x" * 129}, "msg_1f"),
        ({"type": "message", "id": "ü"}, "msg_1f"),
    ],
)
def test_an_item_has_its_own_id_if_that_can_be_an_address(item: object, expected: str) -> None:
    assert item_id(raw(item), "1f") == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"role": "user", "content": "hello"},
            {"type": "message", "status": "completed", "role": "user", "content": [INPUT_TEXT]},
        ),
        (
            {"role": "assistant", "content": "hello", "status": "incomplete", "id": "other"},
            {"type": "message", "status": "incomplete", "role": "assistant", "content": [OUTPUT_TEXT]},
        ),
        (
            {"type": "message", "role": "user", "content": [INPUT_TEXT], "unknown": {"a": 1}},
            {"type": "message", "status": "completed", "role": "user", "content": [INPUT_TEXT], "unknown": {"a": 1}},
        ),
        ({"type": "message", "role": "user"}, {"type": "message", "status": "completed", "role": "user"}),
        (
            {"type": "function_call_output", "call_id": "c", "output": "x"},
            {"type": "function_call_output", "status": "completed", "call_id": "c", "output": "x"},
        ),
        ({"type": "reasoning", "encrypted_content": "e"}, {"type": "reasoning", "encrypted_content": "e"}),
        ({"type": "new_kind", "status": 7}, {"type": "new_kind", "status": 7}),
    ],
)
def test_an_item_is_shown_with_all_that_is_read_of_one(item: object, expected: dict[str, Any]) -> None:
    assert msgspec.json.decode(shown_item(StoredItem("msg_1", raw(item)))) == {"id": "msg_1"} | expected


def test_a_reply_is_stamped_and_keeps_everything_else() -> None:
    reply = b'{"id":"resp_up","output":[{"type":"x"}],"store":false,"new":1.0,"status":"incomplete"}'
    stamped = stamped_reply(reply, "resp_1", previous="resp_0", conversation="conv_1", stored=True)
    assert stamped == (
        b'{"id":"resp_1","output":[{"type":"x"}],"store":true,"new":1.0,"status":"incomplete",'
        b'"previous_response_id":"resp_0","conversation":{"id":"conv_1"}}'
    )
    assert [bytes(item) for item in output_of(stamped)] == [b'{"type":"x"}']
    assert status_of(stamped) == "incomplete"
    assert status_of(b'{"status":"strange"}') == status_of(b"{}") == "completed"
    plain = msgspec.json.decode(stamped_reply(b"{}", "resp_1", previous=None, conversation=None, stored=False))
    assert plain == {"id": "resp_1", "previous_response_id": None, "conversation": None, "store": False}
