"""`enfilade price`."""

from typing import Annotated, Any

import typer
from rich.text import Text

from enfilade.cli.commands.price_adjustments import DISCOUNTS, MARKUPS
from enfilade.cli.commands.price_lists import books, diff, import_, moment_text
from enfilade.cli.output import CONSOLE, done, print_fields, print_json, print_table
from enfilade.cli.price_options import hours as hours_of
from enfilade.cli.price_options import service_tiers, threshold
from enfilade.cli.remote import AsJson, KeyOption, Url, remote, segment

APP = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Prices in US dollars: per million tokens or characters, per 1,000 requests, searches or pages, per hour of sound.",
)
APP.add_typer(DISCOUNTS, name="discount")
APP.add_typer(MARKUPS, name="markup")
KINDS = ("input", "cached_input", "cache_write", "output", "reasoning")
UNITS = {
    **dict.fromkeys(("requests", "web_searches", "pages"), "per 1,000"),
    "characters": "per million characters",
    "seconds": "per hour",
}
NO_FIGURES = frozenset({"long_context", "service_tiers", "hours", "above", "from", "until", "free"})


@APP.command(name="list")
def list_(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """What every deployment costs now."""
    items = remote(url, key).get("/prices")
    if as_json:
        print_json(items)
        return
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
    name, _, moment = label.rpartition("@")
    return Text(f"set on {moment[:10]}" if name.startswith("override:") else label)


@APP.command()
def show(model: str, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """What a model costs now, who says so, and until when."""
    prices = remote(url, key).get(f"/prices/{segment(model)}")
    if as_json:
        print_json(prices)
        return
    for item in prices["deployments"]:
        CONSOLE.print(item["deployment"], style="bold")
        print_fields(
            {
                "source": item["source"]
                or Text(f"no price: refused. Set one: enfilade price set {model}", style="red"),
                "next change": moment_text(item["next_change"]),
                "not charged": item["unsupported"],
            }
        )
        rows = [(what, figure, unit) for what, figure, unit in _figures(item["price"] or {})]
        if rows:
            print_table(("for", "USD#", ""), rows, empty="")
    if prices["overrides"]:
        CONSOLE.print("\nset by administrators", style="bold")
        _print_history(prices["overrides"])


def _figures(price: dict[str, Any], prefix: str = "") -> list[tuple[str, object, str]]:
    """All figures of a price, with what each is for."""
    if price.get("free"):
        return [("free", 0, "")]
    rows: list[tuple[str, object, str]] = []
    for kind, figure in price.items():
        if kind not in NO_FIGURES and figure is not None:
            rows.append((f"{prefix}{kind.replace('_', ' ')}", figure, UNITS.get(kind, "per million tokens")))
    for tier in price.get("long_context") or ():
        rows += _figures(tier, f"{prefix}above {tier['above']} tokens: ")
    for name, tier in (price.get("service_tiers") or {}).items():
        rows += _figures(tier, f"{prefix}{name}: ")
    for span in price.get("hours") or ():
        rows += _figures(span, f"{prefix}{span['from'][:5]} to {span['until'][:5]} UTC: ")
    return rows


@APP.command()
def history(model: str, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Every price that administrators ever set for a model. The past keeps its price."""
    overrides = remote(url, key).get(f"/prices/{segment(model)}")["overrides"]
    if as_json:
        print_json(overrides)
    else:
        _print_history(overrides)


def _print_history(overrides: list[dict[str, Any]]) -> None:
    rows = (
        (
            moment_text(entry["effective_from"]),
            moment_text(entry["effective_to"]),
            Text("lists and book decide")
            if entry["price"] is None
            else ", ".join(f"{what} {figure}" for what, figure, _ in _figures(entry["price"])),
            entry["set_by"],
            entry["reason"],
        )
        for entry in overrides
    )
    print_table(("from (UTC)", "until", "price", "set by", "why"), rows, empty="Nobody ever set a price for it.")


@APP.command(name="set")
def set_(
    model: str,
    input_price: Annotated[str | None, typer.Option("--input", help="Tokens, per million.")] = None,
    output: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    cached_input: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    cache_write: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    cache_write_1h: Annotated[str | None, typer.Option("--cache-write-1h", help="Tokens, per million.")] = None,
    reasoning: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    audio_input: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    cached_audio_input: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    audio_output: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    image_input: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    cached_image_input: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    image_output: Annotated[str | None, typer.Option(help="Tokens, per million.")] = None,
    requests: Annotated[str | None, typer.Option(help="Calls, per 1,000.")] = None,
    web_searches: Annotated[str | None, typer.Option(help="Searches of the web, per 1,000.")] = None,
    characters: Annotated[str | None, typer.Option(help="Spoken text, per million.")] = None,
    pages: Annotated[str | None, typer.Option(help="Pages of documents, per 1,000.")] = None,
    seconds: Annotated[str | None, typer.Option(help="Sound, per hour.")] = None,
    tier: Annotated[
        list[str] | None, typer.Option(help="Long prompts, e.g. 200000:input=2.5,output=15; repeat for several.")
    ] = None,
    service_tier: Annotated[
        list[str] | None, typer.Option(help="Service tiers, e.g. batch:input=0.5,output=2; repeat for several.")
    ] = None,
    hours: Annotated[
        list[str] | None, typer.Option(help="Times of day in UTC, e.g. 16:30-00:30/input=1; repeat for several.")
    ] = None,
    free: Annotated[bool, typer.Option("--free", help="It costs nothing.")] = False,
    effective_from: Annotated[str | None, typer.Option("--from", help="A day or a moment; now, if left out.")] = None,
    effective_to: Annotated[str | None, typer.Option("--to", help="When it ends; a day's first moment.")] = None,
    reason: Annotated[str | None, typer.Option(help="For whoever reads it later.")] = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Set a model's price, from now or a later moment on. What was charged stays charged."""
    price: dict[str, object] = {
        "input": input_price,
        "output": output,
        "cached_input": cached_input,
        "cache_write": cache_write,
        "cache_write_1h": cache_write_1h,
        "reasoning": reasoning,
        "audio_input": audio_input,
        "cached_audio_input": cached_audio_input,
        "audio_output": audio_output,
        "image_input": image_input,
        "cached_image_input": cached_image_input,
        "image_output": image_output,
        "requests": requests,
        "web_searches": web_searches,
        "characters": characters,
        "pages": pages,
        "seconds": seconds,
        "long_context": [threshold(text) for text in tier or ()],
        "service_tiers": service_tiers(service_tier or []),
        "hours": [hours_of(text) for text in hours or ()],
        "free": free or None,
    }
    body = {"price": price, "effective_from": effective_from, "effective_to": effective_to, "reason": reason}
    remote(url, key).request("PUT", f"/prices/{segment(model)}", json=body)
    done(f"The price of {model} is set.")


@APP.command()
def unset(model: str, url: Url = None, key: KeyOption = None) -> None:
    """End a model's own price: price lists and the book decide again."""
    remote(url, key).request("DELETE", f"/prices/{segment(model)}")
    done(f"The price of {model} is a price list's or the book's again.")


APP.command(name="import")(import_)
APP.command()(diff)
APP.command()(books)
