"""`enfilade break-glass`."""

from typing import Annotated, Any

import typer

from enfilade.cli.output import done, note, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote, segment

APP = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Come into a tenant in an emergency; every act there is an event."
)
Id = Annotated[str, typer.Argument(metavar="ID", help="From `break-glass list`.")]


@APP.command(name="open")
def open_(
    tenant: Annotated[str, typer.Option(help="The tenant to come into.")],
    reason: Annotated[str, typer.Option(help="Why; its owners read this.")],
    duration: Annotated[str, typer.Option("--for", help="How long; 4h at most.")] = "1h",
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Let yourself into a tenant for a time."""
    body = {"tenant": tenant, "reason": reason, "duration": duration}
    made = remote(url, key).request("POST", "/break-glass", json=body)
    if as_json:
        print_json(made)
        return
    done(f"You are in {tenant} until {made['expires_at']}: {made['id']}")
    note("Every request that you make there is in its log. A review is due afterwards.")


@APP.command()
def end(identifier: Id, url: Url = None, key: KeyOption = None) -> None:
    """End it before its time."""
    remote(url, key).request("POST", f"/break-glass/{segment(identifier)}/end")
    done("Ended. A review is due.")


@APP.command(name="list")
def list_(
    tenant: TenantOption = None,
    unreviewed: Annotated[bool, typer.Option("--unreviewed", help="Only those that wait for a review.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List when the glass was broken, by whom, and why."""
    items = remote(url, key).pages("/break-glass", tenant=tenant, unreviewed=unreviewed or None)
    if as_json:
        print_json(items)
        return
    rows = ((g["tenant"], g["state"], g["actor"], g["opened_at"][:19], _until(g), g["reason"], g["id"]) for g in items)
    print_table(("tenant", "state", "who", "from", "to", "reason", "id"), rows, empty="The glass was never broken.")


@APP.command()
def review(
    identifier: Id,
    review_note: Annotated[str, typer.Option("--note", help="What was found when it was looked into.")],
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Say what came of it; not by whoever opened it."""
    remote(url, key).request("POST", f"/break-glass/{segment(identifier)}/review", json={"note": review_note})
    done("Reviewed.")


def _until(glass: dict[str, Any]) -> str:
    return str(glass["ended_at"] or glass["expires_at"])[:19]
