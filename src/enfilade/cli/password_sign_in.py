"""Signing in at the command line with a password, and a second factor where one is asked for."""

import sys
from typing import Any

import httpx2
import segno
import typer

from enfilade.cli.output import Exit, done, fail, note
from enfilade.cli.remote import Remote


def by_password(client: httpx2.Client, tenant: str | None, email: str | None, *, link: bool) -> str:
    """A session's token. With `link`, a password is set first, by what an administrator handed over."""
    if link:
        secret = typer.prompt("What your administrator gave you", hide_input=True)
        body = {"secret": secret, "password": new_password(), "token": True}
        entered = _post(client, "/password", body)
    else:
        email = email or typer.prompt("E-mail address")
        password = typer.prompt("Password", hide_input=True)
        body = {"tenant": tenant, "email": email, "password": password, "token": True}
        entered = _post(client, "/sign-in", body)
    while entered["session"] is None:
        challenge = entered["challenge"]
        step = _enrol if challenge["purpose"] == "enrolment" else _show
        entered = step(client, challenge)
    show_codes(entered["recovery_codes"])
    token: str = entered["session"]["token"]
    return token


def new_password() -> str:
    """A password that was typed twice, or came on standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password: str = typer.prompt("New password (12 characters or more)", hide_input=True, confirmation_prompt=True)
    return password


def show_codes(codes: list[str]) -> None:
    """Recovery codes, this once."""
    if codes:
        done("Recovery codes: each stands in for a second factor once. Keep them; they are not shown again.")
        for code in codes:
            sys.stdout.write(f"{code}\n")


def show_picture(uri: str) -> None:
    """A QR code, for an app to read."""
    segno.make(uri, error="m").terminal(out=sys.stderr, compact=True)


def _show(client: httpx2.Client, challenge: dict[str, Any]) -> dict[str, Any]:
    """A code of an app, or a recovery code: security keys need a browser."""
    if not {"totp", "recovery_code"} & set(challenge["methods"]):
        fail("This account has security keys only.", "Use `enfilade login` without --local, in a browser.")
        raise typer.Exit(Exit.UNAUTHORISED)
    code = typer.prompt("Code of your app, or a recovery code", hide_input=False).strip()
    kind = "code" if code.replace(" ", "").isdigit() else "recovery_code"
    body = {"challenge": challenge["challenge"], kind: code, "token": True}
    return _post(client, "/second-factor", body)


def _enrol(client: httpx2.Client, challenge: dict[str, Any]) -> dict[str, Any]:
    note("A second factor is demanded here. Set up an app that shows codes:")
    secret = {"challenge": challenge["challenge"]}
    new = _post(client, "/enrolment/totp", secret)
    show_picture(new["uri"])
    note(f"Or type this secret into the app: {new['secret']}")
    code = typer.prompt("The code that it shows")
    body = secret | {"factor": new["id"], "code": code, "token": True}
    return _post(client, "/enrolment/totp/confirm", body)


def _post(client: httpx2.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    reply: dict[str, Any] = Remote(client).request("POST", path, prefix="/auth/local", json=body)
    return reply
