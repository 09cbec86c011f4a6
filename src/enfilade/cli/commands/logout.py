"""`enfilade logout`."""

import httpx2
import typer

from enfilade.cli.output import done, note
from enfilade.cli.remote import Remote, Url, server_address
from enfilade.cli.sessions_file import keep_token, kept_token
from enfilade.settings import Settings

APP = typer.Typer(add_completion=False)


@APP.command()
def logout(url: Url = None) -> None:
    """End the session that `enfilade login` began."""
    settings = Settings()
    address = server_address(url, settings)
    token = kept_token(settings, address)
    if token is None:
        note(f"Nobody is signed in at {address}.")
        return
    # Forgotten here first: a server that is away must not keep anybody signed in on this machine.
    keep_token(settings, address, None)
    with httpx2.Client(base_url=address, headers={"authorization": f"Bearer {token}"}) as client:
        server = Remote(client)
        server.request("DELETE", f"/sessions/{server.get('/sessions/current')['id']}")
    done(f"Signed out at {address}.")
