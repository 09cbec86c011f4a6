"""`enfilade model`."""

import typer
from rich.text import Text

from enfilade.cli.output import done, print_json, print_one, print_table
from enfilade.cli.remote import AsJson, KeyOption, Url, Yes, confirm, remote, segment

APP = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Models and aliases. New ones are declared in a file: `enfilade apply`.",
)
STATES = {"closed": "green", "open": "red", "half_open": "yellow"}


@APP.command(name="list")
def list_(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List models and aliases."""
    server = remote(url, key)
    models, aliases = server.pages("/models"), server.pages("/aliases")
    if as_json:
        print_json({"models": models, "aliases": aliases})
        return
    rows: list[tuple[object, ...]] = [
        (m["name"], [f"{d['provider']}/{d['model']}" for d in m["deployments"]], m["strategy"], m["fallbacks"])
        for m in models
    ]
    rows += [(a["name"], Text(f"→ {a['model'] or 'by rules'}", style="dim"), None, None) for a in aliases]
    print_table(("name", "deployments", "strategy", "fallbacks"), rows, empty="There is no model yet.")


@APP.command()
def show(name: str, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show a model."""
    model = remote(url, key).get(f"/models/{segment(name)}")
    print_one(model, as_json=as_json)


@APP.command()
def health(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """The health of the deployments that the server has called."""
    items = remote(url, key).get("/deployments")
    if as_json:
        print_json(items)
        return
    rows = ((d["deployment"], Text(d["breaker"], style=STATES[d["breaker"]]), d["retry_in_s"] or None) for d in items)
    print_table(("deployment", "breaker", "retry in s#"), rows, empty="No deployment has been called yet.")


@APP.command()
def remove(
    name: str,
    yes: Yes = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Remove a model that nothing refers to."""
    confirm(f"Remove the model {name}?", yes=yes)
    remote(url, key).request("DELETE", f"/models/{segment(name)}")
    done(f"Model {name} removed.")
