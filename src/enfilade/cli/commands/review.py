"""`enfilade review`."""

import sys
from typing import Annotated, Literal

import typer

from enfilade.cli.approvals import Reason, short
from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Access reviews: who may do what, and should they?")
Identifier = Annotated[str, typer.Argument(metavar="ID", help="As `review list` shows it.")]
Scope = Annotated[
    list[str] | None, typer.Option("--scope", help="roles, keys, grants, exceptions; repeat for several. All without.")
]
Department = Annotated[str | None, typer.Option("--department", help="Only what belongs to this department.")]
Reviewers = Annotated[
    list[str] | None,
    typer.Option(
        "--reviewer", help="manager, owner:department, user:EMAIL, group:NAME, role:NAME; repeat for several."
    ),
]
Days = Annotated[int, typer.Option("--days", help="How long reviewers have.")]
KeepUnanswered = Annotated[
    bool, typer.Option("--keep-unanswered", help="Do not revoke on the due date what nobody answered.")
]
SCOPES = ["roles", "keys", "grants", "exceptions"]


@APP.command()
def start(
    name: str,
    scope: Scope = None,
    department: Department = None,
    reviewer: Reviewers = None,
    days: Days = 14,
    keep_unanswered: KeepUnanswered = False,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Start a campaign."""
    body = _settings(name, scope, department, reviewer, days, keep_unanswered)
    made = remote(url, key).request("POST", "/access-reviews", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(made)
    else:
        done(f"{made['items']} questions until {short(made['due_at'])} UTC: {made['id']}")


@APP.command()
def schedule(
    name: str,
    every: Annotated[Literal["month", "quarter", "half_year", "year"], typer.Option("--every", help="How often.")],
    next_at: Annotated[str | None, typer.Option("--next", help="When the next begins; without it, now.")] = None,
    scope: Scope = None,
    department: Department = None,
    reviewer: Reviewers = None,
    days: Days = 14,
    keep_unanswered: KeepUnanswered = False,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Repeat a campaign."""
    body = _settings(name, scope, department, reviewer, days, keep_unanswered) | {"every": every, "next_at": next_at}
    address = f"/access-review-schedules/{segment(name)}"
    made = remote(url, key).request("PUT", address, params={"tenant": tenant}, json=body)
    print_json(made) if as_json else done(f"The next begins {short(made['next_at'])} UTC.")


@APP.command()
def schedules(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List campaigns that are repeated."""
    items = remote(url, key).pages("/access-review-schedules", tenant=tenant)
    if as_json:
        print_json(items)
        return
    rows = (
        (item["tenant"], item["name"], item["every"], short(item["next_at"]), ", ".join(item["scope"]))
        for item in items
    )
    print_table(("tenant", "name", "every", "next (UTC)", "scope"), rows, empty="No campaign is repeated.")


@APP.command()
def unschedule(
    name: str,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Repeat a campaign no more."""
    confirm(f"Repeat {name} no more?", yes=yes)
    remote(url, key).request("DELETE", f"/access-review-schedules/{segment(name)}", params={"tenant": tenant})
    done("It is not repeated any more.")


@APP.command(name="list")
def list_(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List campaigns: those that ask you something, or with `reviews:read` all."""
    items = remote(url, key).pages("/access-reviews", tenant=tenant)
    if as_json:
        print_json(items)
        return
    rows = (
        (
            item["tenant"],
            item["name"],
            item["state"],
            f"{item['answered']} of {item['items']}",
            short(item["due_at"]),
            item["id"],
        )
        for item in items
    )
    print_table(("tenant", "name", "state", "answered", "due (UTC)", "id"), rows, empty="There is no access review.")


@APP.command()
def show(
    identifier: Identifier, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Show a campaign."""
    found = remote(url, key).get(f"/access-reviews/{segment(identifier)}", tenant=tenant)
    print_json(found) if as_json else print_fields(found)


@APP.command()
def items(
    identifier: Identifier,
    mine: Annotated[bool, typer.Option("--mine", help="Only what you answer.")] = False,
    open_only: Annotated[bool, typer.Option("--open", help="Only what is not answered.")] = False,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List what a campaign asks, with evidence."""
    found = remote(url, key).pages(
        f"/access-reviews/{segment(identifier)}/items",
        tenant=tenant,
        mine=mine or None,
        answered=False if open_only else None,
    )
    if as_json:
        print_json(found)
        return
    rows = (
        (
            item["subject"],
            item["access"],
            short(item["evidence"].get("since")),
            short(item["evidence"].get("last_used") or item["evidence"].get("last_sign_in")),
            item["evidence"].get("calls"),
            item["outcome"] or item["decision"],
            item["id"],
        )
        for item in found
    )
    columns = ("whose", "access", "since (UTC)", "last seen (UTC)", "calls#", "answer", "id")
    print_table(columns, rows, empty="Nothing is asked.")


@APP.command()
def answer(
    identifier: Identifier,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="As `review items` shows it.")],
    decision: Annotated[str, typer.Argument(help="keep, revoke, or change.")],
    reason: Reason,
    to: Annotated[
        str | None, typer.Option("--to", help="To what: role=NAME, expires_at=MOMENT or ends_at=MOMENT.")
    ] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Keep, revoke or lessen what you are asked about; it takes effect at once."""
    name, _, value = (to or "").partition("=")
    body = {"decision": decision, "reason": reason, "change": {name: value} if to else None}
    address = f"/access-reviews/{segment(identifier)}/items/{segment(item)}/answer"
    made = remote(url, key).request("POST", address, params={"tenant": tenant}, json=body)
    print_json(made) if as_json else done(f"Answered: {made['outcome'] or made['decision']}.")


@APP.command()
def close(
    identifier: Identifier, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Close a campaign in which everything is answered."""
    address = f"/access-reviews/{segment(identifier)}/close"
    made = remote(url, key).request("POST", address, params={"tenant": tenant})
    print_json(made) if as_json else done(f"Closed; the report's SHA-256 is {made['report_sha256']}.")


@APP.command()
def report(
    identifier: Identifier,
    form: Annotated[Literal["json", "csv", "markdown"], typer.Option("--format", help="The form.")] = "markdown",
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Print the report of a closed campaign."""
    with remote(url, key).stream(f"/access-reviews/{segment(identifier)}/report", tenant=tenant, format=form) as chunks:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _settings(
    name: str,
    scope: list[str] | None,
    department: str | None,
    reviewers: list[str] | None,
    days: int,
    keep_unanswered: bool,  # noqa: FBT001 - the option
) -> dict[str, object]:
    return {
        "name": name,
        "scope": scope or SCOPES,
        "department": department,
        "reviewers": reviewers or ["manager"],
        "days": days,
        "revoke_unanswered": not keep_unanswered,
    }
