"""The nouns of local accounts."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from enfilade.identity.sign_in.types import IssuedSession

NEVER, ADMINISTRATORS, EVERYONE = "never", "administrators", "everyone"
REQUIREMENTS = (NEVER, ADMINISTRATORS, EVERYONE)
"""From the mildest to the strictest."""

TOTP, WEBAUTHN, RECOVERY_CODE = "totp", "webauthn", "recovery_code"
SECOND_FACTORS = frozenset({TOTP, WEBAUTHN, RECOVERY_CODE})
SECOND_FACTOR, ENROLMENT, REGISTRATION = "second_factor", "enrolment", "registration"


@dataclass(frozen=True, slots=True)
class AccountRules:
    """What is demanded of whoever signs in with a local account."""

    require_second_factor: str = NEVER
    local_accounts: bool = True
    """Whether there are any; without them, people come by an issuer only."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor. Its secret is not here."""

    id: str
    kind: str
    name: str
    created_at: datetime
    confirmed_at: datetime | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewTotp:
    """A shared secret for codes, to be shown once and confirmed by a code."""

    id: str
    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Added:
    """A factor that was confirmed, with recovery codes when it is the first one."""

    factor: Factor
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """The right to set a password once."""

    secret: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedChallenge:
    """What a sign-in is continued with."""

    secret: str = field(repr=False)
    purpose: str
    methods: tuple[str, ...]
    expires_at: datetime
    webauthn: dict[str, Any] | None = None
    """What a browser hands to an authenticator."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge that is being answered."""

    id: str
    tenant: str
    user_id: str
    email: str
    purpose: str
    nonce: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is shown as a second factor: one of the three."""

    code: str | None = field(default=None, repr=False)
    recovery_code: str | None = field(default=None, repr=False)
    credential: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody came in; with recovery codes when they set up their first second factor on the way."""

    session: IssuedSession
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)
