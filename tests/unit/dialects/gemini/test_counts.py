"""Counting tokens, both ways."""

import json
from typing import Any

import pytest

from enfilade.core.messages import Conversation, Message, Role, Sealed, Text
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import UnreadableReply, WrongType
from enfilade.dialects.members.gemini_count import DIALECT
from enfilade.dialects.members.gemini_count.codec import CODEC
from enfilade.dialects.seals import envelope
from enfilade.dialects.traits import Traits
from enfilade.dialects.types import Request

TARGET = "/v1beta/models/chat:countTokens"
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
CONVERSATION = Conversation((Message(Role.USER, (Text("Hi"),)),), system=(Text("Be brief."),))


def parsed(**fields: Any) -> Request:
    return DIALECT.parse(json.dumps(fields).encode(), TARGET)


@pytest.mark.parametrize(
    "fields",
    [
        {"contents": CONTENTS, "systemInstruction": "Be brief."},
        {"generateContentRequest": {"model": "models/chat", "contents": CONTENTS, "systemInstruction": "Be brief."}},
        {"generate_content_request": {"contents": CONTENTS, "system_instruction": {"parts": [{"text": "Be brief."}]}}},
    ],
)
def test_what_is_to_be_counted_stands_bare_or_wrapped(fields: dict[str, Any]) -> None:
    request = parsed(**fields)
    assert (request.model, request.is_free, request.makes_output) == ("chat", True, False)
    found = CODEC.question(request)
    assert (found.messages, found.system, found.foreign) == (CONVERSATION.messages, CONVERSATION.system, ())


def test_the_question_is_wrapped_or_bare_as_the_service_takes_it() -> None:
    wrapped = json.loads(CODEC.write(CONVERSATION, Upstream("up")))
    system = {"parts": [{"text": "Be brief."}]}
    inner = {"contents": CONTENTS, "systemInstruction": system}
    assert wrapped == {"generateContentRequest": {"model": "models/up"} | inner}
    bare = json.loads(CODEC.write(CONVERSATION, Upstream("up", traits=Traits(wraps_count=False))))
    assert bare == inner


def test_a_count_is_read_and_given() -> None:
    assert CODEC.read(b'{"totalTokens":31,"cachedContentTokenCount":3}', Upstream("up")) == 31
    assert json.loads(CODEC.render(31, parsed(contents=CONTENTS))) == {"totalTokens": 31}
    assert DIALECT.read_reply(b'{"totalTokens":31}').usage is None
    for body in (b"{}", b'{"totalTokens":"a"}', b'{"totalTokens":1e300}'):
        with pytest.raises(UnreadableReply):
            CODEC.read(body, Upstream("up"))


def test_a_wrapped_request_names_the_providers_model() -> None:
    request = parsed(generateContentRequest={"model": "models/chat", "contents": CONTENTS})
    sent = json.loads(DIALECT.render_request(request, "up", max_output=None))
    assert sent == {"generateContentRequest": {"model": "models/up", "contents": CONTENTS}}
    with pytest.raises(WrongType):
        CODEC.question(parsed(generateContentRequest=[1]))


def test_envelopes_do_not_go_to_google() -> None:
    sealed = {"text": "Hm.", "thought": True, "thoughtSignature": envelope(Sealed("anthropic", "x"))}
    contents = [*CONTENTS, {"role": "model", "parts": [sealed]}]
    for fields in ({"contents": contents}, {"generateContentRequest": {"contents": contents}}):
        sent = json.loads(DIALECT.render_request(parsed(**fields), "up", max_output=None))
        assert (sent.get("generateContentRequest") or sent)["contents"] == CONTENTS
