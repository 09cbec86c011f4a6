"""`enfilade replicas`."""

import typer
from rich.text import Text

from enfilade.cli.output import print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Url, remote

APP = typer.Typer(add_completion=False)


@APP.command()
def replicas(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """The serving processes, and whether each applies the newest configuration."""
    found = remote(url, key).get("/replicas")
    if as_json:
        print_json(found)
        return
    newest = max((item["applied_revision"] for item in found["items"]), default=found["revision"])
    rows = (
        (
            item["host"],
            item["pid"],
            item["version"],
            item["started_at"][:19].replace("T", " "),
            Text(str(item["applied_revision"]), style="green" if item["applied_revision"] == newest else "red"),
            "answers this" if item["is_this"] else "",
        )
        for item in found["items"]
    )
    print_table(("host", "pid#", "version", "started", "revision#", ""), rows, empty="No process serves.")
