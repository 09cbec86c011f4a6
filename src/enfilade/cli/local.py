"""What the command line does to a database directly, without a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.process import bring_up, shut
from enfilade.bootstrap.up import database, ingredients, make_first_key
from enfilade.cli.output import note
from enfilade.cli.starting import settings_with
from enfilade.identity.archive_trust import Trust
from enfilade.identity.scopes import system_scope
from enfilade.identity.tenant_imports import Imported, ImportOrder

PART = "command line"


async def first_key(data: str | None, name: str) -> str:
    """Make an owner's key for the platform. Raises what reaching the database raises."""
    async with _parts(data) as parts:
        secret = await make_first_key(parts, always=True, name=name)
    assert secret is not None
    return secret


async def write_archive(data: str | None, name: str, passphrase: str, target: IO[bytes]) -> None:
    """Write a tenant's archive. Raises what reaching the database raises, and what `TenantArchives.open` does."""
    scope = system_scope(PART)
    async with _parts(data) as parts:
        async with parts.storage.unit_of_work(scope, readonly=True) as unit:
            tenant = await parts.identity.tenants.get(unit, name)

        async def put(chunk: bytes) -> None:
            target.write(chunk)

        await parts.tenancy.archives.write(scope, tenant, passphrase, put)


async def read_archive(data: str | None, file: IO[bytes], passphrase: str, options: dict[str, str | None]) -> Imported:
    """Restore a tenant. Raises what reaching the database raises, and what `TenantImports.read` does."""
    given = {name: value for name, value in options.items() if value is not None}
    trust = Trust(given.get("trusted_key"), takes_unsigned="allow_unsigned" in given)
    order = ImportOrder(passphrase, given.get("name"), given.get("isolation"), given.get("cell"), trust)
    async with _parts(data) as parts:
        return await parts.tenancy.imports.read(system_scope(PART), file, order)


@asynccontextmanager
async def _parts(data: str | None) -> AsyncIterator[Parts]:
    settings = settings_with(data=data)
    async with database(settings, note) as address:
        parts = Parts(ingredients(settings, address, None))
        try:
            await bring_up(parts, migrates=False)
            yield parts
        finally:
            await shut(parts)
