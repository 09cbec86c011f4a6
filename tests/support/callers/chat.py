"""Callers of OpenAI's chat completions."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.callers.caller import CLOSED, PIXEL, Caller, Heard
from tests.support.speaking import SCHEMA


class Chat(Caller):
    """OpenAI's chat completions, with the fields for reasoning that other services have."""

    dialect = "openai_chat"

    def __post_init__(self) -> None:
        """Begin."""
        self.body |= {"model": self.model, "stream": self.stream, "messages": []}
        if self.stream:
            self.body["stream_options"] = {"include_usage": True}

    @property
    def path(self) -> str:
        """See `Caller`."""
        return "/v1/chat/completions"

    def asks(self, text: str, image: bool = False) -> None:
        """See `Caller`."""
        content: Any = text
        if image:
            url = {"url": f"data:image/png;base64,{PIXEL}"}
            content = [{"type": "image_url", "image_url": url}, {"type": "text", "text": text}]
        self.body["messages"].append({"role": "user", "content": content})

    def instructs(self, *texts: str) -> None:
        """See `Caller`."""
        roles = ("system", "developer")
        self.body["messages"] += [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]

    def has_tools(self, *names: str, must: str | None = None) -> None:
        """See `Caller`."""
        functions = [{"name": name, "description": "Tells it", "parameters": SCHEMA} for name in names]
        self.body["tools"] = [{"type": "function", "function": function} for function in functions]
        if must is not None:
            named = {"type": "function", "function": {"name": must}}
            self.body["tool_choice"] = must if must == "required" else named

    def thinks(self) -> None:
        """See `Caller`."""
        self.body["reasoning_effort"] = "medium"

    def wants_schema(self) -> None:
        """See `Caller`."""
        wanted = {"name": "place", "schema": CLOSED, "strict": True}
        self.body["response_format"] = {"type": "json_schema", "json_schema": wanted}

    def wants_json(self) -> None:
        """See `Caller`."""
        self.body["response_format"] = {"type": "json_object"}

    def takes(self, reply: str) -> Heard:
        """See `Caller`."""
        if self.stream:
            message, finish = self._added_up(self.events(reply))
        else:
            choice = json.loads(reply)["choices"][0]
            message, finish = choice["message"], choice["finish_reason"]
        self.body["messages"].append(message)
        calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or ()
        ]
        text = message.get("content") or message.get("refusal") or ""
        return Heard(text, message.get("reasoning_content") or "", calls, finish)

    @staticmethod
    def _added_up(chunks: list[Any]) -> tuple[dict[str, Any], str]:
        message: dict[str, Any] = {"role": "assistant", "content": None}
        calls: dict[int, dict[str, Any]] = {}
        finish = ""
        for chunk in chunks:
            for choice in chunk["choices"]:
                finish = choice["finish_reason"] or finish
                for name, value in choice["delta"].items():
                    if name == "tool_calls":
                        for delta in value:
                            _grow_call(calls, delta)
                    elif name == "reasoning_details":
                        message[name] = message.get(name, []) + value
                    elif isinstance(value, dict):
                        message[name] = value
                    elif name != "role" and value is not None:
                        message[name] = (message.get(name) or "") + value
        if calls:
            message["tool_calls"] = list(calls.values())
        return message, finish

    def answers(self, results: Sequence[tuple[str, str, str]], errors: Sequence[str] = ()) -> None:
        """See `Caller`: there is no place that says that a tool failed."""
        self.body["messages"] += [
            {"role": "tool", "tool_call_id": identifier, "content": text} for identifier, _, text in results
        ]


def _grow_call(calls: dict[int, dict[str, Any]], delta: dict[str, Any]) -> None:
    call = calls.setdefault(delta["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
    call |= {name: delta[name] for name in ("id", "extra_content") if name in delta}
    function = delta["function"]
    call["function"]["name"] += function.get("name") or ""
    call["function"]["arguments"] += function.get("arguments") or ""
