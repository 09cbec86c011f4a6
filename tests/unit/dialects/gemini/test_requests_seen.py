"""What is found in a caller's request before it passes: media in all places, and the model under any of its names."""

import json
from typing import Any

import msgspec
import pytest

from enfilade.core.messages import Conversation, Message, Question, Role, Text
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import WrongType
from enfilade.dialects.gemini.addresses import renamed
from enfilade.dialects.gemini.requests import count_media
from enfilade.dialects.members.gemini_count.codec import CODEC as COUNT
from enfilade.dialects.members.gemini_embed.codec import CODEC as EMBED

INLINE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
SNAKE = {"inline_data": {"mime_type": "image/png", "data": "AAAA"}}
FILE = {"fileData": {"fileUri": "gs://a"}}
FILE_SNAKE = {"file_data": {"file_uri": "gs://a"}}
RESULT = {"name": "f", "response": {"inlineData": 1}, "parts": [INLINE, {"text": "a"}]}
NAMED = [("up", "models/up"), ("models/up", "models/up")]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ([{"parts": [INLINE, {"text": "a"}, SNAKE]}, {"parts": [FILE, FILE_SNAKE]}], 4),
        ({"parts": [INLINE]}, 1),
        ([INLINE], 1),
        ([{"parts": [{"functionResponse": RESULT}]}], 1),
        ([{"parts": [{"function_response": RESULT}]}], 1),
        ([{"parts": [{"functionCall": {"name": "f", "args": {"inlineData": {}, "parts": [INLINE]}}}]}], 0),
        ({"contents": [{"parts": [INLINE]}], "systemInstruction": {"parts": [FILE]}}, 2),
        ({"contents": [{"parts": [INLINE]}], "system_instruction": {"parts": [FILE]}}, 2),
        ([{"content": {"parts": [INLINE]}}, {"content": {"parts": [{"text": "a"}]}}], 1),
        ([{"parts": [{"inlineData": None, "text": "a"}]}], 0),
        ([{"parts": [INLINE | {"videoMetadata": {"fps": 1}}]}], 1),
        ("Hi", 0),
        (7, 0),
        # What is no part hides none of the others.
        (["Hi", {"parts": [INLINE, 5]}], 1),
        ([{"parts": INLINE}], 1),
        ({"contents": {"parts": [INLINE, FILE]}}, 2),
        ([{"parts": [{"functionResponse": {"parts": INLINE, "response": {"fileData": {}}}}]}], 1),
    ],
)
def test_media_are_counted_wherever_they_stand(value: Any, count: int) -> None:
    assert count_media(msgspec.Raw(msgspec.json.encode(value)), "contents") == count


def test_the_data_of_media_is_not_read() -> None:
    unreadable = b'[{"parts":[{"inlineData":{"mimeType":"image/png","data":"\xff"}}]}]'
    with pytest.raises(UnicodeDecodeError):
        msgspec.json.decode(unreadable)
    assert count_media(msgspec.Raw(unreadable), "contents") == 1


@pytest.mark.parametrize("value", [b"[" * 100_000 + b"]" * 100_000, b'[{"parts":' * 5000 + b"[]" + b"}]" * 5000])
def test_what_is_nested_too_deeply_is_refused(value: bytes) -> None:
    with pytest.raises(WrongType) as refusal:
        count_media(msgspec.Raw(value), "contents")
    assert refusal.value.param == "contents"


@pytest.mark.parametrize(("model", "name"), NAMED)
def test_a_model_is_named_with_its_collection_once(model: str, name: str) -> None:
    assert json.loads(bytes(renamed(msgspec.Raw(b'"models/chat"'), model))) == name
    assert json.loads(EMBED.write(Question(("a",)), Upstream(model)))["requests"][0]["model"] == name
    question = Conversation((Message(Role.USER, (Text("Hi"),)),))
    assert json.loads(COUNT.write(question, Upstream(model)))["generateContentRequest"]["model"] == name
