"""Oneself: who one is, what one may do, and what one signs in with."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, SecretStr

from enfilade.api.admin.clients import client_facts
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.factor_views import FactorName, FactorView, TotpView, factor_view, totp_view
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.sent import Sent
from enfilade.api.admin.views import View
from enfilade.core.clock import to_datetime
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.accounts.challenges import PREFIX, no_challenge, tenant_in
from enfilade.identity.accounts.errors import FreshSignInNeeded, SessionNeeded
from enfilade.identity.accounts.types import REGISTRATION, WEBAUTHN, Added
from enfilade.identity.sign_in.sessions import PASSED_ON
from enfilade.identity.types import User

FRESH = timedelta(minutes=15)

ROUTER = APIRouter(prefix="/me", tags=["people"])
Anybody = Annotated[Actor, Depends(Needs(None))]


class Part(View):
    """Rights in a part of the tenant."""

    kind: str
    id: str
    permissions: list[str]


class Me(View):
    """Who asks."""

    tenant: str
    actor: Annotated[str, Field(description="As events name them: `user:ID` or `key:ID`.")]
    email: str | None
    display_name: str | None
    roles: list[str]
    permissions: list[str]
    parts: Annotated[list[Part], Field(description="Rights in departments and applications besides.")]
    session: Annotated[str | None, Field(description="The session that this request came by.")]
    second_factors: list[FactorView]
    recovery_codes_left: int
    second_factor_required: bool


class PasswordChange(Sent):
    """The password from now on, and the one until now."""

    current: Annotated[SecretStr, Field(min_length=1, max_length=300)]
    new: Annotated[SecretStr, Field(min_length=1, max_length=300)]


class NewApp(Sent):
    """An app that shows codes."""

    name: FactorName = "app"


class Code(Sent):
    """A code that an app shows."""

    code: Annotated[SecretStr, Field(max_length=20)]


class RegistrationOptions(View):
    """What a browser makes a security key's credential from."""

    challenge: Annotated[str, Field(description="Send it along with the credential.")]
    webauthn: Annotated[dict[str, Any], Field(description="For `navigator.credentials.create`.")]


class NewKey(Sent):
    """A new security key."""

    challenge: Annotated[SecretStr, Field(max_length=200)]
    name: FactorName = "security key"
    credential: Annotated[
        dict[str, Any], Field(description="What `navigator.credentials.create` gave, as its `toJSON` has it.")
    ]


class AddedView(View):
    """A second factor that counts from now on."""

    factor: FactorView
    recovery_codes: Annotated[list[str], Field(description="With the first factor: to be kept, and shown this once.")]


class Codes(View):
    """Recovery codes. They are shown this once."""

    recovery_codes: list[str]


@ROUTER.get("")
async def read(context: Context, actor: Anybody) -> Me:
    """Show who one is, and what one may do."""
    scope = actor.principal.scope
    user = context.principals.person(scope.tenant, scope.user) if scope.user else None
    factors, left = [], 0
    if user is not None:
        async with context.storage.unit_of_work(scope, readonly=True) as unit:
            factors = await context.accounts.factors.of(unit, user.id)
            left = await context.accounts.factors.codes_left(unit, user.id)
    return Me(
        tenant=actor.principal.tenant.name,
        actor=scope.actor,
        email=user.spec.email if user else None,
        display_name=user.spec.display_name if user else None,
        roles=sorted(scope.roles),
        permissions=sorted(scope.permissions),
        parts=[Part(kind=p.kind, id=p.id, permissions=sorted(p.permissions)) for p in scope.confined],
        session=actor.session.id if actor.session else None,
        second_factors=[factor_view(factor) for factor in factors],
        recovery_codes_left=left,
        second_factor_required=user is not None and context.accounts.rules.demands_second_factor(scope),
    )


@ROUTER.put("/password", status_code=204)
async def change_password(context: Context, request: Request, actor: Anybody, body: PasswordChange) -> None:
    """Change one's password. All other sessions end."""
    user = _person(context, actor)
    await context.accounts.credentials.change_password(
        actor.principal.scope,
        user,
        body.current.get_secret_value(),
        body.new.get_secret_value(),
        client_facts(context, request.scope),
        _session(actor),
    )


@ROUTER.get("/second-factors")
async def factors(context: Context, actor: Anybody) -> list[FactorView]:
    """List one's second factors."""
    user = _person(context, actor)
    async with context.storage.unit_of_work(actor.principal.scope, readonly=True) as unit:
        return [factor_view(factor) for factor in await context.accounts.factors.of(unit, user.id)]


@ROUTER.post("/second-factors/totp", status_code=201)
async def begin_totp(context: Context, actor: Anybody, body: NewApp, response: Response) -> TotpView:
    """Set up an app that shows codes. It counts once a code of it was shown."""
    user = _fresh(context, actor)
    tenant = "" if user.tenant == PLATFORM_ID else actor.principal.tenant.name
    async with context.storage.unit_of_work(actor.principal.scope) as unit:
        new = await context.accounts.factors.begin_totp(unit, user, body.name, tenant)
    response.headers["cache-control"] = "no-store"
    return totp_view(new)


@ROUTER.post("/second-factors/totp/{id}/confirm")
async def confirm_totp(context: Context, id: str, actor: Anybody, body: Code) -> AddedView:  # noqa: A002 - in the path
    """Show that the app works."""
    user = _fresh(context, actor)
    async with context.storage.unit_of_work(actor.principal.scope) as unit:
        added = await context.accounts.factors.confirm_totp(unit, user.id, id, body.code.get_secret_value())
    return _added(added)


@ROUTER.post("/second-factors/webauthn", status_code=201)
async def begin_webauthn(context: Context, actor: Anybody) -> RegistrationOptions:
    """Set up a security key. It counts once it was confirmed."""
    user = _fresh(context, actor)
    async with context.storage.unit_of_work(actor.principal.scope) as unit:
        issued, nonce = await context.accounts.challenges.issue(unit, user.id, REGISTRATION, (WEBAUTHN,))
        options = await context.accounts.factors.registration_options(unit, user, nonce)
    return RegistrationOptions(challenge=issued.secret, webauthn=options)


@ROUTER.post("/second-factors/webauthn/confirm")
async def confirm_webauthn(context: Context, actor: Anybody, body: NewKey) -> AddedView:
    """Show that the security key works."""
    user = _fresh(context, actor)
    secret = body.challenge.get_secret_value()
    if tenant_in(secret, PREFIX) != user.tenant:
        raise no_challenge()
    async with context.storage.unit_of_work(actor.principal.scope) as unit:
        challenge = await context.accounts.challenges.attempt(unit, secret, REGISTRATION)
        if challenge.user_id != user.id:
            raise no_challenge()
        await context.accounts.challenges.take(unit, challenge)
        added = await context.accounts.factors.add_webauthn(unit, user.id, body.name, challenge.nonce, body.credential)
    return _added(added)


@ROUTER.delete("/second-factors/{id}", status_code=204)
async def remove_factor(context: Context, id: str, actor: Anybody) -> None:  # noqa: A002 - in the path
    """Remove a second factor."""
    user = _fresh(context, actor)
    async with context.storage.unit_of_work(actor.principal.scope) as unit:
        await context.accounts.credentials.remove_factor(unit, user, id)


@ROUTER.post("/recovery-codes")
async def new_codes(context: Context, actor: Anybody, response: Response) -> Codes:
    """Make ten recovery codes; those from before are void."""
    user = _fresh(context, actor)
    async with context.storage.unit_of_work(actor.principal.scope) as unit:
        codes = await context.accounts.factors.new_codes(unit, user.id)
    response.headers["cache-control"] = "no-store"
    return Codes(recovery_codes=list(codes))


def _person(context: AdminContext, actor: Actor) -> User:
    scope = actor.principal.scope
    user = context.principals.person(scope.tenant, scope.user) if scope.user else None
    if user is None or actor.session is None:
        message = "This concerns a person's own account, and needs a session of theirs."
        raise SessionNeeded(message)
    return user


def _session(actor: Actor) -> str:
    return actor.session.id if actor.session else ""


def _fresh(context: AdminContext, actor: Actor) -> User:
    user = _person(context, actor)
    now = to_datetime(context.clock.now_ns())
    session = actor.session
    if session is None or PASSED_ON in session.methods or now - session.created_at > FRESH:
        message = "This session began too long ago to change what decides who may sign in."
        raise FreshSignInNeeded(message)
    return user


def _added(added: Added) -> AddedView:
    return AddedView(factor=factor_view(added.factor), recovery_codes=list(added.recovery_codes))
