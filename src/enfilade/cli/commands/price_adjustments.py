"""`enfilade price discount` and `enfilade price markup`."""

from typing import Annotated, Any

import typer

from enfilade.cli.output import done, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Url, remote

DISCOUNTS = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What providers take off their list prices for us."
)
MARKUPS = typer.Typer(no_args_is_help=True, add_completion=False, help="What tenants pay on top; less, if negative.")

Provider = Annotated[str, typer.Option(help="Our name of a provider, or a pattern.")]
Model = Annotated[str, typer.Option(help="Our name of a model, or a pattern.")]
From = Annotated[str | None, typer.Option("--from", help="A day or a moment; now, if left out.")]
To = Annotated[str | None, typer.Option("--to", help="When it ends; a day's first moment.")]
Reason = Annotated[str | None, typer.Option(help="For whoever reads it later.")]
History = Annotated[bool, typer.Option("--history", help="Everything that was ever declared.")]
ForTenant = Annotated[str | None, typer.Option("--tenant", "-t", help="Only for this tenant.")]
Tenant = Annotated[str, typer.Argument(help="The tenant's name.")]


@DISCOUNTS.command(name="set")
def set_discount(
    percent: Annotated[str, typer.Argument(help="5 takes five per cent off; 250bp are 2.5 per cent.")],
    provider: Provider = "*",
    model: Model = "*",
    tenant: ForTenant = None,
    effective_from: From = None,
    effective_to: To = None,
    reason: Reason = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Declare what a provider takes off."""
    body = _subject("discount", tenant, provider, model)
    body |= {"percent": percent, "effective_from": effective_from, "effective_to": effective_to, "reason": reason}
    remote(url, key).request("PUT", "/price-adjustments", json=body)
    done(f"Discount set: {percent} off {provider}/{model}.")


@MARKUPS.command(name="set", context_settings={"ignore_unknown_options": True})
def set_markup(
    tenant: Tenant,
    percent: Annotated[str, typer.Argument(help="20 adds twenty per cent, -5 takes five off; or 250bp.")],
    provider: Provider = "*",
    model: Model = "*",
    effective_from: From = None,
    effective_to: To = None,
    reason: Reason = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Declare what a tenant pays on top."""
    body = _subject("markup", tenant, provider, model)
    body |= {"percent": percent, "effective_from": effective_from, "effective_to": effective_to, "reason": reason}
    remote(url, key).request("PUT", "/price-adjustments", json=body)
    done(f"Markup set: {percent} for {tenant} on {provider}/{model}.")


@DISCOUNTS.command(name="end")
def end_discount(
    provider: Provider = "*",
    model: Model = "*",
    tenant: ForTenant = None,
    effective_from: Annotated[str | None, typer.Option("--on", help="When; now, if left out.")] = None,
    reason: Reason = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """End a discount. What was charged stays charged."""
    body = _subject("discount", tenant, provider, model) | {"effective_from": effective_from, "reason": reason}
    remote(url, key).request("POST", "/price-adjustments/end", json=body)
    done(f"The discount on {provider}/{model} ends.")


@MARKUPS.command(name="end")
def end_markup(
    tenant: Tenant,
    provider: Provider = "*",
    model: Model = "*",
    effective_from: Annotated[str | None, typer.Option("--on", help="When; now, if left out.")] = None,
    reason: Reason = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """End a markup. What was charged stays charged."""
    body = _subject("markup", tenant, provider, model) | {"effective_from": effective_from, "reason": reason}
    remote(url, key).request("POST", "/price-adjustments/end", json=body)
    done(f"The markup of {tenant} on {provider}/{model} ends.")


@DISCOUNTS.command(name="list")
def list_discounts(history: History = False, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """What holds now, or is declared for later."""
    _list("discount", history=history, as_json=as_json, url=url, key=key)


@MARKUPS.command(name="list")
def list_markups(history: History = False, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """What holds now, or is declared for later."""
    _list("markup", history=history, as_json=as_json, url=url, key=key)


def _subject(kind: str, tenant: str | None, provider: str, model: str) -> dict[str, Any]:
    return {"kind": kind, "tenant": tenant, "provider": provider, "model": model}


def _list(kind: str, *, history: bool, as_json: bool, url: str | None, key: str | None) -> None:
    found = remote(url, key).get("/price-adjustments", history=str(history).lower())
    items = [item for item in found if item["kind"] == kind]
    if as_json:
        print_json(items)
        return
    rows = (
        (
            item["id"],
            item["tenant"] or "every tenant",
            item["provider"],
            item["model"],
            "ended" if item["percent"] is None else f"{item['percent']}%",
            item["effective_from"][:16].replace("T", " "),
            (item["effective_to"] or "")[:16].replace("T", " "),
            item["reason"],
        )
        for item in items
    )
    columns = ("id#", "tenant", "provider", "model", f"{kind}#", "from (UTC)", "until", "why")
    print_table(columns, rows, empty=f"There is no {kind}.")
