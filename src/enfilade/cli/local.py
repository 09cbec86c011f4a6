"""What the command line does to a database directly, without a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.process import bring_up, shut
from enfilade.bootstrap.up import database, ingredients, make_first_key
from enfilade.cli.output import note
from enfilade.cli.starting import settings_with
from enfilade.identity.types import Tenant
from enfilade.storage.moving.archive import Manifest


async def first_key(data: str | None, name: str) -> str:
    """Make an owner's key for the platform. Raises what reaching the database raises."""
    settings = settings_with(data=data)
    async with database(settings, note) as address:
        parts = Parts(ingredients(settings, address, None))
        try:
            await bring_up(parts, migrates=False)
            secret = await make_first_key(parts, always=True, name=name)
        finally:
            await shut(parts)
    assert secret is not None
    return secret


async def write_archive(data: str | None, name: str, passphrase: str, target: BinaryIO) -> Manifest:
    """Write a tenant's archive. Raises what reaching the database raises, and what `TenantArchives.write` does."""
    async with _parts(data) as parts:
        return await parts.tenancy.archives(parts.sealing.parts).write(name, passphrase, target)


async def read_archive(
    data: str | None, path: Path, passphrase: str, name: str | None, isolation: str | None
) -> Tenant:
    """Restore a tenant. Raises what reaching the database raises, and what `TenantArchives.read` does."""
    async with _parts(data) as parts:
        archives = parts.tenancy.archives(parts.sealing.parts)
        return await archives.read(path, passphrase, name=name, isolation=isolation)


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
