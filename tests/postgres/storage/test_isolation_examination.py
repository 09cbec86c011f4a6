"""`enfilade doctor isolation` passes what is healthy, and finds each kind of damage."""

from collections.abc import AsyncIterator

import pytest

from enfilade.storage.address import APP
from enfilade.storage.isolation.examination import examine
from enfilade.storage.isolation.types import Guarded
from tests.support.two_tenants import World

DAMAGES = {
    "ALTER TABLE enfilade_shared.users DISABLE ROW LEVEL SECURITY": ("enfilade_shared.users", "switched off"),
    "ALTER TABLE enfilade_shared.roles NO FORCE ROW LEVEL SECURITY": ("enfilade_shared.roles", "not forced"),
    "DROP POLICY own_tenant ON enfilade_shared.applications": ("enfilade_shared.applications", "no policy"),
    "ALTER POLICY own_tenant ON enfilade_shared.keys USING (true)": ("enfilade_shared.keys", "own_tenant lets"),
    "CREATE POLICY more ON enfilade_shared.limits FOR SELECT USING (tenant_id IS NOT NULL)": (
        "enfilade_shared.limits",
        "more lets",
    ),
    "CREATE POLICY wide ON enfilade_shared.budgets FOR UPDATE TO enfilade_operator USING (true)": (
        "enfilade_shared.budgets",
        "operators change",
    ),
    "CREATE TABLE enfilade_shared.added (tenant_id uuid, n int); GRANT SELECT ON enfilade_shared.added TO enfilade_app": (
        "enfilade_shared.added",
        "switched off",
    ),
    "ALTER VIEW enfilade_shared.ledger_lines SET (security_invoker = false)": (
        "enfilade_shared.ledger_lines",
        "its owner's rights",
    ),
    "GRANT SELECT ON enfilade.secrets TO enfilade_app": ("enfilade.secrets", "may SELECT without"),
    "GRANT SELECT ON enfilade_shared.issuers TO PUBLIC": ("enfilade_shared.issuers", "client_secret"),
    "GRANT SELECT ON enfilade_shared.calls_default TO enfilade_app": ("enfilade_shared.calls_default", "parent"),
    "GRANT SELECT ON enfilade_shared.sessions TO enfilade_writer": ("enfilade_shared.sessions", "the writer may"),
    "GRANT EXECUTE ON FUNCTION enfilade_shared.move_spend(uuid, text, integer) TO enfilade_app": (
        "enfilade_shared.move_spend",
        "not foreseen",
    ),
    "ALTER FUNCTION enfilade_shared.settle(text[], uuid[], text[], timestamptz[], text[], text[]) RESET search_path": (
        "enfilade_shared.settle",
        "not fixed",
    ),
    "CREATE TABLE enfilade_shared.unguarded (n int); GRANT SELECT ON enfilade_shared.unguarded TO enfilade_app": (
        "enfilade_shared.unguarded",
        "may SELECT without",
    ),
    "CREATE FUNCTION enfilade_shared.all_keys() RETURNS SETOF enfilade_shared.keys LANGUAGE sql SECURITY DEFINER"
    " AS 'SELECT * FROM enfilade_shared.keys'; GRANT EXECUTE ON FUNCTION enfilade_shared.all_keys() TO enfilade_app": (
        "enfilade_shared.all_keys",
        "its owner's rights",
    ),
    "CREATE VIEW enfilade_shared.all_users AS SELECT * FROM enfilade_shared.users;"
    " GRANT SELECT ON enfilade_shared.all_users TO enfilade_app": ("enfilade_shared.all_users", "its owner's rights"),
    "CREATE MATERIALIZED VIEW enfilade_shared.all_limits AS SELECT * FROM enfilade_shared.limits;"
    " GRANT SELECT ON enfilade_shared.all_limits TO enfilade_app": ("enfilade_shared.all_limits", "its owner's rights"),
    "CREATE UNIQUE INDEX by_email ON enfilade_shared.users (email)": ("enfilade_shared.by_email", "all tenants meet"),
}
"""What somebody did to a database, and the finding that tells of it."""


@pytest.fixture
async def found(world: World) -> AsyncIterator[list[Guarded]]:
    """What is found in a database in which everything was damaged."""
    (app, _), group = world.parts.given.address.login(APP), "enfilade_settler"
    async with world.parts.database.owner() as owner:
        for damage in DAMAGES:
            # One row each is enough to see; a name that two tenants have cannot be made unique.
            if "by_email" in damage:
                await owner.execute("UPDATE enfilade_shared.users SET email = id::text")
            await owner.execute(damage)
        await owner.execute(f'ALTER ROLE "{app}" BYPASSRLS; GRANT {group} TO "{app}"')
        try:
            yield (await examine(world.parts.cells)).items
        finally:
            # Roles belong to the server, and other tests' databases have roles of the same name.
            await owner.execute(f'ALTER ROLE "{app}" NOBYPASSRLS; REVOKE {group} FROM "{app}"')


async def test_a_healthy_database_passes_and_everything_in_it_was_looked_at(world: World) -> None:
    before = await _content(world)
    examined = await examine(world.parts.cells)
    assert [item for item in examined.items if item.faults] == []
    assert await _content(world) == before, "trying changes nothing"
    names = {item.name.partition("(")[0] for item in examined.items}
    assert {f"enfilade_shared.{row['name']}" for row in await world.tenant_tables()} <= names
    probed = [item for item in examined.items if item.kind == "table" and "change" in item.probe]
    assert len(probed) > 30
    assert not [item.name for item in probed if "empty" in item.probe]
    assert set(examined.servers) == {"shared"}


async def test_each_damage_is_found(found: list[Guarded], world: World) -> None:
    faults: dict[str, list[str]] = {}
    for item in found:
        faults.setdefault(item.name.partition("(")[0], []).extend(item.faults)
    for damage, (name, words) in DAMAGES.items():
        assert any(words in fault for fault in faults[name]), (damage, faults[name])
    app, _ = world.parts.given.address.login(APP)
    assert len(faults[app]) == 3, "it passes by policies, belongs to another role and can become it"
    # What the catalogue alone would not show: somebody else's rows were really there to be seen and changed.
    assert any("sees rows" in fault for fault in faults["enfilade_shared.users"])
    assert any("change: done" in fault for fault in faults["enfilade_shared.users"])


async def _content(world: World) -> dict[str, str]:
    async with world.parts.database.owner() as owner:
        tables = [row["name"] for row in await world.tenant_tables() if not row["is_partition"]]
        digest = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM enfilade_shared.{} t"
        return {name: await owner.fetchval(digest.format(name)) for name in tables}
