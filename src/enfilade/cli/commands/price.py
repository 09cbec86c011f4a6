"""`enfilade price`."""

from typing import Annotated, Any

import typer
from rich.text import Text

from enfilade.cli.output import CONSOLE, done, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Url, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Prices, in US dollars per million tokens.")
KINDS = ("input", "cached_input", "cache_write", "output", "reasoning")


@APP.command(name="list")
def list_(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """What every deployment costs now."""
    items = remote(url, key).get("/prices")
    if as_json:
        print_json(items)
        return
    _print(items)


def _print(items: list[dict[str, Any]]) -> None:
    columns = ("model", "deployment", *(f"{kind.replace('_', ' ')}#" for kind in KINDS), "source")
    print_table(columns, (_row(item) for item in items), empty="There is no model yet.")


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    price = item["price"]
    if price is None:
        figures: list[object] = [Text("refused", style="red")] + [None] * (len(KINDS) - 1)
    elif price.get("free"):
        figures = [Text("free", style="green")] + [None] * (len(KINDS) - 1)
    else:
        figures = [price.get(kind) for kind in KINDS]
    return (item["model"], item["deployment"], *figures, _source(item["source"]))


def _source(label: str | None) -> Text:
    if label is None:
        return Text("no price", style="red")
    name, _, moment = label.partition("@")
    return Text(f"set on {moment[:10]}" if name.startswith("override:") else label)


@APP.command()
def show(model: str, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """What a model costs, and what was ever set for it."""
    prices = remote(url, key).get(f"/prices/{segment(model)}")
    if as_json:
        print_json(prices)
        return
    _print(prices["deployments"])
    if prices["overrides"]:
        CONSOLE.print("\nset by administrators", style="bold")
        rows = (
            (o["effective_from"][:19].replace("T", " "), o["price"] or "the book decides") for o in prices["overrides"]
        )
        print_table(("from", "price"), rows, empty="")


@APP.command(name="set")
def set_(
    model: str,
    input_price: Annotated[str | None, typer.Option("--input", help="USD per million tokens.")] = None,
    output: Annotated[str | None, typer.Option(help="USD per million tokens.")] = None,
    cached_input: Annotated[str | None, typer.Option(help="USD per million tokens.")] = None,
    cache_write: Annotated[str | None, typer.Option(help="USD per million tokens.")] = None,
    reasoning: Annotated[str | None, typer.Option(help="USD per million tokens.")] = None,
    free: Annotated[bool, typer.Option("--free", help="It costs nothing.")] = False,
    effective_from: Annotated[str | None, typer.Option("--from", help="Now, if left out.")] = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Set a model's price, from now or a later moment on. What was charged stays charged."""
    price: dict[str, object] = {
        "input": input_price,
        "output": output,
        "cached_input": cached_input,
        "cache_write": cache_write,
        "reasoning": reasoning,
    }
    body = {"price": {"free": True} if free else price, "effective_from": effective_from}
    remote(url, key).request("PUT", f"/prices/{segment(model)}", json=body)
    done(f"The price of {model} is set.")


@APP.command()
def unset(model: str, url: Url = None, key: KeyOption = None) -> None:
    """End a model's own price: the book decides again."""
    remote(url, key).request("DELETE", f"/prices/{segment(model)}")
    done(f"The price of {model} is the book's again.")
