"""Talking to a server's admin API."""

import atexit
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import quote

import httpx2
import typer

from enfilade.cli.output import Exit, fail, note
from enfilade.cli.sessions_file import kept_token
from enfilade.settings import Settings

Url = Annotated[str | None, typer.Option("--url", help="The server's address; ENFILADE_URL.", show_default=False)]
KeyOption = Annotated[
    str | None, typer.Option("--key", help="A key for the admin API; ENFILADE_KEY.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
TenantOption = Annotated[
    str | None, typer.Option("--tenant", "-t", help="The tenant's name, where the key is the platform's.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
INCOMPLETE = "x-enfilade-incomplete"
TIMEOUT_S = 60.0
FIRST_BYTE_S = 600.0
"""A year is summed up before the first byte of its export is sent."""
REMEDIES = {"tenant_required": "Add --tenant NAME."}
"""What to do at a command line, where it is something else than over HTTP."""


class Remote:
    """A client of the admin API. A failure ends the program with a message and an exit code."""

    def __init__(self, client: httpx2.Client) -> None:
        """Use `remote` instead."""
        self._client = client
        self._missing: list[str] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        explain: Callable[[httpx2.Response], bool] | None = None,
        prefix: str = "/api/v1",
        **options: Any,
    ) -> Any:
        """Send a request and return the decoded reply. `explain` may tell of a failure better, and says if it did."""
        params = {name: value for name, value in options.pop("params", {}).items() if value is not None}
        try:
            reply = self._client.request(method, f"{prefix}{path}", params=params, **options)
        except httpx2.TransportError as error:
            raise self._no_answer(error) from None
        if reply.status_code >= 400:
            if explain is None or reply.status_code != 422 or not explain(reply):
                _tell(reply)
            raise typer.Exit(Exit.of_status(reply.status_code))
        found = reply.json() if reply.content else None
        if isinstance(found, dict) and isinstance(names := found.get("incomplete"), list):
            self._tell_incomplete(names)
        return found

    def get(self, path: str, **params: Any) -> Any:
        """GET."""
        return self.request("GET", path, params=params)

    def pages(self, path: str, limit: int | None = None, **params: Any) -> list[Any]:
        """All items of a list, or the first `limit`."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            size = 500 if limit is None else min(500, limit - len(items))
            page = self.get(path, limit=size, cursor=cursor, **params)
            items += page["items"]
            cursor = page["next"]
            if cursor is None or (limit is not None and len(items) >= limit):
                return items

    @contextmanager
    def stream(self, path: str, **params: Any) -> Iterator[Iterator[bytes]]:
        """A reply's bytes as they come."""
        with self.download(path, **params) as reply:
            yield reply.iter_bytes()

    @contextmanager
    def download(
        self, path: str, *, headers: Mapping[str, str] | None = None, **params: Any
    ) -> Iterator[httpx2.Response]:
        """A reply whose body is yet to be read."""
        given = {name: value for name, value in params.items() if value is not None}
        began = False
        try:
            timeout = httpx2.Timeout(TIMEOUT_S, read=FIRST_BYTE_S)
            with self._client.stream("GET", f"/api/v1{path}", params=given, headers=headers, timeout=timeout) as reply:
                if reply.status_code >= 400:
                    reply.read()
                    _tell(reply)
                    raise typer.Exit(Exit.of_status(reply.status_code))
                began = True
                yield reply
                if names := reply.headers.get(INCOMPLETE):
                    self._tell_incomplete(names.split(","))
        except httpx2.TransportError as error:
            if began:
                fail(f"What the server sent broke off: {error}", "Nothing of it can be relied on; try again.")
                raise typer.Exit(Exit.UNAVAILABLE) from None
            raise self._no_answer(error) from None

    def _tell_incomplete(self, cells: list[str]) -> None:
        """Once for each cell, however many pages it is missing from."""
        if new := [cell for cell in cells if cell not in self._missing]:
            self._missing += new
            note(f"These cells could not be asked, so that their tenants are missing: {', '.join(new)}")

    def _no_answer(self, error: httpx2.TransportError) -> typer.Exit:
        address = str(self._client.base_url).rstrip("/")
        fail(
            f"No answer from {address}: {str(error) or type(error).__name__}",
            "Is the server running? Set its address with --url or ENFILADE_URL.",
        )
        return typer.Exit(Exit.UNAVAILABLE)


def server_address(url: str | None, settings: Settings) -> str:
    """The server's address, from an option or the environment."""
    address = (url or settings.url).rstrip("/")
    if not address.startswith(("http://", "https://")):
        fail(f"{address!r} is no server's address.", "It looks like http://127.0.0.1:8080; see --url and ENFILADE_URL.")
        raise typer.Exit(Exit.USAGE)
    return address


def remote(url: str | None, key: str | None) -> Remote:
    """A client for a server, from options, the environment, or whoever signed in."""
    settings = Settings()
    address = server_address(url, settings)
    secret = key or (settings.key.get_secret_value() if settings.key else None) or kept_token(settings, address)
    if secret is None:
        fail("This command needs a key.", "Give one with --key, set ENFILADE_KEY, or sign in with `enfilade login`.")
        raise typer.Exit(Exit.UNAUTHORISED)
    client = httpx2.Client(
        base_url=address,
        headers={"authorization": f"Bearer {secret}", "user-agent": "enfilade-cli"},
        timeout=TIMEOUT_S,
    )
    atexit.register(client.close)
    return Remote(client)


def segment(name: str) -> str:
    """A name as a part of an address."""
    return quote(name, safe="")


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is lost; without a terminal, only `--yes` will do."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail("This needs to be confirmed.", "Add --yes.")
        raise typer.Exit(Exit.USAGE)
    typer.confirm(question, abort=True)


def _tell(reply: httpx2.Response) -> None:
    try:
        problem = reply.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    code = problem.get("code")
    suffix = f" [{code}]" if code else ""
    faults = problem.get("errors") or []
    for fault in faults:
        fail(f"{fault['path'].partition('.')[2] or fault['path']}: {fault['message']}{suffix}")
    if not faults:
        message = problem.get("detail") or f"The server answered {reply.status_code}; is it an Enfilade?"
        fail(f"{message}{suffix}", REMEDIES.get(str(code)) or problem.get("remedy"))
