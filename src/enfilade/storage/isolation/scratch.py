"""A database that is there for a moment."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from enfilade.storage.address import LOGIN_ROLES, Address
from enfilade.storage.database import Database
from enfilade.storage.errors import StorageFault

NAME = "enfilade_trial_"


@asynccontextmanager
async def scratch_database(address: Address) -> AsyncIterator[Address]:
    """An empty database on the same server; it goes with its sign-in roles when the block ends.

    Raises StorageFault when the owner may not make one.
    """
    name = NAME + secrets.token_hex(6)
    own = address.at(name)
    async with Database(address).owner() as owner:
        try:
            await owner.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        except asyncpg.InsufficientPrivilegeError as error:
            message = "The database user may not make databases: grant it CREATEDB, or leave the routes out."
            raise StorageFault(message) from error
    try:
        yield own
    finally:
        async with Database(address).owner() as owner:
            await owner.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            for role in LOGIN_ROLES:
                await owner.execute(f'DROP ROLE IF EXISTS "{own.login(role)[0]}"')
