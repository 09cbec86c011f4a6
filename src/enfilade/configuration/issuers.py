"""Between the document's part on issuers and the room's own form, in both directions."""

from typing import Any

import msgspec

from enfilade.configuration.errors import InvalidDocument
from enfilade.configuration.issuer_parts import IssuerBase, TokenIssuer
from enfilade.identity.tokens.types import Claims, Issuer, IssuerSettings, IssuerSpec


def issuer_spec(part: IssuerBase) -> IssuerSpec:
    """For the room."""
    fields: dict[str, Any] = part.model_dump(mode="python", exclude={"name", "url", "client_secret", "claims", "roles"})
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    settings = IssuerSettings(
        **fields,
        claims=Claims(**part.claims.model_dump()),
        roles={group: tuple(sorted(set(roles))) for group, roles in part.roles.items()},
    )
    return IssuerSpec(part.name, part.url, settings)


def client_secret_of(part: TokenIssuer) -> str | None:
    """The secret, if one is given. Raises InvalidDocument for one that is elsewhere."""
    secret = part.client_secret
    if secret is None:
        return None
    if secret.value is None:
        message = "the client secret of an issuer is read where the document is: send it as {value: …}"
        raise InvalidDocument(message, "client_secret")
    return secret.value


def token_issuer_fields(issuer: Issuer) -> dict[str, Any]:
    """In the document's words, without the secret."""
    settings = issuer.settings
    fields: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in msgspec.structs.asdict(settings).items()
    }
    fields["claims"] = msgspec.structs.asdict(settings.claims)
    fields["roles"] = {group: list(roles) for group, roles in settings.roles.items()}
    return {"name": issuer.name, "url": issuer.spec.url} | fields
