"""Issuers: who says who people and programs are."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, View, expected_version, page_of, tag
from enfilade.configuration.issuer_parts import IssuerBase, TokenIssuer
from enfilade.configuration.issuers import client_secret_of, issuer_spec, token_issuer_fields
from enfilade.core.errors import EnfiladeError, InvalidRequest
from enfilade.identity.errors import AlreadyExists, RightsExceeded
from enfilade.identity.permissions import ISSUERS_READ, ISSUERS_WRITE
from enfilade.identity.tokens.types import Issuer


class IssuerView(IssuerBase):
    """An issuer without its secret, which nobody can read again."""

    id: str
    tenant: str
    version: int
    has_client_secret: Annotated[bool, Field(description="Whether there is a secret by which the issuer knows us.")]


class Finding(View):
    """How an issuer answers."""

    reachable: bool
    fault: Annotated[str | None, Field(description="What is wrong; null when nothing is.")]
    keys: Annotated[int, Field(description="How many of its keys can be used.")]
    can_sign_in: bool
    can_sign_out: bool
    has_device_flow: bool


ROUTER = APIRouter(prefix="/issuers", tags=["people"])
Reader = Annotated[Actor, Depends(Needs(ISSUERS_READ))]
# The platform's own people have issuers too: no tenant has to be named.
Writer = Annotated[Actor, Depends(Needs(ISSUERS_WRITE))]


def show(context: AdminContext, issuer: Issuer) -> IssuerView:
    """As it is shown."""
    tenant = context.principals.tenant(issuer.tenant)
    return IssuerView(
        **token_issuer_fields(issuer),
        id=issuer.id,
        tenant=tenant.name if tenant else issuer.tenant,
        version=issuer.version,
        has_client_secret=context.sign_in.book.sealed_secret(issuer) is not None,
    )


def _require_public(actor: Actor, body: TokenIssuer, present: Issuer | None = None) -> None:
    """Refuse a tenant's own people an issuer in a private network: it is the platform's, into which it would lead.

    What the platform declared they may change in all but where it is. Raises RightsExceeded.
    """
    if not body.allow_private_network or actor.principal.scope.is_platform:
        return
    places = (
        [present.spec.url, present.settings.jwks_url] if present and present.settings.allow_private_network else None
    )
    if places != [body.url, body.jwks_url]:
        message = "Only the platform's people let an issuer be asked in a private network, which is theirs."
        raise RightsExceeded(message, param="allow_private_network")


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[IssuerView]:
    """List issuers."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.sign_in.issuers.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda issuer: show(context, issuer),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: TokenIssuer, actor: Writer, response: Response) -> IssuerView:
    """Declare an issuer. One in a private network is the platform's to declare."""
    _require_public(actor, body)
    async with context.storage.unit_of_work(actor.scope) as unit:
        if await context.sign_in.issuers.find(unit, body.name) is not None:
            message = f"There is an issuer {body.name!r} already."
            raise AlreadyExists(message)
        issuer, _ = await context.sign_in.issuers.put(unit, issuer_spec(body), client_secret_of(body))
    await context.directory.refresh()
    tag(response, issuer.version)
    return show(context, issuer)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: Reader, response: Response) -> IssuerView:
    """Show an issuer."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        issuer = await context.sign_in.issuers.get(unit, name)
    tag(response, issuer.version)
    return show(context, issuer)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: TokenIssuer, actor: Writer, response: Response, if_match: IfMatch = None
) -> IssuerView:
    """Change an issuer; its client secret stays unless one is given."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.sign_in.issuers.get(unit, name)
        if body.name != present.name:
            message = "An issuer cannot be renamed."
            raise InvalidRequest(message, param="name")
        _require_public(actor, body, present)
        issuer, _ = await context.sign_in.issuers.put(
            unit, issuer_spec(body), client_secret_of(body), expected_version(if_match)
        )
    await context.directory.refresh()
    tag(response, issuer.version)
    return show(context, issuer)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove an issuer: its tokens are refused, and the sessions that it vouched for end."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.sign_in.issuers.remove(unit, name, expected_version(if_match))


@ROUTER.post("/{name}/test")
async def test(context: Context, name: str, actor: Writer) -> Finding:
    """Ask an issuer for its documents now, and tell what is wrong with them."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        issuer = await context.sign_in.issuers.get(unit, name)
    published = context.sign_in.book.unhurried(issuer)
    fault, keys, metadata = None, 0, None
    try:
        metadata = (
            None if issuer.settings.jwks_url and not issuer.settings.client_id else await published.metadata.get()
        )
        keys = len(await published.keys.get())
        if keys == 0:
            fault = "None of the issuer's keys can be used."
    except EnfiladeError as error:
        fault = error.message
    return Finding(
        reachable=fault is None,
        fault=fault,
        keys=keys,
        can_sign_in=bool(metadata and metadata.authorization_endpoint and issuer.settings.client_id),
        can_sign_out=bool(metadata and metadata.end_session_endpoint),
        has_device_flow=bool(metadata and metadata.device_authorization_endpoint),
    )
