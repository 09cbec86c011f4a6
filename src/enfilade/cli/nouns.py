"""The commands that most nouns of a tenant have in common: list, show, remove."""

import typer

from enfilade.cli.output import Column, done, print_list, print_one
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, Yes, confirm, remote, segment


def add_list(app: typer.Typer, path: str, about: str, columns: dict[str, Column], *, empty: str) -> None:
    """`list`: all there are."""

    @app.command(name="list", help=about)
    def list_(*, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
        print_list(remote(url, key).pages(path, tenant=tenant), columns, empty=empty, as_json=as_json)


def add_show(app: typer.Typer, path: str, about: str) -> None:
    """`show NAME`."""

    @app.command(help=about)
    def show(
        name: str, *, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
    ) -> None:
        print_one(remote(url, key).get(f"{path}/{segment(name)}", tenant=tenant), as_json=as_json)


def add_remove(app: typer.Typer, path: str, about: str, *, question: str, answer: str) -> None:
    """`remove NAME`, when that is confirmed; `{name}` stands for it in what is asked and told."""

    @app.command(help=about)
    def remove(
        name: str, *, tenant: TenantOption = None, yes: Yes = False, url: Url = None, key: KeyOption = None
    ) -> None:
        confirm(question.format(name=name), yes=yes)
        remote(url, key).request("DELETE", f"{path}/{segment(name)}", params={"tenant": tenant})
        done(answer.format(name=name))
