"""`enfilade limit`."""

from typing import Annotated, Any, Literal

import typer

from enfilade.cli.nouns import add_list
from enfilade.cli.output import done, print_json
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, Yes, confirm, remote

Window = Literal["second", "minute", "hour", "day"]
APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Limits of requests, tokens and concurrency.")


def _measure(limit: dict[str, Any]) -> str:
    return next(name for name in ("requests", "tokens", "concurrency") if limit.get(name) is not None)


add_list(
    APP,
    "/limits",
    "List limits.",
    {
        "tenant": "tenant",
        "scope": "scope",
        "model": "model",
        "of": _measure,
        "amount#": lambda limit: limit[_measure(limit)],
        "per": "per",
        "id": "id",
    },
    empty="There is no limit yet.",
)


@APP.command(name="set")
def set_(
    scope: Annotated[str, typer.Argument(help="tenant, application:NAME, user:*, …")],
    tenant: TenantOption = None,
    requests: Annotated[int | None, typer.Option(help="So many requests.")] = None,
    tokens: Annotated[int | None, typer.Option(help="So many tokens.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="So many at once.")] = None,
    per: Annotated[Window | None, typer.Option(help="The window of requests and tokens.")] = None,
    model: Annotated[str | None, typer.Option(help="Only for this model.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Set a limit."""
    body = {
        "scope": scope,
        "requests": requests,
        "tokens": tokens,
        "concurrency": concurrency,
        "per": per,
        "model": model,
    }
    limit = remote(url, key).request("POST", "/limits", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(limit)
    else:
        done(f"Limit set: {limit['id']}")


@APP.command()
def change(
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    amount: int,
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Change a limit's amount; what was counted stays counted."""
    remote(url, key).request("PUT", f"/limits/{identifier}", params={"tenant": tenant}, json={"amount": amount})
    done(f"Limit {identifier} is {amount} now.")


@APP.command()
def remove(
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    tenant: TenantOption = None,
    yes: Yes = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Lift a limit."""
    confirm(f"Lift the limit {identifier}?", yes=yes)
    remote(url, key).request("DELETE", f"/limits/{identifier}", params={"tenant": tenant})
    done("Limit lifted.")
