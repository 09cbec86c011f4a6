"""`enfilade use-case`."""

from typing import Annotated

import typer

from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="The register of use cases.")


@APP.command(name="list")
def list_(
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose review is late.")] = False,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List use cases."""
    items = remote(url, key).pages("/use-cases", tenant=tenant, overdue=overdue or None)
    if as_json:
        print_json(items)
        return
    rows = (
        (
            u["tenant"],
            u["name"],
            u["risk_tier"],
            ", ".join(u["data_classes"]),
            u["owner"],
            f"{u['review_date'] or ''}{' (late)' if u['is_overdue'] else ''}",
            u["purpose"],
        )
        for u in items
    )
    columns = ("tenant", "name", "risk", "data", "owner", "review", "purpose")
    print_table(columns, rows, empty="There is no use case yet.")


@APP.command()
def show(
    name: str, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Show a use case."""
    found = remote(url, key).get(f"/use-cases/{segment(name)}", tenant=tenant)
    print_json(found) if as_json else print_fields(found)


@APP.command()
def create(
    name: str,
    owner: Annotated[str, typer.Option("--owner", help="The address of who answers for it.")],
    purpose: Annotated[str, typer.Option("--purpose", help="What it is for.")],
    risk_tier: Annotated[str, typer.Option("--risk", help="minimal, limited, high or prohibited.")] = "minimal",
    data_class: Annotated[list[str] | None, typer.Option("--data-class", help="Which data; again for more.")] = None,
    oversight: Annotated[str, typer.Option("--oversight", help="Who looks at what comes out.")] = "",
    review_date: Annotated[str | None, typer.Option("--review", help="The day of its next review.")] = None,
    department: Annotated[list[str] | None, typer.Option("--department", help="Who may name it.")] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Register a use case."""
    body = {
        "name": name,
        "owner": owner,
        "purpose": purpose,
        "risk_tier": risk_tier,
        "data_classes": data_class or ["internal"],
        "human_oversight": oversight,
        "review_date": review_date,
        "departments": department or [],
    }
    made = remote(url, key).request("POST", "/use-cases", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(made)
    else:
        done(f"Use case {name} registered.")


@APP.command()
def review(
    name: str,
    following: Annotated[str, typer.Option("--next", help="The day of the next review.")],
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Note that a use case was looked at, and when that is due again."""
    client = remote(url, key)
    present = client.get(f"/use-cases/{segment(name)}", tenant=tenant)
    body = {word: value for word, value in present.items() if word not in {"id", "tenant", "version", "is_overdue"}}
    body["review_date"] = following
    client.request("PUT", f"/use-cases/{segment(name)}", params={"tenant": tenant}, json=body)
    done(f"Use case {name} is to be looked at again by {following}.")


@APP.command()
def remove(
    name: str,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Take a use case off the register."""
    confirm(f"Remove the use case {name}?", yes=yes)
    remote(url, key).request("DELETE", f"/use-cases/{segment(name)}", params={"tenant": tenant})
    done(f"Use case {name} removed.")
