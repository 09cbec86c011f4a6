"""The two-tenant walk over every statement of every store: under globex's scope, nothing of acme's comes back.

Each statement is run with what belongs to acme in the place of every parameter: first under acme's scope, where most
find something, then under globex's, where none may find, change or remove anything of acme's.
"""

import contextlib
import importlib
import itertools
import pkgutil
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

import enfilade
from enfilade.core.errors import NotFound
from enfilade.storage.address import APP
from enfilade.storage.migrations import PLATFORM_SCHEMA
from tests.isolation.test_tables import signed_in
from tests.isolation.two_tenants import NEVER_ID, TwoTenants
from tests.support.house import House

MODULES = ("enfilade.storage.idempotency", "enfilade.storage.unit_of_work")
"""Where statements over tenants' rows stand besides the `store` modules."""
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
MOMENTS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC))
MOST_TRIES = 50
EFFECTIVE = 150
"""So many statements at least find something for acme; for the others no fitting values are guessed."""


def statements() -> Iterator[tuple[str, str]]:
    """Every statement, by name."""
    found = [m.name for m in pkgutil.walk_packages(enfilade.__path__, "enfilade.") if m.name.endswith(".store")]
    for module in (*found, *MODULES):
        for label, value in vars(importlib.import_module(module)).items():
            if label.isupper() and not label.startswith("_"):
                named = value.items() if isinstance(value, dict) else [("", value)]
                yield from ((f"{module}.{label}.{key}", text) for key, text in named if _is_statement(text))


def _is_statement(text: Any) -> bool:
    return isinstance(text, str) and text.split()[:1] != [] and text.split()[0] in VERBS and "set_config" not in text


def choices(kind: str, position: int, both: TwoTenants) -> list[Any]:
    """What of acme's fits a parameter."""
    ids = [UUID(text) for group in both.ids.values() for text in group]
    tenant = UUID(both.ids["tenants"][0])
    by_type: dict[str, list[Any]] = {
        "uuid": [tenant, None, UUID(int=0), *ids],
        "uuid[]": [None, ids, []],
        "text": ["acme-of-its-own", *both.names.values(), "UTC", None],
        "timestamptz": [MOMENTS[position % 2], None],
        "int8": [100, None],
        "int4": [100],
        "jsonb": ["{}"],
        "bool": [True],
        "bytea": [bytes(32)],
    }
    return by_type.get(kind, [None])


def arguments(prepared: PreparedStatement, both: TwoTenants) -> list[tuple[Any, ...]]:
    """Combinations of parameters, the likeliest first."""
    moments = itertools.count()
    kinds = [choices(p.name, next(moments) if p.name == "timestamptz" else 0, both) for p in prepared.get_parameters()]
    along = [tuple(kind[turn % len(kind)] for kind in kinds) for turn in range(max(map(len, kinds), default=1))]
    return [*itertools.islice(itertools.product(*kinds), MOST_TRIES), *along]


async def outcome(prepared: PreparedStatement, values: tuple[Any, ...]) -> list[Any] | None:
    """The rows of a statement, or that it changed some; None when the database refused.

    Raises InsufficientPrivilegeError for what is refused whatever the values are.
    """
    try:
        rows: list[Any] = await prepared.fetch(*values)
    except asyncpg.InsufficientPrivilegeError as error:
        if "permission denied" in str(error):
            raise
        return None
    except (asyncpg.PostgresError, asyncpg.DataError):
        return None
    verb, *_, count = prepared.get_statusmsg().split(" ")
    return rows or ([count] if verb != "SELECT" and count != "0" else [])


async def taken_back(connection: asyncpg.Connection, prepared: PreparedStatement, values: tuple[Any, ...]) -> Any:
    """The outcome, of which nothing stays."""
    if prepared.get_query().split()[0] == "SELECT" and "(" not in prepared.get_query():
        return await outcome(prepared, values)
    transaction = connection.transaction()
    await transaction.start()
    try:
        return await outcome(prepared, values)
    finally:
        await transaction.rollback()


async def test_no_statement_finds_or_changes_anything_of_another_tenant(both: TwoTenants) -> None:
    secrets = both.everything_of_acme() - {"acme"}
    own, other = both.house.tenant_id("globex"), both.house.tenant_id("acme")
    effective = set()
    async with signed_in(both, APP, own) as globex, signed_in(both, APP, other) as acme:
        for connection in (globex, acme):
            await connection.execute(f'SET search_path = "enfilade_shared", "{PLATFORM_SCHEMA}"')
        for label, text in statements():
            with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
                ours, theirs = await acme.prepare(text), await globex.prepare(text)
                for values in arguments(ours, both):
                    if await taken_back(acme, ours, values):
                        effective.add(label)
                        rows = await taken_back(globex, theirs, values)
                        assert not [row for row in rows or [] if _tells(row, secrets)], (label, values)
                        if text.split()[0] != "SELECT" and other in map(str, values):
                            assert not rows, (label, values)
                        break
    assert len(effective) >= EFFECTIVE, sorted(effective)


def _tells(row: Any, secrets: set[str]) -> bool:
    text = str(row)
    return any(secret in text for secret in secrets)


# The rooms' own methods.


def rooms(house: House) -> Iterator[tuple[str, Any]]:
    """Every object that works on a tenant's rows through a unit of work."""
    identity = house.parts.identity
    yield from {
        "departments": identity.departments,
        "users": identity.users,
        "applications": identity.applications,
        "keys": identity.keys,
        "tenants": identity.tenants,
        "limits": house.parts.limits,
        "budgets": house.parts.budgets,
        "invoices": house.parts.billing.register,
        "credits": house.parts.billing.credits,
    }.items()


async def test_no_room_finds_or_removes_anything_by_acmes_names(both: TwoTenants) -> None:
    own = both.house.tenant_id("globex")
    tried = 0
    for noun, room in rooms(both.house):
        for wanted in [*both.ids[noun], *([both.names[noun]] if noun in both.names else [])]:
            for method in ("find", "get", "remove", "revoke", "rotate"):
                if not hasattr(room, method) or (noun == "tenants" and method == "remove"):
                    continue
                more = [timedelta(hours=1)] if method == "rotate" else []
                async with both.house.unit(own) as unit:
                    found = await _unless_missing(getattr(room, method)(unit, wanted, *more))
                assert found is MISSING, (noun, method, wanted)
                tried += 1
    assert tried > 30


async def test_no_room_lists_anything_of_acmes(both: TwoTenants) -> None:
    own, other = both.house.tenant_id("globex"), both.house.tenant_id("acme")
    secrets = both.everything_of_acme() - {"acme"}
    for noun, room in rooms(both.house):
        for tenant in (None, own, other):
            more = [] if noun == "tenants" else [tenant]
            async with both.house.unit(own) as unit:
                page = await room.page(unit, None, 100, *more)
            assert not [entry for entry in page if _tells(entry, secrets)], noun
            assert bool(page) == (tenant != other or noun == "tenants"), noun


async def test_the_call_and_event_logs_tell_globex_nothing_of_acme(both: TwoTenants) -> None:
    own = both.house.tenant_id("globex")
    audit = both.house.parts.audit
    for wanted in (*both.ids["calls"], NEVER_ID):
        async with both.house.unit(own) as unit:
            assert await _unless_missing(audit.find_call(unit, wanted)) is MISSING


MISSING = object()


async def _unless_missing(work: Awaitable[Any]) -> Any:
    """What a method found; `MISSING` when it said, in either way, that there is nothing."""
    try:
        found = await work
    except NotFound:
        return MISSING
    return MISSING if found is None else found
