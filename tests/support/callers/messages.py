"""Callers of Anthropic's messages."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.callers.caller import CLOSED, PIXEL, Caller, Heard
from tests.support.speaking import SCHEMA


class Messages(Caller):
    """Anthropic's messages."""

    dialect = "anthropic_messages"

    def __post_init__(self) -> None:
        """Begin."""
        self.body |= {"model": self.model, "stream": self.stream, "messages": [], "max_tokens": 4000}

    @property
    def path(self) -> str:
        """See `Caller`."""
        return "/v1/messages"

    def asks(self, text: str, image: bool = False) -> None:
        """See `Caller`."""
        content: Any = text
        if image:
            source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
            content = [{"type": "image", "source": source}, {"type": "text", "text": text}]
        self.body["messages"].append({"role": "user", "content": content})

    def instructs(self, *texts: str) -> None:
        """See `Caller`."""
        self.body["system"] = [{"type": "text", "text": text} for text in texts]

    def has_tools(self, *names: str, must: str | None = None) -> None:
        """See `Caller`."""
        self.body["tools"] = [{"name": name, "description": "Tells it", "input_schema": SCHEMA} for name in names]
        if must is not None:
            named = {"type": "tool", "name": must}
            self.body["tool_choice"] = {"type": "any"} if must == "required" else named

    def thinks(self) -> None:
        """See `Caller`."""
        self.body["thinking"] = {"type": "enabled", "budget_tokens": 2000}

    def wants_schema(self) -> None:
        """See `Caller`."""
        self.body["output_config"] = {"format": {"type": "json_schema", "schema": CLOSED}}

    def wants_json(self) -> None:
        """See `Caller`: there is no wish for JSON without a schema."""
        self.wants_schema()

    def takes(self, reply: str) -> Heard:
        """See `Caller`."""
        if self.stream:
            blocks, finish = self._added_up(self.events(reply))
        else:
            whole = json.loads(reply)
            blocks, finish = whole["content"], whole["stop_reason"]
        self.body["messages"].append({"role": "assistant", "content": blocks})
        calls = [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        thoughts = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
        return Heard(text, thoughts, calls, finish)

    @staticmethod
    def _added_up(events: list[Any]) -> tuple[list[dict[str, Any]], str]:
        blocks: list[dict[str, Any]] = []
        partial: dict[int, str] = {}
        finish = ""
        for event in events:
            if event["type"] == "content_block_start":
                assert event["index"] == len(blocks)
                blocks.append(event["content_block"])
            elif event["type"] == "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                if delta["type"] == "input_json_delta":
                    partial[event["index"]] = partial.get(event["index"], "") + delta["partial_json"]
                elif delta["type"] == "signature_delta":
                    block["signature"] = delta["signature"]
                else:
                    name = {"text_delta": "text", "thinking_delta": "thinking"}[delta["type"]]
                    block[name] += delta[name]
            elif event["type"] == "content_block_stop" and partial.get(event["index"]):
                blocks[event["index"]]["input"] = json.loads(partial[event["index"]])
            elif event["type"] == "message_delta":
                finish = event["delta"]["stop_reason"]
        return blocks, finish

    def answers(self, results: Sequence[tuple[str, str, str]], errors: Sequence[str] = ()) -> None:
        """See `Caller`."""
        blocks = [
            {"type": "tool_result", "tool_use_id": identifier, "content": text, "is_error": identifier in errors}
            for identifier, _, text in results
        ]
        self.body["messages"].append({"role": "user", "content": blocks})
