"""`enfilade spend rebuild`."""

import time
from typing import Annotated

import typer

from enfilade.cli.output import done, note, print_json
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

LOOK_EVERY_S = 0.5


def rebuild(
    tenant: TenantOption = None,
    wait: Annotated[bool, typer.Option(help="Wait until it is done.")] = True,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Make the roll-ups that reports read anew from the ledger. Calls and reports go on meanwhile."""
    server = remote(url, key)
    started = server.request("POST", "/spend/rebuild", params={"tenant": tenant})
    while wait and server.get("/spend/roll-ups", tenant=tenant)["rebuilding"]:
        time.sleep(LOOK_EVERY_S)
    if as_json:
        print_json(started)
    elif wait:
        done(f"The roll-ups of {started['tenants']} tenants are made anew.")
    else:
        note(f"The roll-ups of {started['tenants']} tenants will be made anew.")
