"""Providers that think before each of two tool calls, and seal what they thought: three turns, and what has to come back."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from tests.support.upstream import Seen, Step, reply, stream

TOOL = "find_order"
SCHEMA = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
THOUGHTS = ("Look up the first.", "Look up the second.")
ANSWER = "Both are on their way."
RESULTS = ("The first is on its way.", "The second is on its way.")


class ThoughtfulAnthropic:
    """Thinks as Claude does."""

    kind = "anthropic"

    def steps(self, *, streamed: bool) -> list[Step]:
        """The three answers."""
        answers = [self._message(self.turn(number), "tool_use") for number in range(2)]
        answers.append(self._message([{"type": "text", "text": ANSWER}], "end_turn"))
        return [stream(self._events(answer)) if streamed else reply(answer) for answer in answers]

    def turn(self, number: int) -> list[dict[str, Any]]:
        """A turn's blocks, which have to come back as they are."""
        return [
            {"type": "thinking", "thinking": THOUGHTS[number], "signature": f"sealed-{number}"},
            {"type": "tool_use", "id": f"toolu_{number}", "name": TOOL, "input": {"number": number}},
        ]

    def check(self, seen: Sequence[Seen]) -> None:
        """What the third request brought back."""
        turns = seen[2].json["messages"]
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2 + ["user"]
        for number in range(2):
            assert turns[2 * number + 1]["content"] == self.turn(number)
            (result,) = turns[2 * number + 2]["content"]
            assert (result["type"], result["tool_use_id"]) == ("tool_result", f"toolu_{number}")
            assert RESULTS[number] in json.dumps(result["content"])

    def _message(self, content: list[dict[str, Any]], stop_reason: str) -> dict[str, Any]:
        usage = {"input_tokens": 10, "output_tokens": 5}
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "upstream-1", "stop_sequence": None}
        return head | {"content": content, "stop_reason": stop_reason, "usage": usage}

    def _events(self, message: dict[str, Any]) -> list[bytes]:
        events: list[dict[str, Any]] = [{"type": "message_start", "message": message | {"content": []}}]
        for index, block in enumerate(message["content"]):
            events += [event | {"index": index} for event in self._block(block)]
        ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        events += [{"type": "message_delta", "delta": ending, "usage": message["usage"]}, {"type": "message_stop"}]
        return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]

    def _block(self, block: dict[str, Any]) -> list[dict[str, Any]]:
        if block["type"] == "thinking":
            start = block | {"thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                {"type": "signature_delta", "signature": block["signature"]},
            ]
        elif block["type"] == "tool_use":
            start = block | {"input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        else:
            start = block | {"text": ""}
            deltas = [{"type": "text_delta", "text": block["text"]}]
        return [
            {"type": "content_block_start", "content_block": start},
            *({"type": "content_block_delta", "delta": delta} for delta in deltas),
            {"type": "content_block_stop"},
        ]


class ThoughtfulGemini:
    """Thinks as Gemini does: the call itself is signed."""

    kind = "gemini"

    def steps(self, *, streamed: bool) -> list[Step]:
        """The three answers."""
        answers = [
            self._answer([{"text": THOUGHTS[number], "thought": True}, self._call(number)]) for number in range(2)
        ]
        answers.append(self._answer([{"text": ANSWER}]))
        return [
            stream([b"data: " + json.dumps(answer).encode() + b"\r\n\r\n"]) if streamed else reply(answer)
            for answer in answers
        ]

    def check(self, seen: Sequence[Seen]) -> None:
        """What the third request brought back."""
        contents = seen[2].json["contents"]
        assert [content["role"] for content in contents] == ["user", "model"] * 2 + ["user"]
        for number in range(2):
            (called,) = [part for part in contents[2 * number + 1]["parts"] if "functionCall" in part]
            wanted = self._call(number)
            assert called["thoughtSignature"] == wanted["thoughtSignature"]
            assert called["functionCall"]["args"] == wanted["functionCall"]["args"]
            (result,) = contents[2 * number + 2]["parts"]
            assert result["functionResponse"]["name"] == TOOL
            assert RESULTS[number] in json.dumps(result["functionResponse"]["response"])

    def _call(self, number: int) -> dict[str, Any]:
        seal = base64.b64encode(f"sealed-{number}".encode()).decode()
        return {"functionCall": {"name": TOOL, "args": {"number": number}}, "thoughtSignature": seal}

    def _answer(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 18}
        candidate = {"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
        return {"responseId": "r-1", "modelVersion": "upstream-1", "candidates": [candidate], "usageMetadata": usage}


THOUGHTFUL = (ThoughtfulAnthropic(), ThoughtfulGemini())
