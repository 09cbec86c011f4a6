"""Command lines that wait for their owner (RFC 8628), and pages on which the owner answers."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from enfilade.api.admin.clients import client_facts
from enfilade.api.admin.pages import (
    browser_session,
    check_form,
    form_of,
    kept_by_nobody,
    own_url,
    page,
    sign_in_first,
)
from enfilade.api.admin.security import Context, Public
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.sign_in.sessions import csrf_of
from enfilade.identity.sign_in.types import IssuedSession

ROUTER = APIRouter(prefix="/device", tags=["sign-in"])
Waiting = Depends(Public("a command line that waits is nobody's yet"))
Answering = Depends(Public("a browser without a session is sent to sign in"))


@ROUTER.post("/code", dependencies=[Waiting])
async def begin(context: Context, request: Request) -> Response:
    """Give a command line a code to show, and one to ask with."""
    waiting = await context.sign_in.devices.begin(client_facts(context, request.scope))
    place = f"{own_url(context, request)}/auth/device"
    return kept_by_nobody(
        {
            "device_code": waiting.device_code,
            "user_code": waiting.user_code,
            "verification_uri": place,
            "verification_uri_complete": f"{place}?user_code={waiting.user_code}",
            "expires_in": waiting.expires_in,
            "interval": waiting.interval,
        }
    )


@ROUTER.post("/token", dependencies=[Waiting])
async def redeem(context: Context, request: Request) -> Response:
    """The session of a command line that was confirmed."""
    form = await form_of(request)
    session = await context.sign_in.devices.redeem(form.get("device_code", ""), client_facts(context, request.scope))
    return token_reply(session)


@ROUTER.post("/issuer/code", dependencies=[Waiting])
async def begin_at_issuer(context: Context, request: Request) -> Response:
    """Have an issuer wait that can."""
    form = await form_of(request)
    tenant = form.get("tenant", "")
    found = context.principals.tenant_named(tenant)
    identifier = PLATFORM_ID if tenant == "platform" else found.id if found else None
    relayed = await context.sign_in.relayed.begin(identifier, form.get("issuer") or None)
    return kept_by_nobody(
        {
            "device_code": relayed.handle,
            "user_code": relayed.user_code,
            "verification_uri": relayed.verification_uri,
            "verification_uri_complete": relayed.verification_uri_complete,
            "expires_in": relayed.expires_in,
            "interval": relayed.interval,
        }
    )


@ROUTER.post("/issuer/token", dependencies=[Waiting])
async def redeem_at_issuer(context: Context, request: Request) -> Response:
    """The session of a command line that an issuer confirmed."""
    form = await form_of(request)
    session = await context.sign_in.relayed.redeem(form.get("device_code", ""), client_facts(context, request.scope))
    return token_reply(session)


@ROUTER.get("", dependencies=[Answering])
async def ask(
    context: Context, request: Request, user_code: Annotated[str | None, Query(max_length=40)] = None
) -> Response:
    """Ask for the code, or whether the command line with it may act for whoever is signed in."""
    found = await browser_session(context, request)
    if found is None:
        return sign_in_first(request)
    principal, session, token = found
    if not user_code:
        return page(
            "Connect a command line",
            "<form method=get><label>The code that it shows<br><input name=user_code required autofocus maxlength=40>"
            "</label><button>Go on</button></form>",
        )
    try:
        claimed = await context.sign_in.devices.find(user_code, session)
    except EnfiladeError as error:
        return page("Not found", f"<p>{escape(error.message)}</p>", status=error.status)
    origin = escape(f"{claimed.client.user_agent or 'a program'} at {claimed.client.address or 'an unknown address'}")
    return page(
        "Connect a command line",
        f"<p>A command line with the code <b>{escape(user_code.upper())}</b> ({origin}) asks to act as "
        f"{escape(session.email)} of {escape(principal.tenant.name)}.</p>"
        "<p>Go on only if you started it yourself just now.</p>"
        f"<form method=post><input type=hidden name=csrf value={csrf_of(token)}>"
        f"<input type=hidden name=user_code value='{escape(user_code)}'>"
        "<button name=answer value=yes>Let it</button> <button name=answer value=no>Refuse</button></form>",
    )


@ROUTER.post("", dependencies=[Answering])
async def answer(context: Context, request: Request) -> Response:
    """Let a command line act for whoever is signed in, or refuse."""
    found = await browser_session(context, request)
    if found is None:
        return sign_in_first(request)
    _, session, token = found
    form = await form_of(request)
    check_form(form, token)
    approve = form.get("answer") == "yes"
    try:
        await context.sign_in.devices.answer(form.get("user_code", ""), session, approve=approve)
    except EnfiladeError as error:
        return page("Not found", f"<p>{escape(error.message)}</p>", status=error.status)
    said = "The command line is signed in." if approve else "The command line was refused."
    return page("Done", f"<p>{said} You may close this window.</p>")


def token_reply(session: IssuedSession) -> Response:
    """A session's token for a command line."""
    return kept_by_nobody(
        {"access_token": session.token, "token_type": "Bearer", "expires_at": session.expires_at.isoformat()}
    )
