"""Command lines on the machine of whoever signs in: answered there, with a code and PKCE (RFC 8252)."""

from html import escape
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from enfilade.api.admin.clients import client_facts
from enfilade.api.admin.pages import (
    browser_session,
    check_form,
    form_of,
    kept_by_nobody,
    page,
    see_other,
    sign_in_first,
)
from enfilade.api.admin.security import Context, Public
from enfilade.identity.sign_in.sessions import csrf_of
from enfilade.identity.sign_in.targets import checked_loopback

ROUTER = APIRouter(prefix="/cli", tags=["sign-in"])
Answering = Depends(Public("a browser without a session is sent to sign in"))
Waiting = Depends(Public("a command line shows the code that its owner's browser brought"))
Text = Annotated[str, Query(min_length=1, max_length=500)]


@ROUTER.get("", dependencies=[Answering])
async def ask(context: Context, request: Request, redirect_uri: Text, code_challenge: Text, state: Text) -> Response:
    """Ask whether the command line may act for whoever is signed in."""
    checked_loopback(redirect_uri)
    found = await browser_session(context, request)
    if found is None:
        return sign_in_first(request)
    principal, session, token = found
    fields = {"redirect_uri": redirect_uri, "code_challenge": code_challenge, "state": state, "csrf": csrf_of(token)}
    hidden = "".join(f"<input type=hidden name={name} value='{escape(value)}'>" for name, value in fields.items())
    return page(
        "Sign a command line in",
        f"<p>A command line on this computer asks to act as {escape(session.email)} of "
        f"{escape(principal.tenant.name)}.</p><p>Go on only if you started it yourself just now.</p>"
        f"<form method=post>{hidden}<button>Let it</button></form>",
        forms_to="'self' http://127.0.0.1:* http://[::1]:*",
    )


@ROUTER.post("", dependencies=[Answering])
async def answer(context: Context, request: Request) -> Response:
    """Send a code to the command line, by way of the browser."""
    found = await browser_session(context, request)
    if found is None:
        return sign_in_first(request)
    _, session, token = found
    form = await form_of(request)
    check_form(form, token)
    redirect_uri = checked_loopback(form.get("redirect_uri", ""))
    code = await context.sign_in.devices.grant_code(session, form.get("code_challenge", ""), redirect_uri)
    return see_other(f"{redirect_uri}?{urlencode({'code': code, 'state': form.get('state', '')})}")


@ROUTER.post("/token", dependencies=[Waiting])
async def redeem(context: Context, request: Request) -> Response:
    """The session of a command line, for the code."""
    form = await form_of(request)
    session = await context.sign_in.devices.redeem_code(
        form.get("code", ""),
        form.get("code_verifier", ""),
        form.get("redirect_uri", ""),
        client_facts(context, request.scope),
    )
    return kept_by_nobody(
        {"access_token": session.token, "token_type": "Bearer", "expires_at": session.expires_at.isoformat()}
    )
