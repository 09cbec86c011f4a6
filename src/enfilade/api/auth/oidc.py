"""Signing in by an issuer: to it, and back."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from enfilade.api.admin.clients import client_facts
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.cookies import cookie, read_cookie
from enfilade.api.admin.pages import (
    browser_session,
    check_form,
    form_of,
    kept_by_nobody,
    own_url,
    page,
    see_other,
)
from enfilade.api.admin.problems import error_reply
from enfilade.api.admin.security import Context, Public
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.sign_in.oidc import LIFE_S, Return
from enfilade.identity.sign_in.sessions import csrf_of
from enfilade.identity.sign_in.targets import checked_target

ROUTER = APIRouter(tags=["sign-in"])
Entering = Depends(Public("whoever signs in is not known yet"))
BROWSER = "enfilade_sign_in"
PLATFORM = "platform"
"""By this name the platform's own people find their issuers."""
Text = Annotated[str | None, Query(max_length=500)]
Next = Annotated[str | None, Query(alias="next", max_length=500)]
Long = Annotated[str | None, Query(max_length=4000)]


@ROUTER.get("/sign-in", dependencies=[Entering])
async def choose(tenant: Text = None, issuer: Text = None, target: Next = None) -> Response:
    """Ask who is to vouch."""
    target = checked_target(target or "/auth/signed-in")
    field = "<label>{0}<br><input name={1} value='{2}' maxlength=100 {3}></label>"
    return page(
        "Sign in",
        "<form method=get action=/auth/oidc/start>"
        + field.format("Organisation", "tenant", escape(tenant or ""), "required autofocus")
        + field.format("Sign-in service, if there are several", "issuer", escape(issuer or ""), "")
        + f"<input type=hidden name=next value='{escape(target)}'><button>Go on</button></form>",
        # The form leads to the issuer, wherever that is.
        forms_to="'self' https: http:",
    )


@ROUTER.get("/oidc/start", dependencies=[Entering])
async def start(
    context: Context, request: Request, tenant: Text = None, issuer: Text = None, target: Next = None
) -> Response:
    """Send a browser to an issuer; without its name, to the only one."""
    return await _depart(context, request, tenant or "", issuer or None, target)


@ROUTER.get("/oidc/{tenant}/{issuer}/start", dependencies=[Entering])
async def start_at(context: Context, request: Request, tenant: str, issuer: str, target: Next = None) -> Response:
    """Send a browser to an issuer."""
    return await _depart(context, request, tenant, issuer, target)


@ROUTER.get("/oidc/callback", dependencies=[Entering])
async def callback(
    context: Context, request: Request, state: Long = None, code: Long = None, iss: Long = None, error: Long = None
) -> Response:
    """Take in whoever comes back from an issuer."""
    browser = read_cookie(request.scope, BROWSER)
    former = read_cookie(request.scope)
    try:
        arrival = await context.sign_in.oidc.finish(
            Return(state, code, iss, error, browser),
            client_facts(context, request.scope),
            former.encode("latin-1") if former else None,
        )
    except EnfiladeError as refusal:
        reply: Response = _refused(refusal)
    else:
        reply = see_other(arrival.target)
        life = int(context.sessions.rules.life_s)
        reply.headers.append("set-cookie", cookie(request.scope, arrival.session.token, life))
    reply.headers.append("set-cookie", cookie(request.scope, "", 0, BROWSER))
    return reply


@ROUTER.get("/signed-in", dependencies=[Entering])
async def signed_in(context: Context, request: Request) -> Response:
    """Say that it worked."""
    found = await browser_session(context, request)
    if found is None:
        return page("Not signed in", "<p><a href=/auth/sign-in>Sign in</a></p>", status=401)
    principal, session, token = found
    return page(
        "Signed in",
        f"<p>You are signed in as {escape(session.email)} of {escape(principal.tenant.name)}. "
        "You may close this window.</p>"
        f"<form method=post action=/auth/sign-out><input type=hidden name=csrf value={csrf_of(token)}>"
        "<button>Sign out</button></form>",
        forms_to="'self' https: http:",
    )


@ROUTER.post("/sign-out", dependencies=[Entering])
async def sign_out(context: Context, request: Request) -> Response:
    """End the browser's session here, and offer to end it at the issuer."""
    found = await browser_session(context, request)
    reply: Response = see_other("/auth/signed-out")
    if found is not None:
        _, session, token = found
        header = request.headers.get("x-csrf-token")
        check_form({"csrf": header} if header else await form_of(request), token)
        await context.entrance.end(session, "signed_out")
        url = await context.sign_in.oidc.sign_out_url(
            session.tenant, session.issuer, f"{own_url(context, request)}/auth/signed-out"
        )
        if header:
            # A page of ours asked with a script, and goes there itself.
            reply = kept_by_nobody({"next": url or "/auth/signed-out"})
        elif url is not None:
            reply = see_other(url)
    reply.headers.append("set-cookie", cookie(request.scope, "", 0))
    return reply


@ROUTER.get("/signed-out", dependencies=[Entering])
async def signed_out() -> Response:
    """Say that it is over."""
    return page("Signed out", "<p>You are signed out. <a href=/auth/sign-in>Sign in again</a></p>")


async def _depart(
    context: AdminContext, request: Request, tenant: str, issuer: str | None, target: str | None
) -> Response:
    found = context.principals.tenant_named(tenant)
    identifier = PLATFORM_ID if tenant == PLATFORM else found.id if found else None
    try:
        url = f"{own_url(context, request)}/auth/oidc/callback"
        departure = await context.sign_in.oidc.begin(identifier, issuer, target or "/auth/signed-in", url)
    except EnfiladeError as refusal:
        return _refused(refusal)
    reply = see_other(departure.url)
    reply.headers.append("set-cookie", cookie(request.scope, departure.browser, LIFE_S, BROWSER))
    return reply


def _refused(refusal: EnfiladeError) -> Response:
    if refusal.status >= 500:
        return error_reply(refusal)
    return page(
        "Not signed in",
        f"<p>{escape(refusal.message)}</p><p>{escape(refusal.remedy)}</p><p><code>{refusal.code}</code></p>",
        status=refusal.status,
    )
