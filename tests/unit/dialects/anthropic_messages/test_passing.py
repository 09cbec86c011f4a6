"""Conversations that pass through after an earlier turn was answered by another family's provider."""

import json
from typing import Any

from enfilade.core.messages import Completion, Finish, Reasoning, Sealed, Text, ToolCall
from enfilade.dialects.anthropic.carriers import UNSEALED
from enfilade.dialects.members.anthropic_count import DIALECT as COUNT
from enfilade.dialects.members.anthropic_messages import DIALECT
from enfilade.dialects.members.anthropic_messages.reply import reply_object
from enfilade.dialects.seals import carried, envelope

GEMINI = carried(Sealed("gemini", "c2ln"), "anthropic")
TEXT = {"type": "text", "text": "a"}
CALL = {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "b"}]}
HI = {"role": "user", "content": "Hi"}


def sent(*blocks: Any, **fields: Any) -> dict[str, Any]:
    """What goes to Anthropic when those blocks were the last answer."""
    messages = [HI, {"role": "assistant", "content": list(blocks)}, RESULT]
    body = json.dumps({"model": "claude", "max_tokens": 9, "messages": messages} | fields).encode()
    written: dict[str, Any] = json.loads(DIALECT.render_request(DIALECT.parse(body), "claude", max_output=None))
    counted = json.loads(COUNT.render_request(COUNT.parse(body), "claude", max_output=None))
    assert counted["messages"] == written["messages"]
    return written


def left(*blocks: Any) -> Any:
    """What remains of those blocks."""
    return sent(*blocks)["messages"][1]["content"]


def test_a_body_without_envelopes_passes_byte_by_byte() -> None:
    messages = json.dumps(
        [HI, {"role": "assistant", "content": [{"type": "thinking", "signature": "c2ln", "x": 2.50}]}]
    )
    body = b'{"model":"m","max_tokens":9,"messages": %b}' % messages.encode()
    request = DIALECT.parse(body)
    assert not request.envelopes
    assert DIALECT.render_request(request, "m", max_output=None) == body.replace(b": [{", b":[{", 1)


def test_thoughts_of_other_families_are_taken_out() -> None:
    own = {"type": "thinking", "thinking": "b", "signature": "c2ln"}
    blocks = [
        {"type": "thinking", "thinking": "a", "signature": GEMINI.value},
        own,
        {"type": "redacted_thinking", "data": GEMINI.value},
        {"type": "thinking", "thinking": "c", "signature": UNSEALED},
        {"type": "thinking", "thinking": "d", "signature": GEMINI.value[:-3] + "!!!"},
        CALL,
    ]
    assert left(*blocks) == [own, CALL]


def test_an_envelope_of_anthropics_own_is_opened() -> None:
    wrapped = {"type": "thinking", "thinking": "a", "signature": envelope(Sealed("anthropic", "c2ln"))}
    assert left(wrapped, CALL) == [{"type": "thinking", "thinking": "a", "signature": "c2ln"}, CALL]
    hidden = {"type": "redacted_thinking", "data": envelope(Sealed("anthropic", "ZGF0YQ"))}
    assert left(hidden, CALL) == [{"type": "redacted_thinking", "data": "ZGF0YQ"}, CALL]


def test_a_turn_of_which_nothing_is_left_is_left_out() -> None:
    assert sent({"type": "redacted_thinking", "data": GEMINI.value})["messages"] == [HI, RESULT]


def test_what_we_rendered_for_others_can_all_be_sent_on() -> None:
    answer = Completion(
        "id",
        "m",
        0,
        (
            Reasoning("Hm."),
            Reasoning("Hm.", GEMINI),
            Text("See there.", citations=({"url": "https://a.b", "title": "T", "start": 0, "end": 3},), seal=GEMINI),
            ToolCall("t", "n", '{"a":1}', seal=GEMINI),
        ),
        Finish.TOOL_CALLS,
        None,
    )
    content = json.loads(json.dumps(reply_object(answer), default=lambda raw: json.loads(bytes(raw))))["content"]
    assert len(content) == 6
    assert left(*content) == [{"type": "text", "text": "See there.", "citations": None}, CALL]


def test_thinking_is_switched_off_where_its_thoughts_had_to_go() -> None:
    foreign = {"type": "thinking", "thinking": "a", "signature": GEMINI.value}
    own = {"type": "thinking", "thinking": "a", "signature": "c2ln"}
    budget = {"type": "enabled", "budget_tokens": 1024}
    assert sent(foreign, CALL, thinking=budget)["thinking"] == {"type": "disabled"}
    assert sent(foreign, own, CALL, thinking=budget)["thinking"] == budget
    assert sent(foreign, TEXT, thinking=budget)["thinking"] == budget
    assert sent(foreign, CALL, thinking={"type": "adaptive"})["thinking"] == {"type": "adaptive"}
    assert "thinking" not in sent(foreign, CALL)


def test_strange_content_beside_an_envelope_passes() -> None:
    odd = [3, "x", {"type": ["a"]}, {"type": "thinking", "signature": 3}, {"type": "text", "citations": [1]}]
    assert left(*odd, {"type": "redacted_thinking", "data": GEMINI.value}) == odd
