"""The database's roles: who may do what, whatever the program's code says.

    owner     whoever owns the schema: migrations, partitions, sealed secrets. No request is served as the owner.
    app       the request path: its transaction's tenant, nothing else, no secrets.
    writer    the settlement batch: may call `settle` and read nothing.
    operator  the platform's administrators and the directory: reads all tenants, writes like `app`.
    settler   owns the functions that append facts; nobody can sign in as it.

The group roles are the cluster's, so their names are fixed; each database has sign-in roles of its own.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import asyncpg

from enfilade.storage.address import LOGIN_ROLES, OPERATOR, Address
from enfilade.storage.errors import StorageFault

GROUPS = ("enfilade_app", "enfilade_writer", "enfilade_operator", "enfilade_settler")
SETTLER = "enfilade_settler"
ITERATIONS = 4096

FIND_ROLES = "SELECT rolname FROM pg_roles WHERE rolname = ANY($1)"
FIND_VERIFIER_RIGHT = "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"
IS_MEMBER = "SELECT pg_has_role(current_user, $1, $2)"


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """A SCRAM-SHA-256 verifier (RFC 5803), so that no password travels in a statement or reaches a server log."""
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    salt_text, stored_text, server_text = parts
    return f"SCRAM-SHA-256${ITERATIONS}:{salt_text}${stored_text}:{server_text}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


async def ensure_roles(connection: asyncpg.Connection, address: Address) -> None:
    """Make the roles that are missing, and give each sign-in role the password that replicas derive.

    Call it inside a transaction that holds the migration lock. Raises StorageFault when the owner may not make
    roles and some are missing.
    """
    logins = {role: address.login(role) for role in LOGIN_ROLES}
    wanted = {*GROUPS, *(user for user, _ in logins.values())}
    present = {row["rolname"] for row in await connection.fetch(FIND_ROLES, list(wanted))}
    if not await connection.fetchval(FIND_VERIFIER_RIGHT):
        if missing := sorted(wanted - present):
            message = (
                f"The database user may not make roles, and these are missing: {', '.join(missing)}. "
                "Grant it CREATEROLE, or have an administrator run what `enfilade migrate --roles-sql` prints."
            )
            raise StorageFault(message)
        return
    try:
        for statement in role_statements(address, present):
            await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        message = (
            f"The database user may not administer Enfilade's roles, which somebody else made on this server: {error}. "
            f"Have an administrator run: GRANT {', '.join(sorted(wanted & present))} TO CURRENT_USER WITH ADMIN OPTION, "
            "with the user's name in place of CURRENT_USER."
        )
        raise StorageFault(message) from error


def role_statements(address: Address, present: set[str] | frozenset[str] = frozenset()) -> list[str]:
    """The SQL that makes the roles, leaving out those already `present`, whose passwords are set anew."""
    statements = [
        f"CREATE ROLE {group} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB"
        for group in GROUPS
        if group not in present
    ]
    statements.append("GRANT enfilade_app TO enfilade_operator")
    for role in LOGIN_ROLES:
        user, password = address.login(role)
        if user in present:
            # Only a superuser may so much as name the other attributes in an ALTER.
            statements.append(f"ALTER ROLE {_quoted(user)} LOGIN PASSWORD '{scram_verifier(password)}'")
        else:
            statements.append(
                f"CREATE ROLE {_quoted(user)} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB "
                f"PASSWORD '{scram_verifier(password)}'"
            )
        statements.append(f"GRANT enfilade_{role} TO {_quoted(user)}")
        statements.append(f"GRANT CONNECT ON DATABASE {_quoted(address.database)} TO {_quoted(user)}")
        # A tenant's statement must not run for ever; reports by operators may take longer.
        timeout = "120s" if role == OPERATOR else "30s"
        statements.append(f"ALTER ROLE {_quoted(user)} SET statement_timeout = '{timeout}'")
    return statements


def administrator_statements(address: Address, present: set[str] | frozenset[str] = frozenset()) -> list[str]:
    """The SQL for an administrator to run where the owner may not make roles: they are made, and it may migrate."""
    owner = unquote(urlsplit(address.url).username or "")
    # As PostgreSQL 16 does for whoever makes a role: to administer it, which is not to act as it.
    grants = {"<": "WITH ADMIN OPTION", ">=": "WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"}
    branches = [
        f"IF current_setting('server_version_num')::int {when} 160000 THEN "
        f"EXECUTE $grant$GRANT {SETTLER} TO {_quoted(owner)} {how}$grant$; END IF;"
        for when, how in grants.items()
    ]
    return [*role_statements(address, present), f"DO $$ BEGIN {' '.join(branches)} END $$"]


@asynccontextmanager
async def acting_for_settler(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Within a transaction: the owner may do what `settler` may, until the block ends.

    The membership begins and ends in the transaction. Hence nobody else ever sees it, and whoever dies leaves none:
    what `settler` may do, the owner should not do by inheritance. Others that begin one wait for the transaction's end.
    """
    # Since PostgreSQL 16 the maker of a role is a member that may administer it, which is not to act as it.
    kind = "SET" if connection.get_server_version().major >= 16 else "MEMBER"
    if await connection.fetchval(IS_MEMBER, SETTLER, kind):
        yield
        return
    await connection.execute(f"GRANT {SETTLER} TO CURRENT_USER")
    yield
    await connection.execute(f"REVOKE {SETTLER} FROM CURRENT_USER")
