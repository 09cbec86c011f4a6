"""The few pages that the server makes itself: no scripts, nothing from elsewhere, in no frame."""

import base64
import hashlib
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.cookies import is_plain, read_cookie
from enfilade.core.errors import InvalidRequest
from enfilade.identity.principal import Principal
from enfilade.identity.sign_in.errors import CsrfRefused, InvalidSession
from enfilade.identity.sign_in.sessions import csrf_of
from enfilade.identity.sign_in.types import Session

MAX_FORM_BYTES = 20_000
STYLE = (
    "body{font:16px/1.5 system-ui;max-width:34rem;margin:4rem auto;padding:0 1rem}label{display:block;margin:1rem 0}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


class AddressUnknown(InvalidRequest):
    """Nobody said under which address people reach this installation."""

    code = "public_url_missing"
    remedy = "Set ENFILADE_PUBLIC_URL, e.g. https://ai.example.com."


def page(title: str, body: str, *, status: int = 200, forms_to: str = "'self'") -> HTMLResponse:
    """A page. `body` is HTML already: escape what goes into it."""
    text = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style><body><h1>{escape(title)}</h1>{body}</body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {forms_to}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(text, status, SAFETY | {"content-security-policy": policy})


SAFETY = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def see_other(url: str) -> RedirectResponse:
    """Send a browser on."""
    return RedirectResponse(url, 303, SAFETY)


def sign_in_first(request: Request) -> RedirectResponse:
    """Send a browser to sign in, and back here afterwards."""
    query = f"?{request.url.query}" if request.url.query else ""
    return see_other(f"/auth/sign-in?{urlencode({'next': request.url.path + query})}")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, or of a JSON object's texts. Raises InvalidRequest."""
    body = await request.body()
    if len(body) > MAX_FORM_BYTES:
        message = "The form is too large."
        raise InvalidRequest(message)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except (UnicodeDecodeError, ValueError):
        message = "The body is no form."
        raise InvalidRequest(message) from None
    if any(len(values) > 1 for values in fields.values()):
        message = "A field came twice."
        raise InvalidRequest(message)
    return {name: values[0] for name, values in fields.items()}


async def browser_session(context: AdminContext, request: Request) -> tuple[Principal, Session, bytes] | None:
    """Who is signed in in this browser, and the session's token; None for nobody."""
    token = read_cookie(request.scope)
    if token is None:
        return None
    raw = token.encode("latin-1")
    try:
        principal, session = await context.entrance.by_session(raw)
    except InvalidSession:
        return None
    return principal, session, raw


def check_form(form: dict[str, str], token: bytes) -> None:
    """Raise CsrfRefused unless the form is one of ours."""
    # Compared as digests: what was sent may be any text.
    given = hashlib.sha256(form.get("csrf", "").encode()).digest()
    if given != hashlib.sha256(csrf_of(token).encode()).digest():
        message = "This form is not from this server, or is too old."
        raise CsrfRefused(message)


def own_url(context: AdminContext, request: Request) -> str:
    """The address under which people reach us. Raises AddressUnknown.

    The `host` of a request is believed only when a browser talks to this very machine: anybody can write it.
    """
    if context.public_url is not None:
        return context.public_url.rstrip("/")
    if is_plain(request.scope):
        return f"http://{request.headers['host']}"
    message = "It is not known under which address people reach this installation."
    raise AddressUnknown(message)


def kept_by_nobody(content: Any, status: int = 200) -> JSONResponse:
    """JSON that nobody may keep."""
    return JSONResponse(content, status, SAFETY)
