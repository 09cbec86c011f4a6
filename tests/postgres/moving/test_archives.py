"""A tenant leaves as a file and comes back from one, on another installation, with everything that it had."""

import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from enfilade.bootstrap.compose import Parts
from enfilade.core.errors import Conflict, EnfiladeError
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity import tenant_imports
from enfilade.identity.archive_trust import Trust
from enfilade.identity.errors import (
    AlreadyExists,
    InvalidSpecification,
    TooManyArchives,
    UnknownCell,
    UntrustedArchive,
)
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.identity.store import INSERT_CELL_HOST
from enfilade.identity.tenant_imports import Imported, ImportOrder
from enfilade.sealing import carrying
from enfilade.sealing.errors import WrongPassphrase
from enfilade.storage import migrations, partitions
from enfilade.storage.cells import Placement
from enfilade.storage.database import Database
from enfilade.storage.errors import ArchiveFault
from enfilade.storage.migrations import Migration
from enfilade.storage.moving import archive, erasing, unpacking
from enfilade.storage.moving import imports as imports_under_way
from enfilade.storage.moving.archive import SIGNATURE
from tests.postgres.moving.conftest import plainly_owned
from tests.support.archives import altered_manifest, files_of, packed, rewritten
from tests.support.moves import Contents, contents, differing, furnished, log_is_gapless
from tests.support.parts import call_event, new_ids, open_parts, unit_in
from tests.support.postgres import TestServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSPHRASE = "correct horse battery staple"
SCOPE = system_scope("test")
UNSIGNED = Trust(takes_unsigned=True)
OWN_CELLS = """
SELECT nspname FROM pg_namespace WHERE nspname LIKE 'enf\\_%'
UNION ALL SELECT schema_name FROM enfilade.migrations WHERE schema_name LIKE 'enf\\_%'
UNION ALL SELECT datname FROM pg_database WHERE datname LIKE 'enf\\_%'
"""


LATER = """
ALTER TABLE users ADD COLUMN folded text;
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;
UPDATE users SET folded = upper(email);
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE TABLE later (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id));
ALTER TABLE later ENABLE ROW LEVEL SECURITY;
ALTER TABLE later FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON later TO enfilade_app USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
"""


@dataclass(frozen=True)
class Source:
    """A tenant where it came from, and its archive."""

    tenant: str
    path: Path
    before: Contents
    sealed: bytes
    public_key: str


async def written(parts: Parts, tenant: str, path: Path) -> Path:
    """An archive of a tenant."""
    found = parts.principals.tenant(tenant)
    assert found is not None
    with path.open("wb") as file:

        async def put(chunk: bytes) -> None:
            file.write(chunk)

        await parts.tenancy.archives.write(SCOPE, found, PASSPHRASE, put)
    return path


async def restored(parts: Parts, path: Path, data: bytes | None = None, **options: Any) -> Imported:
    """What came of an archive, or of `data` in its place."""
    order = ImportOrder(**{"passphrase": PASSPHRASE} | options)
    if data is not None:
        path = path.with_name("altered.tar")
        path.write_bytes(data)
    with path.open("rb") as file:
        imported = await parts.tenancy.imports.read(SCOPE, file, order)
    await parts.directory.refresh()
    return imported


@pytest.fixture(scope="module", autouse=True)
def passphrases_are_cheap() -> Iterator[None]:
    """What makes guessing slow makes a dozen imports slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(carrying.COST, "n", 16)
        yield


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def source(server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Source]:
    """One tenant of one installation, for all tests here."""
    path = tmp_path_factory.mktemp("archives") / "ours.tar"
    async with server.database() as address, open_parts(address) as parts:
        ours = await furnished(parts, "ours")
        sealed = (await parts.sealing.envelope.prepare(ours)).sealing.seal("a test", b"contents")
        key = await parts.tenancy.archives.signing_key()
        assert key is not None
        await written(parts, ours, path)
        yield Source(ours, path, await contents(parts, ours), sealed, key.public_key)


@pytest_asyncio.fixture(loop_scope="module")
async def other(server: TestServer) -> AsyncIterator[Parts]:
    """Another installation, with nothing in it."""
    async with server.database() as address, open_parts(address) as parts:
        yield parts


@pytest.mark.parametrize("isolation", ["row", "schema", "database"])
async def test_a_tenant_comes_to_another_installation_as_it_was(
    source: Source, other: Parts, isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "GROWN_ROWS", len(source.before.calls))
    imported = await restored(other, source.path, isolation=isolation, name="acme-2")
    assert (imported.tenant.id, imported.tenant.name) == (source.tenant, "acme-2")
    assert (imported.tenant.spec.isolation, imported.tenant.cell) == (isolation, "home")
    assert (imported.vouched.public_key, imported.vouched.is_known) == (source.public_key, False)
    after = await contents(other, source.tenant)
    assert not differing(source.before, after, grown=("events",))
    log_is_gapless(after)
    cell = other.cells.of(source.tenant)
    async with cell.database.owner() as owner:
        lying = await owner.fetch(f'SELECT DISTINCT tableoid::regclass::text AS t FROM "{cell.schema}".calls')
    assert not any(row["t"].endswith("default") for row in lying)
    opened = await other.sealing.envelope.prepare(source.tenant)
    assert opened.sealing.open("a test", source.sealed) == b"contents"
    async with other.storage.unit_of_work(tenant_scope(source.tenant, "test")) as unit:
        assert await unit.fetch_value("SELECT sum(calls) FROM spend_days") == len(source.before.calls)
        assert await unit.fetch_value("SELECT type FROM events ORDER BY seq DESC LIMIT 1") == "TenantImported"
        assert await unit.fetch_value("SELECT count(*) FROM events WHERE type = 'TenantExported'") == 1
    async with unit_in(other) as unit:
        told = "SELECT count(*) FROM events WHERE type = 'TenantImported' AND tenant_id = $1"
        assert await unit.fetch_value(told, PLATFORM_ID) == 1
        assert not await unit.fetch("SELECT id FROM enfilade.tenant_imports")
    with pytest.raises(AlreadyExists, match="the id"):
        await restored(other, source.path)
    await other.cell_maker.drop(source.tenant, Placement(isolation))


async def test_what_cannot_be_restored_changes_nothing(source: Source, other: Parts) -> None:
    files = files_of(source.path)
    stranger = "0192f0c1-0000-7000-8000-00000000abcd"

    def smuggled(rows: dict[str, list[Any]], _header: dict[str, Any]) -> None:
        rows["users"][0]["tenant_id"] = stranger

    def broken(rows: dict[str, list[Any]], _header: dict[str, Any]) -> None:
        rows["users"][0]["id"] = "no id"

    def orphaned(rows: dict[str, list[Any]], _header: dict[str, Any]) -> None:
        rows["departments"].clear()

    def without_a_table(rows: dict[str, list[Any]], _header: dict[str, Any]) -> None:
        del rows["ledger"]

    def misnamed(_rows: dict[str, list[Any]], header: dict[str, Any]) -> None:
        header["tenant"]["name"] = "No Name!"

    unsigned = {name: body for name, body in files.items() if name != SIGNATURE}
    forged = altered_manifest(files, moves=1) | {SIGNATURE: files[SIGNATURE]}
    own_key = await other.tenancy.archives.signing_key()
    assert own_key is not None
    faults: list[tuple[bytes | None, dict[str, Any], type[EnfiladeError], str]] = [
        (None, {"passphrase": "another passphrase"}, WrongPassphrase, "passphrase"),
        (None, {"trust": Trust(own_key.public_key)}, UntrustedArchive, "was signed by the key"),
        (None, {"trust": Trust("no key")}, InvalidSpecification, "no public key"),
        (None, {"isolation": "bottle"}, InvalidSpecification, "isolation"),
        (None, {"cell": "nowhere"}, UnknownCell, "nowhere"),
        (None, {"name": "platform"}, InvalidSpecification, "platform"),
        (packed(unsigned), {}, UntrustedArchive, "not signed"),
        (packed(unsigned), {"trust": Trust(source.public_key, takes_unsigned=True)}, UntrustedArchive, "not signed"),
        (packed(forged), {"trust": UNSIGNED}, UntrustedArchive, "altered"),
        (packed(rewritten(files, smuggled)), {"trust": UNSIGNED}, ArchiveFault, "not the tenant's"),
        (packed(rewritten(files, broken)), {"trust": UNSIGNED}, ArchiveFault, "refuses"),
        (packed(rewritten(files, orphaned)), {"trust": UNSIGNED}, ArchiveFault, "refuses"),
        (packed(rewritten(files, without_a_table)), {"trust": UNSIGNED}, ArchiveFault, "other tables"),
        (packed(rewritten(files, misnamed)), {"trust": UNSIGNED}, InvalidSpecification, "name"),
    ]
    for data, options, error, reason in faults:
        with pytest.raises(error, match=reason):
            await restored(other, source.path, data, **options)
    assert not any((await contents(other, source.tenant)).tables.values())
    async with unit_in(other) as unit:
        assert not await unit.fetch("SELECT id FROM enfilade.tenant_imports")
        assert not await unit.fetch("SELECT tenant_id FROM enfilade.tenant_keys WHERE tenant_id = $1", source.tenant)
    imported = await restored(other, source.path, trust=Trust(source.public_key))
    assert imported.vouched.is_known


async def test_an_archive_holds_one_snapshot_however_long_it_takes(server: TestServer, tmp_path: Path) -> None:
    async with server.database() as address, open_parts(address) as parts:
        ours = await furnished(parts, "ours")
        found = parts.principals.tenant(ours)
        assert found is not None
        target = io.BytesIO()
        calls = new_ids(3)

        async def put(chunk: bytes) -> None:
            target.write(chunk)
            if calls:
                call = calls.pop()
                await parts.writers.of(ours).settle(call, call_event(ours, call))
                await parts.sealing.encryption.rotate(tenant_scope(ours, "test"))

        await parts.tenancy.archives.write(SCOPE, found, PASSPHRASE, put)
        path = tmp_path / "ours.tar"
        path.write_bytes(target.getvalue())
        assert not calls
        assert len((await contents(parts, ours)).calls) == 4
        async with server.database() as elsewhere, open_parts(elsewhere) as other:
            await restored(other, path)
            after = await contents(other, ours)
            assert len(after.calls) == 1
            log_is_gapless(after)


class PowerCut(Exception):
    """The process died here."""


async def cut(*_given: Any) -> None:
    """Nothing happens after this."""
    raise PowerCut


async def left_behind(parts: Parts) -> str:
    """Have what is left of an import cleared away or finished; returns how far it was."""
    async with unit_in(parts) as unit:
        (left,) = await unit.fetch("SELECT id, step FROM enfilade.tenant_imports")
    assert await parts.tenancy.imports.tidy(str(left["id"]))
    async with unit_in(parts) as unit:
        assert not await unit.fetch("SELECT id FROM enfilade.tenant_imports")
    await parts.directory.refresh()
    return str(left["step"])


@pytest.mark.parametrize("isolation", ["row", "schema", "database"])
async def test_what_a_killed_import_left_is_cleared_away(
    source: Source, other: Parts, isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tenant_imports, "put_keys", cut)
        patch.setattr(other.tenancy.imports, "tidy", cut)
        with pytest.raises(PowerCut):
            await restored(other, source.path, isolation=isolation)
    assert await left_behind(other) == "restoring"
    async with other.database.owner() as owner:
        assert not await owner.fetch(OWN_CELLS)
    assert other.principals.tenant(source.tenant) is None
    assert not any((await contents(other, source.tenant)).tables.values())


async def test_an_import_that_was_killed_late_is_finished(
    source: Source, other: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(other.tenancy.imports, "_record", cut)
        with pytest.raises(PowerCut):
            await restored(other, source.path)
    assert await left_behind(other) == "recording"
    assert not differing(source.before, await contents(other, source.tenant), grown=("events",))
    async with unit_in(other) as unit:
        told = await unit.fetch("SELECT tenant_id FROM events WHERE type = 'TenantImported'")
    assert {str(row["tenant_id"]) for row in told} == {source.tenant, PLATFORM_ID}


async def test_two_imports_of_one_tenant_do_not_meet(source: Source, other: Parts) -> None:
    imports = other.tenancy.imports
    async with other.database.owner() as somebody:
        identifier = other.ids.new_id()
        await somebody.fetchval(imports_under_way.HOLD_IMPORT, identifier)
        values = (identifier, source.tenant, "theirs", "row", "home", "key:test", "{}")
        await somebody.fetchval(imports_under_way.ADD_IMPORT, *values)
        with pytest.raises(AlreadyExists, match="being imported"):
            await restored(other, source.path)
        assert not await imports.tidy(identifier)
    await restored(other, source.path)


async def test_only_a_few_archives_are_worked_on_at_a_time(source: Source, other: Parts) -> None:
    other.tenancy.imports.running = other.tenancy.archives.running = 2
    with pytest.raises(TooManyArchives):
        await restored(other, source.path)
    found = await furnished(other, "ours")
    with pytest.raises(TooManyArchives):
        await written(other, found, source.path.with_name("never.tar"))


async def test_a_tenant_that_came_back_can_be_erased_once_more(source: Source, other: Parts) -> None:
    imported = (await restored(other, source.path)).tenant
    erasures = other.identity.erasures
    async with unit_in(other) as unit:
        first = await erasures.start(unit, imported, force=True)
        await unit.execute(erasing.END_ERASURE, first.id, "{}", None, first.started_at)
    async with unit_in(other) as unit:
        again = await erasures.start(unit, imported, force=True)
    assert (again.step, again.erased) == ("closing", source.tenant)
    with pytest.raises(Conflict):
        async with unit_in(other) as unit:
            await erasures.start(unit, imported, force=True)


async def test_an_archive_of_an_older_version_is_brought_up_to_date(
    source: Source, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later version gives users another column, from what they have, and tenants a table of their own."""
    later = Migration(migrations.load_set("cell")[-1].number + 1, "later", LATER)
    carried = migrations.load_set

    def load_set(name: str) -> list[Migration]:
        return [*carried(name), later] if name == "cell" else carried(name)

    for module in (migrations, archive, unpacking):
        monkeypatch.setattr(module, "load_set", load_set)
    async with server.database() as address:
        connection = await asyncpg.connect(address.url)
        await migrations.migrate(connection, address)
        await connection.close()
        async with open_parts(address) as parts:
            assert (await restored(parts, source.path, isolation="row")).tenant.id == source.tenant
            async with unit_in(parts, source.tenant) as unit:
                users = await unit.fetch("SELECT email, folded FROM users WHERE tenant_id = $1", source.tenant)
                assert [row["folded"] for row in users] == [row["email"].upper() for row in users]
                assert users
                sealed = await unit.fetch_value("SELECT sum(calls) FROM spend_days WHERE tenant_id = $1", source.tenant)
                assert sealed == len(source.before.calls)
            log_is_gapless(await contents(parts, source.tenant))
            async with parts.database.owner() as owner:
                assert not [row[0] for row in await owner.fetch(OWN_CELLS) if row[0].endswith("_import")]


@pytest.mark.parametrize("isolation", ["row", "schema"])
async def test_a_tenant_comes_to_another_server_whose_owner_is_no_superuser(
    source: Source, elsewhere: TestServer, isolation: str, tmp_path: Path
) -> None:
    home = await plainly_owned(elsewhere, f"plain_{isolation}")
    host = await plainly_owned(elsewhere, f"host_{isolation}")
    async with Database(home).owner() as owner:
        await migrations.migrate(owner, home)
    async with open_parts(home) as parts:
        async with unit_in(parts) as unit:
            await unit.execute(INSERT_CELL_HOST, parts.ids.new_id(), "zurich", '{"name":"zurich"}')
        await parts.cells.put_host("zurich", host)
        imported = await restored(parts, source.path, isolation=isolation, cell="zurich")
        assert (imported.tenant.spec.isolation, imported.tenant.cell) == (isolation, "zurich")
        after = await contents(parts, source.tenant)
        assert not differing(source.before, after, grown=("events",))
        log_is_gapless(after)
        # From there it can leave again, and what an owner may not see is not missing.
        path = await written(parts, source.tenant, tmp_path / "again.tar")
        with path.open("rb") as file:
            again = unpacking.open_archive(file)
            assert again.manifest.tables["ledger"] == len(after.tables["ledger"])
            assert again.manifest.next_seq == len(after.tables["events"]) + 1
        await parts.cell_maker.drop(source.tenant, Placement(isolation, "zurich"))
