"""Callers of OpenAI's responses."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.callers.caller import CLOSED, PIXEL, Caller, Heard
from tests.support.speaking import SCHEMA


class Responses(Caller):
    """OpenAI's responses, with everything in the input."""

    dialect = "openai_responses"

    def __post_init__(self) -> None:
        """Begin."""
        self.body |= {"model": self.model, "stream": self.stream, "input": [], "store": False}

    @property
    def path(self) -> str:
        """See `Caller`."""
        return "/v1/responses"

    def asks(self, text: str, image: bool = False) -> None:
        """See `Caller`."""
        content: list[dict[str, Any]] = [{"type": "input_text", "text": text}]
        if image:
            picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
            content.insert(0, picture)
        self.body["input"].append({"role": "user", "content": content})

    def instructs(self, *texts: str) -> None:
        """See `Caller`."""
        self.body["instructions"] = texts[0]
        self.body["input"] += [{"role": "developer", "content": text} for text in texts[1:]]

    def has_tools(self, *names: str, must: str | None = None) -> None:
        """See `Caller`."""
        common = {"type": "function", "description": "Tells it", "parameters": SCHEMA, "strict": False}
        self.body["tools"] = [common | {"name": name} for name in names]
        if must is not None:
            self.body["tool_choice"] = must if must == "required" else {"type": "function", "name": must}

    def thinks(self) -> None:
        """See `Caller`."""
        self.body["reasoning"] = {"effort": "medium", "summary": "auto"}
        self.body["include"] = ["reasoning.encrypted_content"]

    def wants_schema(self) -> None:
        """See `Caller`."""
        self.body["text"] = {"format": {"type": "json_schema", "name": "place", "schema": CLOSED, "strict": True}}

    def wants_json(self) -> None:
        """See `Caller`."""
        self.body["text"] = {"format": {"type": "json_object"}}

    def takes(self, reply: str) -> Heard:
        """See `Caller`."""
        response = self.events(reply)[-1]["response"] if self.stream else json.loads(reply)
        output = response["output"]
        self.body["input"] += output
        calls = [
            (item["call_id"], item["name"], json.loads(item["arguments"]))
            for item in output
            if item["type"] == "function_call"
        ]
        parts = [part for item in output if item["type"] == "message" for part in item["content"]]
        text = "".join(part.get("text") or part.get("refusal") or "" for part in parts)
        thoughts = "".join(entry["text"] for item in output if item["type"] == "reasoning" for entry in item["summary"])
        reason = (response["incomplete_details"] or {}).get("reason")
        return Heard(text, thoughts, calls, reason or response["status"])

    def answers(self, results: Sequence[tuple[str, str, str]], errors: Sequence[str] = ()) -> None:
        """See `Caller`."""
        self.body["input"] += [
            {"type": "function_call_output", "call_id": identifier, "output": text} for identifier, _, text in results
        ]
