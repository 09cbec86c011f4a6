"""`enfilade login`."""

from typing import Annotated

import httpx2
import typer

from enfilade.cli.output import Exit, done, fail
from enfilade.cli.password_sign_in import by_password
from enfilade.cli.remote import Remote, Url, server_address
from enfilade.cli.sessions_file import keep_token
from enfilade.cli.signing_in import by_browser, by_device
from enfilade.settings import Settings

APP = typer.Typer(add_completion=False)


@APP.command()
def login(
    device: Annotated[bool, typer.Option("--device", help="Confirm in a browser on another machine.")] = False,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", "-t", help="With --device or --local: whose sign-in service, or whose account."),
    ] = None,
    issuer: Annotated[str | None, typer.Option("--issuer", help="Which one, if it has several.")] = None,
    local: Annotated[bool, typer.Option("--local", help="With a password here, rather than in a browser.")] = False,
    email: Annotated[str | None, typer.Option("--email", help="With --local: whose; asked for otherwise.")] = None,
    link: Annotated[
        bool, typer.Option("--link", help="With --local: set a password by what an administrator handed over.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser, rather than only show the address.")] = True,
    url: Url = None,
) -> None:
    """Sign in; commands use the session when no key is given."""
    settings = Settings()
    address = server_address(url, settings)
    if tenant is not None and not (device or local):
        fail("--tenant goes with --device or --local.", "Without it, the browser asks for the organisation.")
        raise typer.Exit(Exit.USAGE)
    with httpx2.Client(base_url=address, headers={"user-agent": "enfilade-cli"}) as client:
        if local:
            token = by_password(client, tenant, email, link=link)
        else:
            token = by_device(client, tenant, issuer) if device else by_browser(client, address, opens=browser)
        keep_token(settings, address, token)
    with httpx2.Client(base_url=address, headers={"authorization": f"Bearer {token}"}) as client:
        who = Remote(client).get("/sessions/current")
    done(f"Signed in at {address} as {who['user']} of {who['tenant']}.")
