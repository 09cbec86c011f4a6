"""Streams and replies of our own, as OpenAI sends them, for these tests."""

import json
from typing import Any

REPORT = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 2},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 39,
}
HEAD: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 7, "model": "up-1", "error": None}
CITED = {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 2}
LOGPROB = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "First €"}, {"type": "summary_text", "text": "then"}],
    "encrypted_content": "gAAA",
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [
        {"type": "output_text", "text": "Hi é", "annotations": [CITED], "logprobs": [LOGPROB]},
        {"type": "refusal", "refusal": "No."},
    ],
}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city":"Köln"}',
    "status": "completed",
}
OTHER_CALL = CALL | {"id": "fc_2", "call_id": "call_2", "arguments": ""}
CUSTOM = {
    "id": "ctc_1",
    "type": "custom_tool_call",
    "call_id": "call_3",
    "name": "sql",
    "input": "SELECT 1",
    "status": "completed",
}
OUTPUT = [REASONING, SEARCH, MESSAGE, CALL, OTHER_CALL, CUSTOM]
REPLY = HEAD | {
    "status": "completed",
    "incomplete_details": None,
    "output": OUTPUT,
    "usage": REPORT,
    "service_tier": "flex",
}


class Stream:
    """Numbers its events."""

    def __init__(self) -> None:
        self.number = -1
        self.events: list[bytes] = []

    def add(self, kind: str, **fields: Any) -> None:
        self.number += 1
        data = json.dumps({"type": kind, "sequence_number": self.number} | fields, ensure_ascii=False)
        self.events.append(f"event: {kind}\ndata: {data}\n\n".encode())

    def item(self, position: int, item: dict[str, Any], size: int = 2) -> None:
        """All events of an item."""
        begun = {name: value for name, value in item.items() if name != "encrypted_content"}
        empty = {"content": [], "summary": [], "arguments": "", "input": "", "status": "in_progress"}
        begun |= {name: value for name, value in empty.items() if name in begun}
        self.add("response.output_item.added", output_index=position, item=begun)
        where = {"output_index": position, "item_id": item["id"]}
        for at, part in enumerate(item.get("content", ())):
            self._part(where | {"content_index": at}, part, size)
        for at, part in enumerate(item.get("summary", ())):
            self._summary(where | {"summary_index": at}, part, size)
        for name, kind in (("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")):
            if name in item:
                self._deltas(f"response.{kind}", where, item[name], size)
                self.add(f"response.{kind}.done", **where, **{name: item[name]})
        self.add("response.output_item.done", output_index=position, item=item)

    def _deltas(self, kind: str, where: dict[str, Any], text: str, size: int, **more: Any) -> None:
        for start in range(0, len(text), size):
            self.add(f"{kind}.delta", **where, delta=text[start : start + size], **(more if start == 0 else {}))

    def _part(self, where: dict[str, Any], part: dict[str, Any], size: int) -> None:
        name = "refusal" if part["type"] == "refusal" else "text"
        kind = "response.refusal" if name == "refusal" else "response.output_text"
        empty = part | {name: ""} | ({} if name == "refusal" else {"annotations": [], "logprobs": []})
        self.add("response.content_part.added", **where, part=empty)
        more = {} if name == "refusal" else {"logprobs": part["logprobs"]}
        self._deltas(kind, where, part[name], size, **more)
        for at, annotation in enumerate(part.get("annotations", ())):
            named = {"annotation": annotation, "annotation_index": at}
            self.add("response.output_text.annotation.added", **where, **named)
        self.add(f"{kind}.done", **where, **{name: part[name]})
        self.add("response.content_part.done", **where, part=part)

    def _summary(self, where: dict[str, Any], part: dict[str, Any], size: int) -> None:
        self.add("response.reasoning_summary_part.added", **where, part=part | {"text": ""})
        self._deltas("response.reasoning_summary_text", where, part["text"], size)
        self.add("response.reasoning_summary_text.done", **where, text=part["text"])
        self.add("response.reasoning_summary_part.done", **where, part=part)


def streamed(reply: dict[str, Any]) -> list[bytes]:
    """A whole reply as a stream."""
    stream = Stream()
    begun = reply | {"status": "in_progress", "output": [], "usage": None}
    stream.add("response.created", response=begun)
    stream.add("response.in_progress", response=begun)
    for position, item in enumerate(reply["output"]):
        stream.item(position, item)
    stream.add(f"response.{reply['status']}", response=reply)
    return stream.events


def events_of(wire: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each checked to be named as its type says, numbered one after the other."""
    found = []
    for number, event in enumerate(wire.decode().split("\n\n")[:-1]):
        name, data = event.split("\n")
        fields = json.loads(data.removeprefix("data: "))
        assert name == f"event: {fields['type']}"
        assert fields["sequence_number"] == number
        found.append(fields)
    return found
