"""Signing in with a password, and a second factor."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, SecretStr

from enfilade.api.admin.clients import client_facts
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.cookies import cookie
from enfilade.api.admin.factor_views import FactorName, TotpView, totp_view
from enfilade.api.admin.security import Context, Public
from enfilade.api.admin.sent import Sent
from enfilade.api.admin.views import View
from enfilade.core.errors import InvalidRequest
from enfilade.identity.accounts.types import Answer, IssuedChallenge, SignedIn

ROUTER = APIRouter(prefix="/local", tags=["sign-in"])
SignIn = Depends(Public("whoever signs in is not known yet"))
Text = Annotated[SecretStr, Field(min_length=1, max_length=300)]


class Entering(Sent):
    """What may end in a session."""

    token: Annotated[
        bool, Field(description="Answer with the session's token, as command lines need it, rather than a cookie.")
    ] = False


class PasswordBody(Entering):
    """An account and its password."""

    tenant: Annotated[
        str | None,
        Field(max_length=100, description="The tenant's name; without it, one of the platform's own people."),
    ] = None
    email: Annotated[str, Field(min_length=1, max_length=255)]
    password: Text


class LinkBody(Entering):
    """A link that an administrator handed over, and the password that is to be."""

    secret: Annotated[SecretStr, Field(max_length=200)]
    password: Text


class ChallengeBody(Sent):
    """What a sign-in goes on with."""

    challenge: Annotated[SecretStr, Field(max_length=200)]


class AnswerBody(ChallengeBody, Entering):
    """A second factor: one of the three."""

    code: Annotated[SecretStr | None, Field(max_length=20, description="The six digits that an app shows.")] = None
    recovery_code: Annotated[SecretStr | None, Field(max_length=40)] = None
    credential: Annotated[
        dict[str, Any] | None, Field(description="What `navigator.credentials.get` gave, as its `toJSON` has it.")
    ] = None


class TotpBody(ChallengeBody):
    """An app that is to be set up."""

    name: FactorName = "app"


class TotpConfirmation(ChallengeBody, Entering):
    """A code of the app."""

    factor: Annotated[str, Field(max_length=40, description="Its `id`.")]
    code: Annotated[SecretStr, Field(max_length=20)]


class KeyConfirmation(ChallengeBody, Entering):
    """A new security key."""

    name: FactorName = "security key"
    credential: Annotated[
        dict[str, Any], Field(description="What `navigator.credentials.create` gave, as its `toJSON` has it.")
    ]


class NewSession(View):
    """A session that has begun."""

    id: str
    token: Annotated[str | None, Field(description="Where it was asked for; otherwise it is in the cookie.")]
    csrf: Annotated[str, Field(description="What a browser sends as `x-csrf-token` with every change.")]
    expires_at: datetime


class ChallengeView(View):
    """What is asked for before there is a session."""

    challenge: Annotated[str, Field(description="Send it along with the answer.")]
    purpose: Annotated[str, Field(description="`second_factor`: show one. `enrolment`: set one up first.")]
    methods: Annotated[list[str], Field(description="Which there are, the safest first.")]
    expires_at: datetime
    webauthn: Annotated[dict[str, Any] | None, Field(description="For `navigator.credentials.get`.")]


class Entered(View):
    """A session, or what is asked for before there is one."""

    session: NewSession | None = None
    challenge: ChallengeView | None = None
    recovery_codes: Annotated[
        list[str],
        Field(
            default_factory=list,
            description="To be kept: each stands in for a second factor once. They are shown this once.",
        ),
    ]


class RegistrationView(View):
    """What a browser makes a security key's credential from."""

    webauthn: Annotated[dict[str, Any], Field(description="For `navigator.credentials.create`.")]


@ROUTER.post("/sign-in", dependencies=[SignIn])
async def sign_in(context: Context, request: Request, body: PasswordBody, response: Response) -> Entered:
    """Sign in with a password.

    The answer is a session, or a challenge that a second factor answers. What is wrong is not said.
    """
    client = client_facts(context, request.scope)
    password = body.password.get_secret_value()
    result = await context.accounts.sign_in.with_password(body.tenant, body.email, password, client)
    return _entered(context, request, response, result, body)


@ROUTER.post("/second-factor", dependencies=[SignIn])
async def second_factor(context: Context, request: Request, body: AnswerBody, response: Response) -> Entered:
    """Show a second factor, and come in."""
    if sum(given is not None for given in (body.code, body.recovery_code, body.credential)) != 1:
        message = "Show one of `code`, `recovery_code` and `credential`."
        raise InvalidRequest(message, param="code")
    answer = Answer(_text(body.code), _text(body.recovery_code), body.credential)
    client = client_facts(context, request.scope)
    result = await context.accounts.sign_in.answer(body.challenge.get_secret_value(), answer, client)
    return _entered(context, request, response, result, body)


@ROUTER.post("/password", dependencies=[SignIn])
async def take_link(context: Context, request: Request, body: LinkBody, response: Response) -> Entered:
    """Set a password by a link that an administrator handed over, and come in."""
    result = await context.accounts.credentials.take_link(
        body.secret.get_secret_value(), body.password.get_secret_value(), client_facts(context, request.scope)
    )
    return _entered(context, request, response, result, body)


@ROUTER.post("/enrolment/totp", dependencies=[SignIn])
async def begin_totp(context: Context, body: TotpBody) -> TotpView:
    """Set up an app that shows codes, because a second factor is demanded."""
    new = await context.accounts.sign_in.begin_totp(body.challenge.get_secret_value(), body.name)
    return totp_view(new)


@ROUTER.post("/enrolment/totp/confirm", dependencies=[SignIn])
async def confirm_totp(context: Context, request: Request, body: TotpConfirmation, response: Response) -> Entered:
    """Show that the app works, and come in."""
    result = await context.accounts.sign_in.finish_totp(
        body.challenge.get_secret_value(),
        body.factor,
        body.code.get_secret_value(),
        client_facts(context, request.scope),
    )
    return _entered(context, request, response, result, body)


@ROUTER.post("/enrolment/webauthn", dependencies=[SignIn])
async def begin_webauthn(context: Context, body: ChallengeBody) -> RegistrationView:
    """Set up a security key, because a second factor is demanded."""
    options = await context.accounts.sign_in.begin_webauthn(body.challenge.get_secret_value())
    return RegistrationView(webauthn=options)


@ROUTER.post("/enrolment/webauthn/confirm", dependencies=[SignIn])
async def confirm_webauthn(context: Context, request: Request, body: KeyConfirmation, response: Response) -> Entered:
    """Show that the security key works, and come in."""
    result = await context.accounts.sign_in.finish_webauthn(
        body.challenge.get_secret_value(), body.name, body.credential, client_facts(context, request.scope)
    )
    return _entered(context, request, response, result, body)


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _entered(
    context: AdminContext, request: Request, response: Response, result: SignedIn | IssuedChallenge, body: Entering
) -> Entered:
    response.headers["cache-control"] = "no-store"
    if isinstance(result, IssuedChallenge):
        return Entered(
            challenge=ChallengeView(
                challenge=result.secret,
                purpose=result.purpose,
                methods=list(result.methods),
                expires_at=result.expires_at,
                webauthn=result.webauthn,
            ),
            recovery_codes=[],
        )
    issued = result.session
    if not body.token:
        life = int(context.sessions.rules.life_s)
        response.headers["set-cookie"] = cookie(request.scope, issued.token, life)
    session = NewSession(
        id=issued.id, token=issued.token if body.token else None, csrf=issued.csrf, expires_at=issued.expires_at
    )
    return Entered(session=session, recovery_codes=list(result.recovery_codes))
