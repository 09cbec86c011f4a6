"""What a healthy database looks like, and in what this one differs."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from enfilade.core.errors import EnfiladeError
from enfilade.storage.address import LOGIN_ROLES
from enfilade.storage.database import Database, is_connection_fault
from enfilade.storage.isolation.reasons import READ_BY_TENANTS
from enfilade.storage.migrations import PLATFORM_SCHEMA, SHARED_SCHEMA, pending
from enfilade.storage.partitions import PARTITIONED
from enfilade.storage.replicas import COUNT_REPLICAS, COUNTED_APART
from enfilade.storage.server_flaws import flaws_of, release_of

Row = tuple[str, str, str, str | None]

UNGUARDED = """
SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    AND NOT c.relname = ANY ($2)
"""
POWERFUL = "SELECT rolname FROM pg_roles WHERE rolname = ANY ($1) AND (rolsuper OR rolbypassrls)"
PARTITIONS = """
SELECT p.relname AS parent, count(*) AS partitions FROM pg_inherits i
JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_namespace n ON n.oid = p.relnamespace
WHERE n.nspname = $1 AND c.relname = p.relname || '_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM') GROUP BY 1
"""
ORPHANS = f"SELECT count(*) FROM {SHARED_SCHEMA}.intents"


@dataclass(slots=True)
class Diagnosis:
    """Rows of level, subject, text and remedy."""

    now: datetime
    findings: list[Row] = field(default_factory=list)

    def note(self, level: str, subject: str, text: str, remedy: str | None = None) -> None:
        """Add a row."""
        self.findings.append((level, subject, text, remedy))


async def diagnose(database: Database) -> Diagnosis:
    """Look at the schema, the guards and the roles. Raises DatabaseUnavailable; changes nothing."""
    async with database.owner() as connection:
        diagnosis = Diagnosis(await connection.fetchval("SELECT now()"))
        major, minor = release_of(connection)
        diagnosis.note("ok", "server", f"PostgreSQL {major}.{minor}")
        for flaw in flaws_of(major, minor):
            diagnosis.note(
                "fault",
                "server",
                f"{flaw.name}: {flaw.what}",
                f"Update the server to {major}.{flaw.mended[major]} or newer.",
            )
        try:
            steps = await pending(connection)
        except EnfiladeError as error:
            diagnosis.note("fault", "schema", error.message, error.remedy)
            return diagnosis
        if steps:
            diagnosis.note("fault", "schema", f"{len(steps)} migrations are missing", "Run `enfilade migrate`.")
            return diagnosis
        diagnosis.note("ok", "schema", "up to date")
        await _guards(connection, database, diagnosis)
    await _logins(database, diagnosis)
    return diagnosis


async def _guards(connection: Any, database: Database, diagnosis: Diagnosis) -> None:
    unguarded = [row["name"] for row in await connection.fetch(UNGUARDED, SHARED_SCHEMA, list(READ_BY_TENANTS))]
    if unguarded:
        diagnosis.note(
            "fault",
            "isolation",
            f"row-level security is not forced on {', '.join(unguarded)}",
            "Somebody altered the schema: restore it with ALTER TABLE … FORCE ROW LEVEL SECURITY.",
        )
    users = [database.address.login(role)[0] for role in LOGIN_ROLES]
    powerful = [row["rolname"] for row in await connection.fetch(POWERFUL, users)]
    if powerful:
        diagnosis.note(
            "fault",
            "isolation",
            f"{', '.join(powerful)} can bypass row-level security",
            "ALTER ROLE … NOSUPERUSER NOBYPASSRLS",
        )
    if not unguarded and not powerful:
        diagnosis.note("ok", "isolation", "row-level security is forced, and no role can bypass it")
    present = {row["parent"] for row in await connection.fetch(PARTITIONS, SHARED_SCHEMA)}
    if missing := sorted(set(PARTITIONED) - present):
        diagnosis.note(
            "warning",
            "partitions",
            f"{', '.join(missing)} have none for this month; rows wait in the default partition",
            "A starting server makes them; is the clock right?",
        )
    if (serving := await connection.fetchval(COUNT_REPLICAS)) > 1:
        diagnosis.note("warning", "replicas", f"{serving} processes serve this database", COUNTED_APART)
    orphans = await connection.fetchval(ORPHANS)
    if orphans:
        diagnosis.note("ok", "recovery", f"{orphans} calls are running, or will be settled at the next start")


async def _logins(database: Database, diagnosis: Diagnosis) -> None:
    for role in LOGIN_ROLES:
        try:
            connection = await database.connect(role)
        except (asyncpg.PostgresError, OSError) as error:
            remedy = "Run `enfilade migrate`: it sets the roles' passwords anew."
            if is_connection_fault(error):
                remedy = "Look at the server's max_connections and its log."
            diagnosis.note("fault", "roles", f"the role {role} cannot sign in: {type(error).__name__}", remedy)
            continue
        await connection.close()
    if not any(subject == "roles" for _, subject, _, _ in diagnosis.findings):
        diagnosis.note("ok", "roles", f"{', '.join(LOGIN_ROLES)} can sign in to schema {PLATFORM_SCHEMA}")
