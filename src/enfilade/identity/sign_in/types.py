"""The nouns of signing in."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """From where somebody signed in, for the list of their sessions."""

    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in. The token is not here: only its digest is stored."""

    id: str
    tenant: str
    user_id: str
    email: str
    issuer: str | None
    """The id of the issuer that vouched for them; None for a local account."""
    methods: tuple[str, ...]
    """How they proved who they are, e.g. `oidc`, `password`, `totp`."""
    groups: tuple[str, ...]
    """The groups that the issuer named. What they mean is looked up at each request."""
    client: ClientFacts
    created_at: datetime
    used_at: datetime
    """To about a minute."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A new session with its secrets, which nobody can read again."""

    id: str
    token: str = field(repr=False)
    csrf: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long sessions last, and how many somebody may have."""

    idle_s: float = 8 * 3600
    life_s: float = 7 * 86_400
    most_per_user: int = 20
