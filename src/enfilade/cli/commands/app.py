"""`enfilade app`."""

from typing import Annotated

import typer

from enfilade.cli.nouns import add_list, add_remove, add_show
from enfilade.cli.output import done, print_json
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Applications.")


add_list(
    APP,
    "/applications",
    "List applications.",
    {
        "tenant": "tenant",
        "name": "name",
        "department": "department",
        "models": "allowed_models",
        "cache": lambda application: application["cache"] and application["cache"]["ttl"],
    },
    empty="There is no application yet.",
)
add_show(APP, "/applications", "Show an application.")


@APP.command()
def create(
    name: str,
    tenant: TenantOption = None,
    department: Annotated[str | None, typer.Option(help="Its department.")] = None,
    allowed_models: Annotated[list[str] | None, typer.Option("--model", help="Patterns; all if left out.")] = None,
    cache: Annotated[str | None, typer.Option(help="Answer identical requests from memory this long, e.g. 5m.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Create an application."""
    body = {
        "name": name,
        "department": department,
        "allowed_models": allowed_models or ["*"],
        "cache": {"ttl": cache} if cache else None,
    }
    application = remote(url, key).request("POST", "/applications", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(application)
    else:
        done(f"Application {name} created. A key for it: enfilade key create NAME --app {name}")


add_remove(
    APP,
    "/applications",
    "Remove an application and revoke its keys.",
    question="Remove the application {name} and revoke its keys?",
    answer="Application {name} removed.",
)
