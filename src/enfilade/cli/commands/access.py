"""`enfilade access`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from enfilade.access.files import Places
from enfilade.cli.access_files import FileArgument, in_file, print_problems, read_access
from enfilade.cli.commands.access_versions import COMMANDS
from enfilade.cli.output import Column, Exit, done, note, print_json, print_list, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

APP = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Who may use what, for what: policies and the matrix."
)
ALLOWED, DENIED = Text("allowed", style="green"), Text("denied", style="red")


@APP.command()
def explain(
    model: Annotated[str, typer.Option("--model", "-m", help="The model, or an alias.")],
    user: Annotated[str | None, typer.Option("--user", help="A user's address.")] = None,
    application: Annotated[str | None, typer.Option("--application", "--app", help="An application.")] = None,
    of_key: Annotated[str | None, typer.Option("--for-key", help="The name of a key.")] = None,
    use_case: Annotated[str | None, typer.Option("--use-case", help="What for.")] = None,
    data_class: Annotated[str | None, typer.Option("--data-class", help="public … restricted.")] = None,
    address: Annotated[str | None, typer.Option("--address", help="From which network address.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="When, as RFC 3339; without it, now.")] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Say whether somebody may call a model, which policies decide, and what is missing."""
    body = {
        "user": user,
        "application": application,
        "key": of_key,
        "model": model,
        "use_case": use_case,
        "data_class": data_class,
        "address": address,
        "at": at,
    }
    found = remote(url, key).request("POST", "/access/explain", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(found)
    else:
        _print_explanation(found)


def _print_explanation(found: dict[str, Any]) -> None:
    rows = (
        (
            entry["deployment"],
            ALLOWED if entry["allowed"] else DENIED,
            entry["reason"],
            ", ".join(f"{policy['effect']} {policy['name']}" for policy in entry["policies"]),
            ", ".join(entry["missing"]),
            entry["data_class"],
            ", ".join(entry["other_use_cases"]),
        )
        for entry in found["deployments"]
    )
    columns = ("deployment", "decision", "reason", "policies", "missing", "data class", "use cases that would do")
    print_table(columns, rows, empty="The model has no deployment.")
    if not found["model_allowed"]:
        note("`allowed_models` of the tenant or the application leaves the model out.")
    for policy in {p["name"]: p for entry in found["deployments"] for p in entry["policies"]}.values():
        if policy["cedar"]:
            note(f"{policy['name']}:\n{policy['cedar']}")


@APP.command(name="what-if")
def what_if(
    policies: Annotated[Path | None, typer.Option("--policies", "-p", help="A draft in a file.", exists=True)] = None,
    version: Annotated[int | None, typer.Option("--version", help="Or the number of a draft.")] = None,
    days: Annotated[int, typer.Option("--days", help="How far to look back.", min=1, max=400)] = 7,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Replay the calls of the last days against a draft: who would be denied, who newly allowed?"""
    body: dict[str, Any] = {"days": days, "version": version}
    places: Places = {}
    if policies is not None:
        body["content"], places = read_access(policies)
    found = remote(url, key).request("POST", "/access/what-if", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(found)
        return
    print_problems(found["problems"], places)
    rows = (
        (
            DENIED if entry["change"] == "denied" else ALLOWED,
            entry["calls"],
            entry["application"] or entry["user"] or entry["key"],
            entry["department"],
            entry["model"],
            entry["use_case"],
            ", ".join([*entry["policies"], *entry["missing"]]) or entry["reason"],
        )
        for entry in found["differences"]
    )
    columns = ("would be", "calls#", "who", "department", "model", "use case", "because of")
    print_table(columns, rows, empty="The draft would have decided as it was decided.")
    note(
        f"{found['calls']} calls in {found['combinations']} combinations; {found['newly_denied']} would be denied, "
        f"{found['newly_allowed']} newly allowed."
    )
    if found["undecidable"]:
        note(
            f"{found['undecidable']} calls could not be decided: the draft decides them by the {found['unknown'][0]}, "
            "which no record holds."
        )
    if not found["is_complete"]:
        note("Only the most frequent combinations were asked; look back over fewer days for all of them.")


@APP.command()
def check(
    file: FileArgument, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Say what is wrong or odd with policies in a file, with lines and columns."""
    content, places = read_access(file)
    found = remote(url, key).request("POST", "/access/check", params={"tenant": tenant}, json=content)
    found["problems"] = [in_file(problem, places) for problem in found["problems"]]
    if as_json:
        print_json(found)
    else:
        print_problems(found["problems"], {})
        if found["is_sound"]:
            done("The policies can be published.")
    if not found["is_sound"]:
        raise typer.Exit(Exit.of_status(422))


@APP.command()
def matrix(
    as_cedar: Annotated[bool, typer.Option("--cedar", help="As the policies that the rows compile to.")] = False,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show the model access matrix."""
    form = "cedar" if as_cedar else "rows"
    found = remote(url, key).get("/access/matrix", tenant=tenant, **{"as": form})
    if as_json:
        print_json(found)
        return
    if as_cedar:
        typer.echo(found["cedar"] or "", nl=False)
        return
    rows = (
        (
            row["name"],
            ", ".join(row["departments"] + row["applications"] + row["roles"] + row["users"]) or "everybody",
            ", ".join(row["models"]) or "all",
            ", ".join(row["use_cases"]) or "any",
            row["data_class"],
            "needed" if row["approval"] else "",
            "" if row["enabled"] else "off",
        )
        for row in found["rows"]
    )
    print_table(("name", "who", "models", "use cases", "data up to", "approval", ""), rows, empty="There is no matrix.")


@APP.command()
def policies(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List the policies in force."""
    items = remote(url, key).pages("/access/policies", tenant=tenant)
    columns: dict[str, Column] = {
        "name": "name",
        "effect": "effect",
        "state": lambda policy: "on" if policy["enabled"] else "off",
        "description": "description",
        "cedar": "cedar",
    }
    print_list(items, columns, empty="There is no policy.", as_json=as_json)


for command_name, command in COMMANDS.items():
    APP.command(name=command_name)(command)
