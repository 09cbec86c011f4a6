"""The nouns of tokens."""

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

DEFAULT_ALGORITHMS = ("RS256", "ES256", "EdDSA")
MAX_GROUP = 255
"""The length of a group's name."""
DEFAULT_SCOPES = ("openid", "email", "profile")


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which claims say what. A dot leads into an object, e.g. `realm_access.roles`."""

    subject: str = "sub"
    email: str = "email"
    name: str = "name"
    groups: str = "groups"
    application: str | None = None


class IssuerSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored of an issuer beside its name and address."""

    audiences: tuple[str, ...] = ()
    """For whom access tokens must be made out; without one, none are accepted."""
    client_id: str | None = None
    """Who we are to the issuer when people sign in; without it, nobody can."""
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    required_claims: dict[str, str] = {}
    """What every token must say, e.g. whose tenant it is at an issuer that has several."""
    claims: Claims = Claims()
    roles: dict[str, tuple[str, ...]] = {}
    """The roles that a group gives."""
    applications: dict[str, str] = {}
    """Which application a value of the application claim stands for; what is not here stands for its own name."""
    create_users: bool = False
    """Whether people who are not known yet become users."""
    trust_email: bool = False
    """Whether an address counts as verified although the token does not say so."""
    email_domains: tuple[str, ...] = ()
    """Whose addresses are accepted; empty is every domain."""
    clock_skew_s: int = 30
    jwks_url: str | None = None
    """Where the keys are, where the issuer has no discovery document."""
    allow_private_network: bool = False


@dataclass(frozen=True, slots=True)
class IssuerSpec:
    """What an administrator says of an issuer."""

    name: str
    url: str
    settings: IssuerSettings = field(default_factory=IssuerSettings)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody who says for a tenant who people and programs are."""

    id: str
    tenant: str
    spec: IssuerSpec
    version: int
    created_at: datetime

    @property
    def name(self) -> str:
        """Its name in the tenant."""
        return self.spec.name

    @property
    def settings(self) -> IssuerSettings:
        """Everything but its name and address."""
        return self.spec.settings

    def roles_of(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        """The roles that the groups give now."""
        return tuple(sorted({role for group in groups for role in self.settings.roles.get(group, ())}))
