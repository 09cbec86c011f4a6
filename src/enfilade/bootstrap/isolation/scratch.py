"""An installation for trying things out: a database of its own beside the real one, removed afterwards."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from enfilade.api.app import Application
from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.isolation.asking import Askers, askers_of
from enfilade.bootstrap.isolation.furnishing import Furnisher
from enfilade.bootstrap.isolation.things import OURS, THEIRS
from enfilade.bootstrap.process import bring_up, running, shut
from enfilade.configuration.service import read_document
from enfilade.core.clock import SystemClock
from enfilade.identity.scopes import system_scope
from enfilade.storage.address import Address
from enfilade.storage.isolation.scratch import scratch_database

MASTER_KEY_BYTES = 32


PARTS = ("ana", "bo", "app", "scim")
"""Whose keys a tenant has: its owner, a colleague, an application, and the directory that says who there is."""


@dataclass(slots=True)
class Scratch:
    """It, running."""

    parts: Parts
    application: Application
    keys: dict[str, str]
    """`TENANT-PART` for each of `PARTS`, and `platform`."""
    sessions: dict[str, str]
    """By tenant, the token of a session of its owner's."""

    def askers(self, tenant: str) -> Askers:
        """Who asks for a tenant."""
        keys = self.keys | {f"{tenant}-person": self.sessions[tenant]}
        return askers_of(self.application, keys, tenant)


@asynccontextmanager
async def scratch_installation(address: Address, isolation: str) -> AsyncIterator[Scratch]:
    """Two tenants of that isolation that have something of everything. Raises StorageFault where no database may be made."""
    async with scratch_database(address) as own:
        clock = SystemClock()
        parts = Parts(Ingredients(own, clock, master_key=os.urandom(MASTER_KEY_BYTES)))
        names = ["platform", *(f"{tenant}-{part}" for tenant in (OURS, THEIRS) for part in PARTS)]
        keys = {name: f"enf_{os.urandom(24).hex()}" for name in names}
        try:
            await bring_up(parts, migrates=True)
            await parts.configuration.apply(system_scope("doctor"), read_document(_document(isolation, keys)))
            await parts.directory.refresh()
            application = parts.application()
            async with running(parts):
                sessions = {
                    tenant: await Furnisher(application, tenant, keys, clock).furnish() for tenant in (OURS, THEIRS)
                }
                await parts.directory.refresh()
                yield Scratch(parts, application, keys, sessions)
        finally:
            await shut(parts)


def _document(isolation: str, keys: dict[str, str]) -> dict[str, Any]:
    chat = {"deployments": [{"provider": "sim", "model": "echo"}], "price": {"input": 1, "output": 2}}
    return {
        "version": 1,
        "providers": [{"name": "sim", "kind": "simulated"}],
        "models": [chat | {"name": "chat"}, chat | {"name": f"{OURS}-private"}],
        "keys": [{"name": "platform", "roles": ["owner"], "secret": {"value": keys["platform"]}}],
        "tenants": [_tenant(name, isolation, keys) for name in (OURS, THEIRS)],
    }


def _tenant(name: str, isolation: str, keys: dict[str, str]) -> dict[str, Any]:
    people, secrets = (
        (f"ana@{name}.example", f"bo@{name}.example"),
        {part: {"value": keys[f"{name}-{part}"]} for part in PARTS},
    )
    return {
        "name": name,
        "isolation": isolation,
        "allowed_models": ["chat", f"{name}-*"],
        "departments": [{"name": f"{name}-sales"}],
        "users": [{"email": email, "department": f"{name}-sales", "roles": ["owner"]} for email in people],
        "applications": [{"name": f"{name}-app", "department": f"{name}-sales", "cache": {"ttl": "1h"}}],
        "keys": [
            {"name": f"{name}-key", "application": f"{name}-app", "secret": secrets["app"]},
            {"name": f"{name}-ana", "user": people[0], "roles": ["owner"], "secret": secrets["ana"]},
            {"name": f"{name}-bo", "user": people[1], "roles": ["owner"], "secret": secrets["bo"]},
            {"name": f"{name}-scim", "roles": ["provisioning"], "secret": secrets["scim"]},
        ],
        "limits": [{"scope": f"application:{name}-app", "requests": 100_000, "per": "minute"}],
        "budgets": [{"scope": f"user:ana@{name}.example", "window": "month", "limit_usd": 10}],
        "use_cases": [{"name": f"{name}-writing", "owner": people[0], "purpose": "to be asked for"}],
        "access": {
            "default": "allow",
            "policies": [
                {"name": f"{name}-policy", "cedar": 'permit (principal, action == Action::"call", resource);'}
            ],
        },
    }
