"""`enfilade emergency`."""

from typing import Annotated, Any

import typer

from enfilade.cli.approvals import GRANT, Department, Duration, Kind, Model, Reason, Role, UseCase, short
from enfilade.cli.output import done, print_json, print_list
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Access that is taken at once, and reviewed after.")


@APP.command()
def take(
    kind: Kind,
    duration: Duration,
    reason: Reason,
    model: Model = None,
    use_case: UseCase = None,
    role: Role = None,
    department: Department = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Take access at once, where an approval rule lets you. Everybody is told, and somebody else reviews it."""
    body = {
        "kind": kind,
        "model": model,
        "use_case": use_case,
        "role": role,
        "department": department,
        "duration": duration,
        "reason": reason,
    }
    made = remote(url, key).request("POST", "/emergency-access", json=body)
    if as_json:
        print_json(made)
    else:
        done(f"Access until {short(made['ends_at'])} UTC; it has to be reviewed: {made['id']}")


@APP.command(name="list")
def list_(
    unreviewed: Annotated[bool, typer.Option("--unreviewed", help="Only those whose review is open.")] = False,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List emergency access and its reviews."""
    items = remote(url, key).pages("/emergency-access", tenant=tenant, unreviewed=unreviewed or None)
    columns = GRANT | {"reason": "reason", "review": lambda item: _said(item["review"]), "id": "id"}
    print_list(items, columns, empty="Nobody has taken access.", as_json=as_json)


def _said(review: dict[str, Any]) -> str:
    if review["reviewed_at"]:
        return "justified" if review["justified"] else "not justified"
    return "overdue" if review["is_overdue"] else "open"


@APP.command()
def review(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="As `emergency list` shows it.")],
    note: Annotated[str, typer.Option("--note", "-n", help="What you found.")],
    justified: Annotated[bool, typer.Option("--justified/--not-justified", help="Whether it was right.")],
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Say whether it was right; what was not is revoked."""
    body = {"justified": justified, "note": note}
    address = f"/emergency-access/{segment(identifier)}/review"
    made = remote(url, key).request("POST", address, params={"tenant": tenant}, json=body)
    print_json(made) if as_json else done("Reviewed.")
