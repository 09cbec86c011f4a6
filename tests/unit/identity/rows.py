"""A unit of work that holds one tenant's rows, as the directory reads them."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from enfilade.core.ids import PLATFORM_ID
from enfilade.identity import store
from enfilade.identity.principals import Principals
from enfilade.identity.roles import store as roles

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
SECRET = "acme-application-key-with-enough-characters"
Row = dict[str, Any]


def digest(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def key(name: str = "copilot-key", secret: str = SECRET, **more: Any) -> Row:
    """A key of the application, one row for each of its secrets."""
    row: Row = {
        "id": f"id-of-{name}",
        "tenant_id": "acme",
        "name": name,
        "digest": digest(secret),
        "application_id": "copilot",
        "user_id": None,
        "roles": [],
        "expires_at": None,
        "valid_until": None,
        "allowed_ips": [],
        "scopes": [],
        "only_department_id": None,
        "only_application_id": None,
    }
    return row | more


def tenant(identifier: str = "acme") -> Row:
    """A tenant."""
    return {
        "id": identifier,
        "name": identifier,
        "isolation": "row",
        "region": None,
        "security_level": None,
        "time_zone": "UTC",
        "allowed_models": ["*"],
        "max_tokens_per_request": None,
        "version": 1,
        "created_at": START - timedelta(days=1),
        "cell": None,
        "state": "active",
        "state_reason": None,
    }


class Rows:
    """The rows of a small world: one department, one application, two users."""

    def __init__(self, *keys: Row, tenants: tuple[str, ...] = ("acme",)) -> None:
        """Add these keys."""
        common = {"tenant_id": "acme", "version": 1}
        user = common | {"department": None, "department_id": None, "roles": ["developer"]}
        user |= {"display_name": None, "manager": None, "manager_id": None, "attributes": "{}", "active": True}
        user |= {"source": "local", "external_id": None}
        self.tables: dict[str, list[Row]] = {
            store.LOAD_TENANTS: [tenant(name) for name in tenants],
            store.LOAD_DEPARTMENTS: [common | {"id": "sales", "name": "Sales"}],
            store.LOAD_APPLICATIONS: [
                common
                | {
                    "id": "copilot",
                    "name": "Copilot",
                    "department": "Sales",
                    "department_id": "sales",
                    "allowed_models": ["*"],
                    "settings": "{}",
                }
            ],
            store.LOAD_USERS: [
                user | {"id": "ana", "email": "ana@acme.example", "department": "Sales", "department_id": "sales"},
                user | {"id": "ben", "email": "ben@acme.example"},
            ],
            store.LOAD_KEYS: list(keys),
            roles.LOAD_ROLES: [],
            roles.LOAD_ASSIGNMENTS: [],
            roles.LOAD_SETTINGS: [],
            roles.LOAD_GLASS: [],
        }

    async def fetch(self, statement: str, *arguments: Any) -> list[Row]:
        """The rows of these tenants, or of all."""
        wanted = arguments[0]
        rows = self.tables[statement]
        return [row for row in rows if wanted is None or row.get("tenant_id", row["id"]) in wanted]

    async def rows(self, statement: str, *arguments: Any, chunk: int) -> AsyncIterator[Row]:
        """The same, one by one."""
        del chunk
        for row in await self.fetch(statement, *arguments):
            yield row


async def fill(principals: Principals, rows: Rows, *tenants: str) -> None:
    """Load and install, as the directory does; everything when no tenant is named."""
    unit: Any = rows
    (await principals.load(unit, set(tenants) or None))()


async def principals_of(*keys: Row) -> Principals:
    """The identity section with these keys."""
    made = Principals()
    await fill(made, Rows(*keys, tenants=("acme", PLATFORM_ID)))
    return made
