"""The small world in which most tests play: two tenants with everything, declared as an operator would."""

from typing import Any

ACME_KEY = "acme-application-key-with-enough-characters"
ACME_USER_KEY = "acme-ana-personal-key-with-enough-characters"
ACME_ADMIN_KEY = "acme-administrator-key-with-enough-characters"
ACME_AUDITOR_KEY = "acme-auditor-key-with-enough-characters-too"
GLOBEX_KEY = "globex-application-key-with-enough-characters"
GLOBEX_ADMIN_KEY = "globex-administrator-key-with-enough-characters"
OWNER_KEY = "platform-owner-key-with-enough-characters"

INPUT_PRICE = 1.0
OUTPUT_PRICE = 2.0
"""USD per million tokens of every simulated model: 1,000 and 2,000 nano-dollars a token."""


def world() -> dict[str, Any]:
    """A fresh copy of the document; change it as the test needs."""
    return {
        "version": 1,
        "providers": [{"name": "sim", "kind": "simulated", "region": "lab", "zone": "on_premise"}],
        "models": [
            {
                "name": "simulated/*",
                "deployments": [{"provider": "sim", "model": "*"}],
                "context_window": 100_000,
                "max_output_tokens": 1_000,
                "price": {"input": INPUT_PRICE, "output": OUTPUT_PRICE},
            },
            {
                "name": "chat",
                "deployments": [{"provider": "sim", "model": "echo"}],
                "max_output_tokens": 1_000,
                "price": {"input": INPUT_PRICE, "output": OUTPUT_PRICE},
            },
        ],
        "aliases": [{"name": "fast", "model": "chat"}],
        "tenants": [
            {
                "name": "acme",
                "departments": [{"name": "sales"}, {"name": "engineering"}],
                "users": [
                    {"email": "ana@acme.example", "department": "sales", "roles": ["developer"]},
                    {"email": "ben@acme.example", "department": "engineering", "roles": ["developer"]},
                ],
                "applications": [
                    {"name": "copilot", "department": "sales"},
                    {"name": "review", "department": "engineering"},
                ],
                "keys": [
                    {"name": "copilot-key", "application": "copilot", "secret": {"value": ACME_KEY}},
                    {"name": "ana-key", "user": "ana@acme.example", "secret": {"value": ACME_USER_KEY}},
                    {"name": "acme-admin", "roles": ["admin"], "secret": {"value": ACME_ADMIN_KEY}},
                    {"name": "acme-auditor", "roles": ["auditor"], "secret": {"value": ACME_AUDITOR_KEY}},
                ],
            },
            {
                "name": "globex",
                "departments": [{"name": "research"}],
                "users": [{"email": "gil@globex.example", "department": "research"}],
                "applications": [{"name": "notebook", "department": "research"}],
                "keys": [
                    {"name": "notebook-key", "application": "notebook", "secret": {"value": GLOBEX_KEY}},
                    {"name": "globex-admin", "roles": ["admin"], "secret": {"value": GLOBEX_ADMIN_KEY}},
                ],
            },
        ],
        "keys": [{"name": "owner", "roles": ["owner"], "secret": {"value": OWNER_KEY}}],
    }
