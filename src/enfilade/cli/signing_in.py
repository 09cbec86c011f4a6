"""Signing in from a command line: in a browser on this machine, or with a code on any other."""

import base64
import hashlib
import secrets
import sys
import time
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import typer

from enfilade.cli.output import Exit, fail, note

WAIT_S = 600.0
TIMEOUT_S = 30.0
PENDING = {"authorization_pending": 0, "slow_down": 5}
DONE = b"You may close this window and go back to the command line.\n"


class _Listener(HTTPServer):
    """Takes the one request by which the browser brings the code."""

    query: dict[str, str] | None = None


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/" and "code" in query:
            self.server.query = query
        self.send_response(200 if self.server.query else 404)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(DONE)))
        self.end_headers()
        self.wfile.write(DONE)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the address holds the code."""


def by_browser(client: httpx2.Client, base: str, *, opens: bool) -> str:
    """A session's token, by the browser of this machine (RFC 8252)."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with _Listener(("127.0.0.1", 0), _Handler) as listener:
        redirect_uri = f"http://127.0.0.1:{listener.server_address[1]}/"
        query = {"redirect_uri": redirect_uri, "code_challenge": challenge, "state": state}
        address = f"{base}/auth/cli?{urlencode(query)}"
        note("Sign in at this address in your browser:")
        sys.stderr.write(f"  {address}\n")
        sys.stderr.flush()
        if opens:
            webbrowser.open(address)
        deadline = time.monotonic() + WAIT_S
        while listener.query is None and (left := deadline - time.monotonic()) > 0:
            listener.timeout = left
            listener.handle_request()
    if listener.query is None or not secrets.compare_digest(listener.query.get("state", ""), state):
        fail("Nobody signed in.", "Try again, or use --device.")
        raise typer.Exit(Exit.UNAUTHORISED)
    form = {"code": listener.query["code"], "code_verifier": verifier, "redirect_uri": redirect_uri}
    return _token(_post(client, "/auth/cli/token", form))


def by_device(client: httpx2.Client, tenant: str | None, issuer: str | None) -> str:
    """A session's token, confirmed on another device (RFC 8628): here, or with a tenant at its issuer."""
    place = "/auth/device" if tenant is None else "/auth/device/issuer"
    asked = {} if tenant is None else {"tenant": tenant, "issuer": issuer or ""}
    begun = _post(client, f"{place}/code", asked)
    if begun.status_code != 200:
        raise _refused(begun)
    told = begun.json()
    sys.stderr.write(f"  Open {told['verification_uri']}\n  and enter the code {told['user_code']}\n")
    sys.stderr.flush()
    interval = float(told["interval"])
    deadline = time.monotonic() + float(told["expires_in"])
    while time.monotonic() < deadline:
        time.sleep(interval)
        reply = _post(client, f"{place}/token", {"device_code": told["device_code"]})
        if reply.status_code == 200:
            return _token(reply)
        code = _problem(reply).get("code")
        if code not in PENDING:
            raise _refused(reply)
        interval += PENDING[code]
    fail("Nobody confirmed in time.", "Try again.")
    raise typer.Exit(Exit.UNAUTHORISED)


def _post(client: httpx2.Client, path: str, form: dict[str, str]) -> httpx2.Response:
    try:
        reply: httpx2.Response = client.post(path, data=form, timeout=TIMEOUT_S)
    except httpx2.TransportError as error:
        fail(f"No answer from {client.base_url}: {error}", "Is the server running? Set its address with --url.")
        raise typer.Exit(Exit.UNAVAILABLE) from None
    return reply


def _token(reply: httpx2.Response) -> str:
    if reply.status_code != 200:
        raise _refused(reply)
    return str(reply.json()["access_token"])


def _refused(reply: httpx2.Response) -> typer.Exit:
    problem = _problem(reply)
    fail(str(problem.get("detail") or f"The server answered {reply.status_code}."), problem.get("remedy"))
    return typer.Exit(Exit.of_status(reply.status_code))


def _problem(reply: httpx2.Response) -> dict[str, Any]:
    try:
        content = reply.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
