"""Who and what a simulation has to play with."""

from typing import Any

from tests.support.dialect_models import declare_dialect_models
from tests.support.world import (
    ACME_ADMIN_KEY,
    ACME_KEY,
    ACME_USER_KEY,
    GLOBEX_ADMIN_KEY,
    GLOBEX_KEY,
    world,
)

KEYS = {
    "acme": {"copilot-key": ACME_KEY, "ana-key": ACME_USER_KEY},
    "globex": {"notebook-key": GLOBEX_KEY},
}
ADMINS = {"acme": ACME_ADMIN_KEY, "globex": GLOBEX_ADMIN_KEY}
APPLICATIONS = {"acme": ("copilot", "review"), "globex": ("notebook",)}
USERS = {"acme": ("ana@acme.example", "ben@acme.example"), "globex": ("gil@globex.example",)}
DEPARTMENTS = {"acme": ("sales", "engineering"), "globex": ("research",)}

MODELS = (
    "simulated/echo",
    "simulated/text-7",
    "simulated/text-20",
    "simulated/text-20+no-usage",
    "simulated/text-20+fail-503-then-ok",
    "simulated/text-20+fail-429-retry-after-2s-then-ok",
    "simulated/text-20+cut-after-3",
    "simulated/text-20+error-after-2",
    "simulated/text-20+hang-after-2",
    "simulated/text-20+slow-3s",
    "simulated/text-20+pace-500ms",
    "simulated/fail-500",
    "simulated/fail-429",
    "simulated/hang",
    "simulated/garbage",
    "simulated/unreachable",
    "steady",
    "steady",
    "shaky",
    "lossy",
    "fast",
    "nowhere",
    "openai_chat/text-20",
    "anthropic_messages/text-20+error-after-2",
    "anthropic_messages/text-7",
    "openai_responses/text-20+cut-after-3",
    "openai_responses/text-9+no-usage",
    "gemini_generate/text-20+pace-500ms",
    "gemini_generate/text-20+fail-503-then-ok",
)
DIALECTS = ("chat", "chat", "messages", "messages", "responses", "responses", "gemini", "gemini", "embeddings")
"""In which the callers speak; the models above that are named after a dialect speak that one alone."""
WINDOWS = ("minute", "hour", "day", "week", "month", "quarter", "total")
ACTIONS = ("block", "block", "block", "cut", "warn")


def document() -> dict[str, Any]:
    """The world, with budgets and limits of every kind, fallbacks, a cache, and providers that wait less long."""
    content = declare_dialect_models(world())
    content["providers"][0]["timeout"] = {"first_byte": "5s", "between_bytes": "4s", "total": "60s"}
    price = {"input": 1, "output": 2}
    dear = {"input": 3, "output": 4}
    content["models"] += [
        {"name": "steady", "deployments": [_at("text-20")], "max_output_tokens": 50, "price": dear},
        {
            "name": "shaky",
            "deployments": [_at("fail-500"), _at("flaky-503+text-9")],
            "strategy": "ordered",
            "fallbacks": ["steady"],
            "max_output_tokens": 50,
            "price": price,
        },
        {
            "name": "lossy",
            "deployments": [_at("hang")],
            "fallbacks": ["steady"],
            "max_output_tokens": 50,
            "price": price,
        },
    ]
    acme, globex = content["tenants"]
    acme["time_zone"] = "Europe/Vienna"
    acme["applications"][0]["cache"] = {"ttl": "30s"}
    acme["budgets"] = [
        {"scope": "tenant", "window": "day", "limit_usd": "0.004", "alerts": ["0.5", "1"]},
        {"scope": "application:copilot", "window": "hour", "limit_usd": "0.002"},
        {"scope": "user:*", "window": "minute", "limit_usd": "0.0004", "action": "cut"},
        {"scope": "tenant", "model": "steady", "window": "month", "limit_usd": "0.02"},
    ]
    acme["limits"] = [
        {"scope": "tenant", "concurrency": 12},
        {"scope": "application:*", "requests": 40, "per": "minute"},
        {"scope": "key:copilot-key", "tokens": 20_000, "per": "hour"},
    ]
    globex["budgets"] = [{"scope": "tenant", "window": "total", "limit_usd": "0.05"}]
    globex["limits"] = [{"scope": "tenant", "concurrency": 5}]
    return content


def _at(model: str) -> dict[str, Any]:
    return {"provider": "sim", "model": model}
