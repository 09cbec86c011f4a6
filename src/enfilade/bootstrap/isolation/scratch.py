"""An installation for trying things out: a database of its own beside the real one, removed afterwards."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, listen, running, serving, shut
from enfilade.configuration.service import read_document
from enfilade.core.clock import SystemClock
from enfilade.identity.scopes import system_scope
from enfilade.storage.address import Address
from enfilade.storage.isolation.scratch import scratch_database

OURS, THEIRS, NOBODY = "acme", "globex", "umbrella"
"""Whose things are asked for, who asks, and a name that nobody has."""
MASTER_KEY_BYTES = 32


@dataclass(slots=True)
class Scratch:
    """It, running."""

    parts: Parts
    url: str
    keys: dict[str, str]
    """Each tenant's administrator, and `acme-app` and `globex-app`."""

    def client(self, name: str) -> httpx2.AsyncClient:
        """A client that presents the key of that name."""
        headers = {"authorization": f"Bearer {self.keys[name]}"}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False)


@asynccontextmanager
async def scratch_installation(address: Address, isolation: str) -> AsyncIterator[Scratch]:
    """Two tenants of that isolation, and a key for each. Raises StorageFault where no database may be made."""
    async with scratch_database(address) as own:
        ingredients = Ingredients(own, SystemClock(), master_key=os.urandom(MASTER_KEY_BYTES))
        parts = Parts(ingredients)
        listener = listen("127.0.0.1", 0)
        try:
            await bring_up(parts, migrates=True)
            keys: dict[str, str] = {}
            document = read_document(_document(isolation, keys))
            await parts.configuration.apply(system_scope("doctor"), document)
            await parts.directory.refresh()
            async with running(parts), serving(parts, listener) as listening:
                yield Scratch(parts, listening.url, keys)
        finally:
            await shut(parts)
            listener.close()


def _document(isolation: str, keys: dict[str, str]) -> dict[str, Any]:
    return {
        "version": 1,
        "providers": [{"name": "sim", "kind": "simulated"}],
        "models": [
            {
                "name": "chat",
                "deployments": [{"provider": "sim", "model": "echo"}],
                "price": {"input": 1, "output": 2},
            }
        ],
        "tenants": [_tenant(name, isolation, keys) for name in (OURS, THEIRS)],
    }


def _tenant(name: str, isolation: str, keys: dict[str, str]) -> dict[str, Any]:
    keys |= {part: f"enf_{os.urandom(24).hex()}" for part in (name, f"{name}-app")}
    return {
        "name": name,
        "isolation": isolation,
        "departments": [{"name": f"{name}-sales"}],
        "users": [{"email": f"ana@{name}.example", "department": f"{name}-sales", "roles": ["developer"]}],
        "applications": [{"name": f"{name}-app", "department": f"{name}-sales", "cache": {"ttl": "1h"}}],
        "keys": [
            {"name": f"{name}-key", "application": f"{name}-app", "secret": {"value": keys[f"{name}-app"]}},
            {"name": f"{name}-admin", "roles": ["owner"], "secret": {"value": keys[name]}},
        ],
        "limits": [{"scope": f"application:{name}-app", "requests": 1000, "per": "minute"}],
        "budgets": [{"scope": f"user:ana@{name}.example", "window": "month", "limit_usd": 10}],
        "use_cases": [{"name": f"{name}-writing", "owner": f"ana@{name}.example", "purpose": "to be asked for"}],
    }
