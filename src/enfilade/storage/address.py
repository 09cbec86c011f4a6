"""Where a database is, and how each of its roles signs in."""

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

from enfilade.storage.errors import StorageFault

APP, WRITER, OPERATOR = "app", "writer", "operator"
LOGIN_ROLES = (APP, WRITER, OPERATOR)
SOCKET_PORT = 5432
"""Part of the name of the embedded server's socket; no port is opened."""


@dataclass(frozen=True, slots=True)
class Address:
    """A PostgreSQL database and the owner's way in."""

    url: str = field(repr=False)
    """`postgresql://…` with the owner's name and password."""
    role_secret: str = field(repr=False)
    """What the other roles' passwords are derived from, so that every replica derives the same."""
    embedded: bool = False

    @property
    def database(self) -> str:
        """The database's name."""
        return unquote(urlsplit(self.url).path.lstrip("/")) or "postgres"

    def login(self, role: str) -> tuple[str, str]:
        """The user name and password of one of `LOGIN_ROLES` for this database."""
        user = f"{self.database}_{role}_login"
        password = hmac.new(self.role_secret.encode(), f"enfilade role {user}".encode(), hashlib.sha256)
        return user, password.hexdigest()

    def at(self, database: str) -> "Address":
        """The address of another database on the same server."""
        return replace(self, url=urlunsplit(urlsplit(self.url)._replace(path=f"/{quote(database)}")))

    def redacted(self) -> str:
        """The address without its password, for people and logs."""
        parts = urlsplit(self.url)
        host = parts.hostname or ",".join(parse_qs(parts.query).get("host", ["local socket"]))
        port = f":{parts.port}" if parts.port else ""
        return f"postgresql://{parts.username or ''}@{host}{port}/{self.database}"


def external_address(url: str, role_secret: str | None) -> Address:
    """The address of a server that somebody else runs.

    Raises StorageFault when the roles' passwords could not be derived from anything secret.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        message = "ENFILADE_DATABASE_URL must look like postgresql://user:password@host:port/database."
        raise StorageFault(message)
    secret = role_secret or unquote(parts.password or "")
    if not secret:
        message = (
            "ENFILADE_DATABASE_URL holds no password, so ENFILADE_DATABASE_ROLE_SECRET must be set: "
            "the passwords of Enfilade's own database roles are derived from it."
        )
        raise StorageFault(message)
    return Address(url, secret)


def socket_address(directory: str, user: str, password: str, database: str) -> Address:
    """The address of the embedded server, on its unix socket."""
    # Whatever is left out would be read from PGPORT, PGSSLMODE and the like, which are about other servers.
    place = f"host={quote(directory, safe='/')}&port={SOCKET_PORT}&sslmode=disable&target_session_attrs=any"
    url = f"postgresql://{quote(user)}:{quote(password)}@/{quote(database)}?{place}"
    return Address(url, password, embedded=True)
