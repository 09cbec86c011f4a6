"""A tenant leaves as a file and comes back from one, on another installation, with everything that it had."""

import tarfile
from pathlib import Path

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.errors import EnfiladeError
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.scopes import tenant_scope
from enfilade.identity.tenant_archives import TenantArchives
from enfilade.sealing.errors import WrongPassphrase
from enfilade.storage.address import Address
from enfilade.storage.errors import ArchiveFault
from tests.support.moves import contents, differing, furnished, log_is_gapless
from tests.support.parts import open_parts
from tests.support.postgres import TestServer

PASSPHRASE = "correct horse battery staple"


def archives_of(parts: Parts) -> TenantArchives:
    return parts.tenancy.archives(parts.sealing.parts)


async def written(parts: Parts, path: Path) -> Path:
    """An archive of the tenant `ours`."""
    with path.open("wb") as file:
        await archives_of(parts).write("ours", PASSPHRASE, file)
    return path


async def restored(parts: Parts, path: Path, **options: str | None) -> str:
    """The id of the tenant that came from the archive."""
    tenant = await archives_of(parts).read(path, PASSPHRASE, **{"name": None, "isolation": None} | options)
    await parts.directory.refresh()
    return tenant.id


@pytest.mark.parametrize("isolation", ["row", "schema"])
async def test_a_tenant_comes_to_another_installation_as_it_was(
    database: Address, server: TestServer, tmp_path: Path, isolation: str
) -> None:
    async with open_parts(database) as parts, server.database() as elsewhere:
        ours = await furnished(parts, "ours")
        keys = await parts.sealing.envelope.prepare(ours)
        sealed = keys.sealing.seal("a test", b"contents")
        before = await contents(parts, ours)
        path = await written(parts, tmp_path / "ours.tar")
        async with open_parts(elsewhere) as other:
            assert await restored(other, path, isolation=isolation) == ours
            after = await contents(other, ours)
            assert not differing(before, after)
            log_is_gapless(after)
            opened = await other.sealing.envelope.prepare(ours)
            assert opened.sealing.open("a test", sealed) == b"contents"
            with pytest.raises(AlreadyExists):
                await restored(other, path)
            async with other.storage.unit_of_work(tenant_scope(ours, "test")) as unit:
                assert await unit.fetch_value("SELECT sum(calls) FROM spend_days") == len(before.calls)


async def test_an_archive_that_does_not_fit_changes_nothing(
    database: Address, server: TestServer, tmp_path: Path
) -> None:
    async with open_parts(database) as parts, server.database() as elsewhere:
        ours = await furnished(parts, "ours")
        await parts.sealing.envelope.prepare(ours)
        path = await written(parts, tmp_path / "ours.tar")
        faulty = _with(path, tmp_path / "faulty.tar", "ledger.ndjson.gz")
        async with open_parts(elsewhere) as other:
            await furnished(other, "ours")
            faults: list[tuple[Path, str, str | None, type[EnfiladeError]]] = [
                (path, PASSPHRASE, None, AlreadyExists),
                (path, "another passphrase", "theirs", WrongPassphrase),
                (faulty, PASSPHRASE, "theirs", ArchiveFault),
                (Path(__file__), PASSPHRASE, "theirs", ArchiveFault),
            ]
            for file, passphrase, name, error in faults:
                with pytest.raises(error):
                    await archives_of(other).read(file, passphrase, name=name, isolation=None)
            assert not any((await contents(other, ours)).tables.values())


def _with(path: Path, target: Path, altered: str) -> Path:
    """A copy of an archive in which one file is another one."""
    with tarfile.open(path) as source, tarfile.open(target, "w") as copy:
        for member in source:
            name = "calls.ndjson.gz" if member.name == altered else member.name
            found = source.extractfile(name)
            size = source.getmember(name).size
            about = tarfile.TarInfo(member.name)
            about.size = size
            copy.addfile(about, found)
    return target
