"""What the commands of approvals share: what is asked for, and how it is shown."""

from typing import Annotated, Any

import typer

from enfilade.cli.output import NOTHING, Column

Kind = Annotated[str, typer.Argument(help="model, use_case, role, key_scope or data_class.")]
Model = Annotated[str | None, typer.Option("--model", help="The model, or a pattern with *.")]
UseCase = Annotated[str | None, typer.Option("--use-case", help="The use case.")]
Role = Annotated[str | None, typer.Option("--role", help="The role.")]
Department = Annotated[str | None, typer.Option("--department", help="Where the role is to hold.")]
Application = Annotated[
    str | None, typer.Option("--application", help="Which application is to have it; of a role, where it is to hold.")
]
KeyName = Annotated[str | None, typer.Option("--of-key", help="The key whose scopes are to be more.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="A scope for the key; repeat for several.")]
DataClass = Annotated[str | None, typer.Option("--data-class", help="The highest that the use case is to work with.")]
Duration = Annotated[str, typer.Option("--for", help="How long: 8h, 30d.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why.")]


def short(moment: str | None) -> str | None:
    """A moment to the minute."""
    return None if moment is None else moment[:16].replace("T", " ")


def access_of(access: dict[str, Any]) -> str:
    """What is asked for, or granted, in a few words."""
    kind = access["kind"]
    if kind == "role":
        place = access["department"] or access["application"]
        return f"role {access['role']}" + (f" in {place}" if place else "")
    if kind == "key_scope":
        return f"scopes {', '.join(access['scopes'])}"
    if kind == "data_class":
        return f"{access['data_class']} data for {access['use_case']}"
    model = f"model {access['model']}" if access["model"] else ""
    case = f"use case {access['use_case']}" if access["use_case"] else ""
    return ", ".join(filter(None, (model, case)))


def holder_of(access: dict[str, Any]) -> str:
    """Whose it is."""
    if access["user"]:
        return str(access["user"])
    if access["key"]:
        return f"key {access['key']}"
    if access["application"]:
        return f"application {access['application']}"
    return f"use case {access['use_case']}" if access["use_case"] else NOTHING


GRANT: dict[str, Column] = {
    "whose": lambda grant: holder_of(grant["access"]),
    "access": lambda grant: access_of(grant["access"]),
    "state": "state",
    "from (UTC)": lambda grant: short(grant["starts_at"]),
    "until (UTC)": lambda grant: short(grant["revoked_at"] or grant["ends_at"]),
}
"""What lists of grants begin with."""
