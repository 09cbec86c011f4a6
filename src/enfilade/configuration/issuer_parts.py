"""The document's parts about issuers: who says who people and programs are."""

from typing import Annotated

from pydantic import BaseModel, Field

from enfilade.configuration.part import StrictPart
from enfilade.configuration.secret_part import Secret
from enfilade.configuration.values import Label

Claim = Annotated[str, Field(min_length=1, max_length=200)]
Url = Annotated[str, Field(min_length=8, max_length=500)]
Texts = Annotated[list[Label], Field(max_length=100)]


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class Claims(Part):
    """Which claims say what; a dot leads into an object, e.g. `realm_access.roles`."""

    subject: Claim = "sub"
    """Who it is, for ever."""
    email: Claim = "email"
    """The address."""
    name: Claim = "name"
    """What people call them."""
    groups: Claim = "groups"
    """Their groups."""
    application: Claim | None = None
    """Which program calls; a token with this claim stands for an application."""


class IssuerBase(Part):
    """Somebody who signs tokens: an OpenID provider, an authorization server."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    """The issuer's name here."""
    url: Url
    """What tokens say in `iss`, and where the discovery document is."""
    audiences: Texts = []
    """For whom access tokens are made out; without one, none are accepted."""
    client_id: Label | None = None
    """Who we are to the issuer; without it, nobody can sign in by it."""
    scopes: Texts = ["openid", "email", "profile"]
    """What is asked for at sign-in."""
    algorithms: Annotated[list[str], Field(max_length=20)] = ["RS256", "ES256", "EdDSA"]
    """How it signs: RS, PS or ES with a number, EdDSA."""
    required_claims: Annotated[dict[Claim, Label], Field(max_length=20)] = {}
    """What every token must say, e.g. Entra's `tid`."""
    claims: Claims = Claims()
    """Which claims say what."""
    roles: Annotated[dict[Label, list[str]], Field(max_length=1000)] = {}
    """The roles that a group of the issuer's gives."""
    applications: Annotated[dict[Label, Label], Field(max_length=1000)] = {}
    """Which application a value of the application claim stands for; what is not here stands for its own name."""
    create_users: bool = False
    """Whether people who are not known yet become users."""
    trust_email: bool = False
    """Whether an address counts as verified although the token does not say so."""
    email_domains: Texts = []
    """Whose addresses are accepted; empty is every domain."""
    clock_skew_s: Annotated[int, Field(ge=0, le=120)] = 30
    """How far the issuer's clock may be off."""
    jwks_url: Url | None = None
    """Where the keys are, where there is no discovery document."""
    allow_private_network: bool = False
    """Whether it may be at a private address, and be asked over http."""


class TokenIssuer(IssuerBase):
    """Somebody who signs tokens, with the secret by which they know us."""

    client_secret: Secret | None = None
    """By which the issuer knows us."""
