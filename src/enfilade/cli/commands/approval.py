"""`enfilade approval`."""

from typing import Annotated, Any

import typer

from enfilade.cli.approvals import (
    Application,
    DataClass,
    Department,
    Duration,
    KeyName,
    Kind,
    Model,
    Reason,
    Role,
    Scopes,
    UseCase,
    access_of,
    holder_of,
    short,
)
from enfilade.cli.output import Column, done, print_fields, print_json, print_list, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Requests for access, and decisions about them.")
Identifier = Annotated[str, typer.Argument(metavar="ID", help="As `approval list` shows it.")]
REQUEST: dict[str, Column] = {
    "asked by": "requester",
    "for": lambda item: holder_of(item["access"]),
    "access": lambda item: access_of(item["access"]),
    "state": "state",
    "approvals": lambda item: f"{item['approvals']} of {item['needs']}" if item["stage"] is not None else "",
    "awaits": lambda item: ", ".join(item["awaits"]),
    "until (UTC)": lambda item: short(item["expires_at"] if item["state"] == "pending" else item["decided_at"]),
    "id": "id",
}
RULE: dict[str, Column] = {
    "tenant": "tenant",
    "position#": "position",
    "name": "name",
    "kinds": lambda rule: ", ".join(rule["kinds"]) or "all",
    "what": lambda rule: (
        ", ".join((*rule["models"], *rule["use_cases"], *rule["roles"], *rule["data_classes"])) or "all"
    ),
    "who": lambda rule: " then ".join(
        f"{stage['needs']} of {', '.join(stage['reviewers'])}" for stage in rule["stages"]
    ),
    "at most": "max_duration",
}


@APP.command()
def request(
    kind: Kind,
    duration: Duration,
    reason: Reason,
    model: Model = None,
    use_case: UseCase = None,
    role: Role = None,
    department: Department = None,
    application: Application = None,
    of_key: KeyName = None,
    scope: Scopes = None,
    data_class: DataClass = None,
    starts: Annotated[str | None, typer.Option("--from", help="From when; without it, from the approval.")] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Ask for access, for yourself or for an application."""
    body = {
        "kind": kind,
        "model": model,
        "use_case": use_case,
        "role": role,
        "department": department,
        "application": application,
        "key": of_key,
        "scopes": scope or [],
        "data_class": data_class,
        "duration": duration,
        "starts_at": starts,
        "reason": reason,
    }
    made = remote(url, key).request("POST", "/approval-requests", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(made)
    else:
        done(f"Asked for {access_of(made['access'])}; it awaits {', '.join(made['awaits'])}: {made['id']}")


@APP.command(name="list")
def list_(
    mine: Annotated[bool, typer.Option("--mine", help="Only those that you made.")] = False,
    awaiting_me: Annotated[bool, typer.Option("--awaiting-me", help="Only those that you can decide now.")] = False,
    state: Annotated[
        str | None, typer.Option("--state", help="pending, approved, refused, withdrawn or expired.")
    ] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List requests: your own, those that you may decide, or with `approvals:read` all."""
    items = remote(url, key).pages(
        "/approval-requests", tenant=tenant, mine=mine or None, awaiting_me=awaiting_me or None, state=state
    )
    print_list(items, REQUEST, empty="There is no such request.", as_json=as_json)


@APP.command()
def show(
    identifier: Identifier, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Show a request with its decisions and comments."""
    found = remote(url, key).get(f"/approval-requests/{segment(identifier)}", tenant=tenant)
    if as_json:
        print_json(found)
        return
    decisions, comments, access = found.pop("decisions"), found.pop("comments"), found.pop("access")
    print_fields(found | {"access": access_of(access), "for": holder_of(access), "awaits": ", ".join(found["awaits"])})
    rows: list[tuple[object, ...]] = [
        (short(entry["at"]), entry["reviewer"], "approves" if entry["approves"] else "refuses", entry["comment"])
        for entry in decisions
    ]
    rows += [(short(entry["at"]), entry["author"], "says", entry["text"]) for entry in comments]
    rows.sort(key=lambda row: str(row[0]))
    print_table(("at (UTC)", "who", "", "comment"), rows, empty="Nobody has said anything yet.")


@APP.command()
def approve(
    identifier: Identifier,
    comment: Annotated[str, typer.Option("--comment", "-c", help="What the others should know.")] = "",
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Approve a request that awaits your decision."""
    made = _post(identifier, "approve", {"comment": comment}, tenant, url, key)
    if as_json:
        print_json(made)
    elif made["state"] == "approved":
        done("Approved: the access is granted.")
    else:
        done(f"Approved. It still awaits {', '.join(made['awaits'])}.")


@APP.command()
def refuse(
    identifier: Identifier,
    reason: Reason,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Refuse a request that awaits your decision, which ends it."""
    made = _post(identifier, "refuse", {"reason": reason}, tenant, url, key)
    print_json(made) if as_json else done("Refused.")


@APP.command()
def comment(
    identifier: Identifier,
    text: str,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Comment on a request."""
    made = _post(identifier, "comments", {"text": text}, tenant, url, key)
    print_json(made) if as_json else done("Noted.")


@APP.command()
def withdraw(
    identifier: Identifier,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Withdraw a request that you made."""
    confirm(f"Withdraw the request {identifier}?", yes=yes)
    _post(identifier, "withdraw", None, tenant, url, key)
    done("Withdrawn.")


@APP.command()
def delegate(
    email: Annotated[str, typer.Argument(help="Who decides in your place.")],
    until: Annotated[
        str | None, typer.Option("--until", help="Until when: a day, which counts whole. Left out, no longer.")
    ] = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Let somebody decide in your place for a time; without `--until`, let them no longer."""
    server = remote(url, key)
    address = f"/approval-delegations/{segment(email)}"
    if until is None:
        server.request("DELETE", address)
        done("You decide for yourself again.")
        return
    made = server.request("PUT", address, json={"ends_at": until})
    done(f"{made['delegate']} decides in your place until {short(made['ends_at'])} UTC.")


@APP.command()
def rules(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List the approval rules; they are made in the configuration (`approval_rules`)."""
    items = remote(url, key).pages("/approval-rules", tenant=tenant)
    print_list(items, RULE, empty="There is no approval rule: managers decide.", as_json=as_json)


def _post(
    identifier: str, verb: str, body: dict[str, Any] | None, tenant: str | None, url: str | None, key: str | None
) -> Any:
    options: dict[str, Any] = {} if body is None else {"json": body}
    address = f"/approval-requests/{segment(identifier)}/{verb}"
    return remote(url, key).request("POST", address, params={"tenant": tenant}, **options)
