"""Writing down which rows of a tenant change while it is copied."""

from collections.abc import Sequence
from functools import partial

from enfilade.storage.moving.places import Place, patiently
from enfilade.storage.moving.tables import Table

TRIGGERS = {"insert": ("INSERT", "NEW"), "update": ("UPDATE", "NEW"), "delete": ("DELETE", "OLD")}
LIST_TRIGGERS = """
SELECT c.relname::text AS name, t.tgname::text AS trigger FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = to_regnamespace($1) AND NOT c.relispartition AND starts_with(t.tgname, $2)
"""
FORGET_CHANGES = "DELETE FROM move_changes WHERE tenant_id = $1"


def _prefix(tenant: str) -> str:
    return f"move_{tenant.replace('-', '')}_"


async def start_capture(source: Place, tables: Sequence[Table]) -> None:
    """Have every change to the tenant's rows written down from now on.

    Each table is held for a moment, when those who are writing to it have finished: what they wrote is seen by whoever
    reads it afterwards, and what others write later is captured.
    """
    for table in tables:
        await patiently(source.connection, partial(_capture, source, table))


async def _capture(source: Place, table: Table) -> None:
    prefix = _prefix(source.tenant)
    arguments = ", ".join(f"'{name}'" for name in (table.name, *table.key))
    for suffix, (event, row) in TRIGGERS.items():
        await source.connection.execute(
            f'CREATE OR REPLACE TRIGGER "{prefix}{suffix}" AFTER {event} ON {source.table(table.name)} '
            f"FOR EACH ROW WHEN ({row}.tenant_id = {source.whose}) EXECUTE FUNCTION capture_change({arguments})"
        )


async def stop_capture(source: Place) -> None:
    """Take the triggers away, and forget what was written down."""
    by_table: dict[str, list[str]] = {}
    for row in await source.connection.fetch(LIST_TRIGGERS, source.cell.schema, _prefix(source.tenant)):
        by_table.setdefault(row["name"], []).append(row["trigger"])
    for name, triggers in by_table.items():
        await patiently(source.connection, partial(_release, source, name, triggers))
    await source.connection.execute(FORGET_CHANGES, source.tenant)


async def _release(source: Place, name: str, triggers: Sequence[str]) -> None:
    for trigger in triggers:
        await source.connection.execute(f'DROP TRIGGER IF EXISTS "{trigger}" ON {source.table(name)}')
