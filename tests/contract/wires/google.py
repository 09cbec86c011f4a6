"""Google's dialects, judged by its SDK."""

import json
from typing import Any

from google.genai import types
from pydantic.alias_generators import to_camel

from tests.contract.wires.wire import Json, Wire, adapter, crlf_lines, events_in


def _generate_request(body: Json) -> None:
    kinds: dict[str, Any] = {
        "contents": list[types.Content],
        "systemInstruction": types.Content,
        "tools": list[types.Tool],
        "toolConfig": types.ToolConfig,
        "generationConfig": types.GenerationConfig,
        "safetySettings": list[types.SafetySetting],
        "cachedContent": str,
        "serviceTier": types.ServiceTier,
        "labels": dict[str, str],
    }
    for name, value in body.items():
        # Both spellings of Google's names are understood.
        adapter(kinds[to_camel(name)]).validate_json(json.dumps(value))


def _generate_reply(body: Json) -> None:
    types.GenerateContentResponse.model_validate_json(json.dumps(body))


def _generate_stream(events: list[Any]) -> None:
    for event in events:
        _generate_reply(event)


def _embed_request(body: Json) -> None:
    kinds: dict[str, Any] = {"content": types.Content, "outputDimensionality": int, "taskType": str, "title": str}
    for entry in body.get("requests", [body]):
        for name, value in entry.items():
            if name != "model":
                adapter(kinds[name]).validate_json(json.dumps(value))


def _embed_reply(body: Json) -> None:
    entries = body["embeddings"] if "embeddings" in body else [body["embedding"]]
    for entry in entries:
        types.ContentEmbedding.model_validate_json(json.dumps(entry))


GEMINI_GENERATE = Wire(
    to_bytes=crlf_lines,
    from_bytes=events_in,
    check_request=_generate_request,
    check_reply=_generate_reply,
    check_stream=_generate_stream,
    unsaid=frozenset({"created_s"}),
)
GEMINI_EMBED = Wire(check_request=_embed_request, check_reply=_embed_reply, unsaid=frozenset({"model"}))
