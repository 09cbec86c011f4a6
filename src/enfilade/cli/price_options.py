"""Prices as options of a command."""

from typing import Any

import typer

from enfilade.cli.output import Exit, fail


def figures(text: str, option: str) -> dict[str, Any]:
    """`input=1,output=4` as figures by kind. Ends the program for what has another form."""
    found = {}
    for part in text.split(","):
        kind, sign, figure = part.partition("=")
        if not sign or not figure.strip():
            _refuse(option, text)
        found[kind.strip()] = figure.strip()
    return found


def threshold(text: str) -> dict[str, Any]:
    """`200000:input=2.5,output=15`: what holds above so many tokens of input."""
    above, sign, rest = text.partition(":")
    if not sign or not above.strip().isdecimal():
        _refuse("--tier", text)
    return {"above": int(above)} | figures(rest, "--tier")


def service_tiers(texts: list[str]) -> dict[str, Any]:
    """`batch:input=0.5,output=2` each; `batch:200000:input=1` adds a threshold to the tier."""
    found: dict[str, Any] = {}
    for text in texts:
        name, sign, rest = text.partition(":")
        if not sign:
            _refuse("--service-tier", text)
        tier = found.setdefault(name.strip(), {})
        if ":" in rest:
            tier.setdefault("long_context", []).append(threshold(rest))
        else:
            tier |= figures(rest, "--service-tier")
    return found


def hours(text: str) -> dict[str, Any]:
    """`16:30-00:30/input=1`: what holds between two times of the day, in UTC."""
    span, sign, rest = text.partition("/")
    start, dash, until = span.partition("-")
    if not sign or not dash:
        _refuse("--hours", text)
    return {"from": start.strip(), "until": until.strip()} | figures(rest, "--hours")


def _refuse(option: str, text: str) -> None:
    examples = {
        "--tier": "200000:input=2.5,output=15",
        "--service-tier": "batch:input=0.5,output=2",
        "--hours": "16:30-00:30/input=1",
    }
    fail(f"{option} {text!r} has another form than expected.", f"It looks like {examples[option]}.")
    raise typer.Exit(Exit.USAGE)
