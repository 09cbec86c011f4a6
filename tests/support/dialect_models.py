"""Models whose provider speaks one dialect only, so that callers of all others are translated."""

from typing import Any

SPOKEN = {
    "openai_chat": "openai_chat openai_embeddings",
    "openai_responses": "openai_responses",
    "anthropic_messages": "anthropic_messages anthropic_count",
    "gemini_generate": "gemini_generate gemini_embed gemini_count",
}
"""By the dialect that such models are named after: `openai_chat/echo`, `gemini_generate/tools`, …"""
NATIVE = "simulated"
"""The name of those that speak every dialect, so that nobody is translated."""
UPSTREAMS = (NATIVE, *SPOKEN)
WITHOUT_SCHEMAS = "no_schemas"
"""The name of those that speak Anthropic's dialect and have no mode for schemas: a tool stands in for it."""


def declare_dialect_models(document: dict[str, Any]) -> dict[str, Any]:
    """The document, which has `simulated/*`, with these models as well."""
    whole = next(model for model in document["models"] if model["name"] == f"{NATIVE}/*")
    for name, speaks in SPOKEN.items():
        document["providers"].append({"name": name, "kind": "simulated", "options": {"speaks": speaks}})
        document["models"].append(whole | {"name": f"{name}/*", "deployments": [{"provider": name, "model": "*"}]})
    document["models"].append(
        whole
        | {
            "name": f"{WITHOUT_SCHEMAS}/*",
            "deployments": [{"provider": "anthropic_messages", "model": "*"}],
            "capabilities": ["-json_schema"],
        }
    )
    return document
