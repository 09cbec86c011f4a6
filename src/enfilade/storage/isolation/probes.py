"""Trying to get at a tenant's rows as a foreign one: raw SQL as the request path's own role, taken back in any case."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from enfilade.core.ids import PLATFORM_ID
from enfilade.storage.isolation.catalogue import Catalogue, tenant_column
from enfilade.storage.isolation.types import Guarded

FOREIGN = "00000000-0000-7000-8000-0000000f0e19"
"""A tenant that nobody is: whoever has nothing must see nothing of others."""
REFUSED = asyncpg.InsufficientPrivilegeError
TIMEOUTS = "SET statement_timeout = '5s'; SET lock_timeout = '500ms'"
"""Whoever serves requests meanwhile waits for no probe, nor does a probe for them."""
MUST_BE_REFUSED = frozenset({"the writer", "the app role"})
SET_TENANT = "SELECT set_config('enfilade.tenant', $1, true)"
ROLES_TO_TAKE = ("enfilade_settler", "enfilade_operator", "enfilade_writer")


@dataclass(slots=True)
class Outcome:
    """What came of the probes of one thing."""

    tried: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Probed:
    """A table or view, and whose rows are in it."""

    name: str
    column: str
    relation: Any
    tenants: Sequence[str]


@asynccontextmanager
async def attempt(connection: asyncpg.Connection, tenant: str | None) -> AsyncIterator[None]:
    """A transaction with the tenant set, or nothing, that is taken back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        if tenant is not None:
            await connection.execute(SET_TENANT, tenant)
        yield
    finally:
        await transaction.rollback()


async def whose_rows(operator: asyncpg.Connection, catalogue: Catalogue, tenants: Sequence[str]) -> list[Probed]:
    """Each relation with a tenant, and which of these tenants have rows there."""
    probed = []
    for relation in catalogue.relations:
        column = tenant_column(relation)
        if relation["is_partition"] or column is None:
            continue
        name = f'"{catalogue.schema}"."{relation["name"]}"'
        statement = f"SELECT t FROM unnest($1::uuid[]) t WHERE EXISTS (SELECT FROM {name} r WHERE r.{column} = t)"
        try:
            async with operator.transaction(readonly=True):
                found = [str(row["t"]) for row in await operator.fetch(statement, tenants)]
        except REFUSED:
            found = []
        probed.append(Probed(name, column, relation, found))
    return probed


async def probe_relation(app: asyncpg.Connection, writer: asyncpg.Connection, probed: Probed) -> Outcome:
    """All that a foreign tenant, nobody, and the writer may try with one table."""
    outcome = Outcome()
    if not probed.relation["app_rights"]:
        await _read(app, probed, FOREIGN, outcome, who="the app role")
        await _read(writer, probed, None, outcome, who="the writer")
        return outcome
    await _read(app, probed, None, outcome, who="whoever sets no tenant")
    await _read(app, probed, "", outcome, who="whoever sets no tenant")
    await _read(app, probed, FOREIGN, outcome, who="a tenant without rows")
    await _read(writer, probed, None, outcome, who="the writer")
    if not probed.tenants:
        outcome.tried.append("empty, guard only")
        return outcome
    # Each of a handful against the next; of one tenant alone, nobody else's is the foreign one.
    others = [*probed.tenants[1:], FOREIGN if len(probed.tenants) == 1 else probed.tenants[0]]
    for theirs, own in zip(probed.tenants, others, strict=True):
        await _read(app, probed, own, outcome, of=theirs)
        if probed.relation["kind"] != "v":
            await _change(app, probed, own, theirs, outcome)
    return outcome


async def _read(
    connection: asyncpg.Connection,
    probed: Probed,
    tenant: str | None,
    outcome: Outcome,
    *,
    of: str | None = None,
    who: str = "a foreign tenant",
) -> None:
    must_refuse = who in MUST_BE_REFUSED
    readable = probed.relation["readable"]
    column = probed.column if probed.column in readable or must_refuse or not readable else None
    where = f" WHERE {column} = '{of}'" if of and column else ""
    statement = f"SELECT count(*) FROM (SELECT {column or readable[0]} FROM {probed.name}{where} LIMIT 1) r"
    try:
        async with attempt(connection, tenant):
            seen = await connection.fetchval(statement)
    except REFUSED:
        _note(outcome, "read")
        return
    except asyncpg.QueryCanceledError:
        _note(outcome, "read: no answer in time")
        return
    _note(outcome, "read")
    if must_refuse:
        _add_fault(outcome, f"{who} may read it")
    elif seen:
        _add_fault(outcome, f"{who} sees rows" + (f" of {of}" if of else ""))


def _add_fault(outcome: Outcome, text: str) -> None:
    if text not in outcome.faults:
        outcome.faults.append(text)


async def _change(connection: asyncpg.Connection, probed: Probed, own: str, theirs: str, outcome: Outcome) -> None:
    rights, column, name = set(probed.relation["app_rights"]), probed.column, probed.name
    updatable = probed.relation["updatable"]
    tries: list[tuple[str, str, str]] = []
    if updatable:
        touched = next((entry for entry in updatable if entry != column), updatable[0])
        tries.append(("change", f"UPDATE {name} SET {touched} = {touched} WHERE {column} = '{theirs}'", own))
    if column in updatable:
        take = f"UPDATE {name} SET {column} = '{own}' WHERE {column} = '{theirs}'"
        tries.append(("take", take, own))
        one = f"(SELECT ctid FROM {name} WHERE {column} = '{theirs}' LIMIT 1)"
        give = f"UPDATE {name} SET {column} = '{own}' WHERE {column} = '{theirs}' AND ctid = {one}"
        tries.append(("give away", give, theirs))
    if "DELETE" in rights:
        tries.append(("delete", f"DELETE FROM {name} WHERE {column} = '{theirs}'", own))
    if "INSERT" in rights and "SELECT" in rights:
        columns = [entry for entry in probed.relation["columns"] if entry in probed.relation["readable"]]
        values = ", ".join(f"'{own}'::uuid" if entry == column else f'"{entry}"' for entry in columns)
        listed = ", ".join(f'"{entry}"' for entry in columns)
        source = f"SELECT {values} FROM {name} WHERE {column} = '{theirs}' LIMIT 1"
        tries.append(("insert for another", f"INSERT INTO {name} ({listed}) {source}", theirs))
    for what, statement, tenant in tries:
        _note(outcome, what)
        try:
            async with attempt(connection, tenant):
                done = int((await connection.execute(statement)).rpartition(" ")[2])
        except asyncpg.LockNotAvailableError:
            _note(outcome, f"{what}: the row was locked")
            continue
        except asyncpg.PostgresError:
            continue
        if done:
            outcome.faults.append(f"{what}: done to {done} of the rows of {theirs} as {tenant}")


def _note(outcome: Outcome, what: str) -> None:
    if what not in outcome.tried:
        outcome.tried.append(what)


async def probe_functions(app: asyncpg.Connection, place: str, schema: str, tenants: Sequence[str]) -> list[Guarded]:
    """What the functions that write do when a foreign tenant names another."""
    theirs = tenants[0] if tenants else PLATFORM_ID
    calls = {
        "append_events": f"ARRAY['{theirs}']::uuid[], ARRAY['x'], ARRAY[now()], ARRAY['{{}}']",
        "append_leaves": f"ARRAY['{theirs}']::uuid[], ARRAY['x'], ARRAY[now()], ARRAY['{{}}']",
        "settle": "'{}'::text[], '{}'::uuid[], '{}'::text[], '{}'::timestamptz[], '{}'::text[], '{}'::text[]",
        "move_spend": f"'{theirs}', 'UTC', 1",
        "request_spend_rebuild": f"'{theirs}'",
        "ensure_partition": "'calls', '2031-01-01'",
    }
    found = []
    for name, arguments in calls.items():
        fault: tuple[str, ...] = ("a foreign tenant's call was carried out",)
        try:
            async with attempt(app, FOREIGN):
                await app.fetch(f'SELECT "{schema}".{name}({arguments})')
        except REFUSED:
            fault = ()
        except asyncpg.PostgresError as error:
            fault = (f"it was refused by chance: {type(error).__name__}",)
        found.append(Guarded("function", place, f"{schema}.{name}", "refused to a foreign tenant", "call", fault))
    return found


async def probe_roles(connection: asyncpg.Connection, place: str, role: str, keeps: str | None) -> Guarded:
    """Whether a sign-in role can become another. `keeps` is the one that it may."""
    faults = []
    for other in ROLES_TO_TAKE:
        if other == keeps:
            continue
        try:
            async with attempt(connection, None):
                await connection.execute(f"SET LOCAL ROLE {other}")
            faults.append(f"it can become {other}")
        except (REFUSED, asyncpg.InvalidParameterValueError):
            continue
    return Guarded("role", place, role, "cannot become another", "set role", tuple(faults))
