"""Callers of Gemini's generated contents."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.callers.caller import CLOSED, PIXEL, Caller, Heard
from tests.support.speaking import SCHEMA


class Contents(Caller):
    """Gemini's generated contents."""

    dialect = "gemini_generate"

    def __post_init__(self) -> None:
        """Begin."""
        self.body |= {"contents": []}

    @property
    def path(self) -> str:
        """See `Caller`."""
        return f"/v1beta/models/{self.model}:" + ("streamGenerateContent?alt=sse" if self.stream else "generateContent")

    @property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.body.setdefault("generationConfig", {})
        return config

    def asks(self, text: str, image: bool = False) -> None:
        """See `Caller`."""
        parts: list[dict[str, Any]] = [{"text": text}]
        if image:
            parts.insert(0, {"inlineData": {"mimeType": "image/png", "data": PIXEL}})
        self.body["contents"].append({"role": "user", "parts": parts})

    def instructs(self, *texts: str) -> None:
        """See `Caller`."""
        self.body["systemInstruction"] = {"parts": [{"text": text} for text in texts]}

    def has_tools(self, *names: str, must: str | None = None) -> None:
        """See `Caller`."""
        functions = [{"name": name, "description": "Tells it", "parametersJsonSchema": SCHEMA} for name in names]
        self.body["tools"] = [{"functionDeclarations": functions}]
        if must is not None:
            named = {} if must == "required" else {"allowedFunctionNames": [must]}
            self.body["toolConfig"] = {"functionCallingConfig": {"mode": "ANY", **named}}

    def thinks(self) -> None:
        """See `Caller`."""
        self._config["thinkingConfig"] = {"includeThoughts": True, "thinkingBudget": 2000}

    def wants_schema(self) -> None:
        """See `Caller`."""
        self._config.update({"responseMimeType": "application/json", "responseJsonSchema": CLOSED})

    def wants_json(self) -> None:
        """See `Caller`."""
        self._config["responseMimeType"] = "application/json"

    def takes(self, reply: str) -> Heard:
        """See `Caller`."""
        chunks = self.events(reply) if self.stream else [json.loads(reply)]
        candidates = [chunk["candidates"][0] for chunk in chunks if chunk.get("candidates")]
        parts = [part for found in candidates for part in found.get("content", {}).get("parts", ())]
        # Like Google's SDK, which keeps no empty texts.
        kept = [part for part in parts if part.get("text") != "" or "thoughtSignature" in part]
        self.body["contents"].append({"role": "model", "parts": kept})
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        text = "".join(part.get("text", "") for part in parts if not part.get("thought"))
        thoughts = "".join(part.get("text", "") for part in parts if part.get("thought"))
        finish = next((found["finishReason"] for found in reversed(candidates) if "finishReason" in found), "")
        found = [(call.get("id", ""), call["name"], call.get("args", {})) for call in calls]
        return Heard(text, thoughts, found, finish)

    def answers(self, results: Sequence[tuple[str, str, str]], errors: Sequence[str] = ()) -> None:
        """See `Caller`."""
        parts = []
        for identifier, name, text in results:
            response = {"error": text} if identifier in errors and identifier else {"result": text}
            answer = {"name": name, "response": response} | ({"id": identifier} if identifier else {})
            parts.append({"functionResponse": answer})
        self.body["contents"].append({"role": "user", "parts": parts})
