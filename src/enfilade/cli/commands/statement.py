"""`enfilade statement`."""

from pathlib import Path
from typing import Annotated

import typer

from enfilade.cli.papers import FromDay, Period, RateOptions, ToDay, period_of, print_paper, rate_of, save
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

APP = typer.Typer(add_completion=False)


@APP.command()
def statement(
    period: Period = None,
    start: FromDay = None,
    to: ToDay = None,
    tenant: TenantOption = None,
    department: Annotated[str | None, typer.Option(help="Only this department's usage.")] = None,
    application: Annotated[str | None, typer.Option("--app", help="Only this application's usage.")] = None,
    currency: Annotated[str | None, typer.Option(help="E.g. EUR, at the rate in force on the last day.")] = None,
    rate: RateOptions = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", help="Save it as PDF.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Save its lines as CSV.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """What was used in a period, by model, kind and price."""
    client = remote(url, key)
    params = period_of(period, start, to) | {"currency": currency} | rate_of(rate)
    params |= {"tenant": tenant, "department": department, "application": application}
    for form, out in (("pdf", pdf), ("csv", csv)):
        if out is not None:
            save(client, "/statements", params | {"format": form}, out)
    if as_json or (pdf is None and csv is None):
        print_paper(client.request("GET", "/statements", params=params), as_json=as_json)
