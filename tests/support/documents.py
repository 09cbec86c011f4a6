"""A configuration document with every key that this version offers."""

from typing import Any

PROVIDER_SECRET = "sk-provider-secret-that-nobody-may-see"
KEY_SECRET = "a-key-secret-that-nobody-may-see-again"


def full() -> dict[str, Any]:
    """Every key of the document that this version offers, with values that are no defaults."""
    return {
        "version": 1,
        "providers": _providers(),
        "models": _models(),
        "aliases": [
            {"name": "fast", "model": "gpt-4o-mini"},
            {
                "name": "auto",
                "rules": [
                    {"when": {"context_tokens": {"gt": 100_000}}, "use": "claude-haiku"},
                    {"when": {"task": "code", "max_latency_ms": {"lt": 1000.5}}, "use": "open/x"},
                    {"when": {"quality": "high"}, "use": "fast"},
                    {"use": "gpt-4o-mini"},
                ],
            },
        ],
        "keys": [{"name": "ops", "roles": ["operator"], "allowed_ips": ["10.1.2.3/8", "::1"]}],
        "tenants": _tenants(),
    }


def _providers() -> list[dict[str, Any]]:
    return [
        {
            "name": "openai-main",
            "kind": "openai",
            "base_url": "https://api.openai.example/v1",
            "api_key": {"env": "OPENAI_API_KEY"},
            "region": "us-east-1",
            "zone": "private_cloud",
            "timeout": {"connect": "2500ms", "first_byte": "90s", "between_bytes": 12.5, "total": "1h"},
            "max_concurrency": 200,
            "allow_private_network": True,
            "options": {"proxy": "http://proxy.example:3128", "output_field": "max_tokens"},
        },
        {"name": "sealed", "kind": "anthropic", "api_key": {"value": PROVIDER_SECRET}},
        {"name": "sim", "kind": "simulated", "zone": "on_premise"},
    ]


def _models() -> list[dict[str, Any]]:
    return [
        {
            "name": "gpt-4o-mini",
            "deployments": [
                {"provider": "openai-main", "model": "gpt-4o-mini", "weight": 3},
                {"provider": "sim", "model": "echo", "weight": 0},
            ],
            "strategy": "ordered",
            "fallbacks": ["claude-haiku"],
            "context_window": 128_000,
            "max_output_tokens": 16_384,
            "price": {
                "input": 0.15,
                "output": "0.60",
                "cached_input": 0.075,
                "cache_write": 0.0,
                "cache_write_1h": 0.3,
                "reasoning": 0.123456789,
            },
            "capabilities": ["tools", "images", "json_schema", "reasoning"],
        },
        {"name": "claude-haiku", "deployments": [{"provider": "sealed", "model": "claude-haiku-4-5"}]},
        {"name": "open/*", "deployments": [{"provider": "sim", "model": "*"}], "price": {"free": True}},
    ]


def _tenants() -> list[dict[str, Any]]:
    return [
        {
            "name": "initech",
            "isolation": "row",
            "region": "eu-west-1",
            "security_level": "enterprise",
            "time_zone": "America/New_York",
            "allowed_models": ["gpt-*", "fast"],
            "max_tokens_per_request": 100_000,
            "departments": [{"name": "sales"}, {"name": "R and D"}],
            "users": [{"email": "Ana@Initech.example", "department": "sales", "roles": ["developer", "auditor"]}],
            "applications": [
                {
                    "name": "copilot",
                    "department": "sales",
                    "allowed_models": ["gpt-4o-mini"],
                    "cache": {"ttl": "90s", "max_bytes": 1000},
                    "store_responses": False,
                    "response_days": 7,
                    "strict": True,
                }
            ],
            "keys": [
                {
                    "name": "copilot-prod",
                    "application": "copilot",
                    "secret": {"value": KEY_SECRET},
                    "expires": "2027-06-30",
                    "allowed_ips": ["10.0.0.0/8"],
                },
                {"name": "ana", "user": "ana@initech.example", "expires": "2030-01-02T03:04:05+02:00"},
                {"name": "admin", "roles": ["admin"]},
            ],
            "limits": [
                {"scope": "application:copilot", "requests": 600, "per": "minute"},
                {"scope": "application:copilot", "tokens": 200_000, "per": "minute"},
                {"scope": "tenant", "concurrency": 100},
                {"scope": "user:*", "requests": 60, "per": "hour"},
                {"scope": "user:ANA@initech.example", "requests": 0, "per": "day"},
                {"scope": "tenant", "model": "gpt-*", "requests": 50, "per": "second"},
                {"scope": "key:copilot-prod", "concurrency": 5},
            ],
            "budgets": [
                {
                    "scope": "application:copilot",
                    "window": "month",
                    "limit_usd": 5000.123456789,
                    "alerts": [1.0, 0.8, 0.5],
                    "action": "cut",
                },
                {"scope": "department:sales", "window": "day", "limit_usd": "400", "action": "warn"},
                {"scope": "department:*", "window": "quarter", "limit_usd": 0},
                {"scope": "tenant", "window": "total", "limit_usd": 100_000, "model": "gpt-4o-mini"},
            ],
        }
    ]
