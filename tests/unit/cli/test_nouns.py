"""Lists, things and their removal look alike, whatever the noun."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Client, MockTransport, Request, Response
from typer.testing import CliRunner

from enfilade.cli.output import Exit
from enfilade.cli.root import ROOT

Asked = list[tuple[str, str, dict[str, str]]]
Serve = Callable[[Any], Asked]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """A server that answers everything alike, and what it is asked."""

    def served(answer: Any) -> Asked:
        asked: Asked = []

        def reply(request: Request) -> Response:
            asked.append((request.method, request.url.raw_path.decode().partition("?")[0], dict(request.url.params)))
            return Response(204) if request.method == "DELETE" else Response(200, json=answer)

        client = Client(base_url="http://server", transport=MockTransport(reply))
        monkeypatch.setattr("enfilade.cli.remote.httpx2.Client", lambda **_options: client)
        return asked

    return served


def run(*arguments: str) -> Any:
    return CliRunner().invoke(ROOT, list(arguments), env={"ENFILADE_KEY": "k", "ENFILADE_URL": "http://server"})


LISTS: tuple[tuple[str, str, dict[str, Any], list[str], list[str]], ...] = (
    (
        "group list",
        "/api/v1/groups",
        {"tenant": "acme", "name": "eng", "members": ["a@b.example", "c@d.example"], "source": "scim"},
        ["tenant", "name", "members", "source"],
        ["acme", "eng", "2", "scim"],
    ),
    (
        "issuer list",
        "/api/v1/issuers",
        {"tenant": "acme", "name": "idp", "url": "https://idp.example", "audiences": ["x", "y"], "client_id": None},
        ["tenant", "name", "address", "audiences", "client id"],
        ["acme", "idp", "https://idp.example", "x, y", "–"],  # noqa: RUF001 - an en dash stands for nothing
    ),
    (
        "app list",
        "/api/v1/applications",
        {"tenant": "acme", "name": "bot", "department": "r", "allowed_models": ["*"], "cache": {"ttl": "300s"}},
        ["tenant", "name", "department", "models", "cache"],
        ["acme", "bot", "r", "*", "300s"],
    ),
    (
        "app list",
        "/api/v1/applications",
        {"tenant": "acme", "name": "bot", "department": None, "allowed_models": ["*"], "cache": None},
        ["tenant", "name", "department", "models", "cache"],
        ["acme", "bot", "–", "*", "–"],  # noqa: RUF001
    ),
    (
        "key list",
        "/api/v1/keys",
        {"tenant": "acme", "name": "k", "application": None, "user": "a@b.example", "roles": ["admin"], "scopes": []}
        | {"expires": "2027-01-01T00:00:00Z", "allowed_ips": ["10.0.0.0/8"], "last_used_at": None},
        ["tenant", "name", "for", "roles", "expires", "networks", "scopes", "last used"],
        ["acme", "k", "a@b.example", "admin", "2027-01-01", "10.0.0.0/8", "–", "never"],  # noqa: RUF001
    ),
    (
        "role list",
        "/api/v1/roles",
        {"tenant": "acme", "name": "owner", "built_in": True, "permissions": ["a", "b"], "description": "All."},
        ["tenant", "role", "kind", "permissions", "description"],
        ["acme", "owner", "built in", "2", "All."],
    ),
    (
        "role list --assignments",
        "/api/v1/role-assignments",
        {"tenant": "acme", "role": "admin", "user": None, "group": "eng", "department": "r", "application": None}
        | {"source": "local", "id": "7"},
        ["tenant", "role", "for", "where", "source", "id"],
        ["acme", "admin", "eng", "department r", "local", "7"],
    ),
    (
        "user list",
        "/api/v1/users",
        {"tenant": "acme", "email": "a@b.example", "display_name": "Ann", "department": "r", "roles": ["member"]}
        | {"active": False, "source": "scim"},
        ["tenant", "e-mail", "name", "department", "roles", "active", "source"],
        ["acme", "a@b.example", "Ann", "r", "member", "no", "scim"],
    ),
    (
        "limit list",
        "/api/v1/limits",
        {"tenant": "acme", "scope": "tenant", "model": "m", "tokens": 5, "requests": None, "per": "day", "id": "7"},
        ["tenant", "scope", "model", "of", "amount", "per", "id"],
        ["acme", "tenant", "m", "tokens", "5", "day", "7"],
    ),
    (
        "credit list",
        "/api/v1/credits",
        {"tenant": "acme", "reason": "sorry", "amount_usd": "5.000000000", "left_usd": "1.500000000", "id": "7"}
        | {"granted_at": "2026-11-02T12:00:00Z", "expires_at": None},
        ["tenant", "reason", "granted", "left", "on", "expires", "id"],
        ["acme", "sorry", "$5.00", "$1.50", "2026-11-02", "never", "7"],
    ),
    (
        "session list",
        "/api/v1/sessions",
        {"id": "7", "user": "a@b.example", "methods": ["oidc"], "address": "::1", "used_at": "u", "expires_at": "e"},
        ["id", "user", "by", "address", "last used", "ends"],
        ["7", "a@b.example", "oidc", "::1", "u", "e"],
    ),
    (
        "provider list",
        "/api/v1/providers",
        {
            "name": "p",
            "kind": "openai",
            "base_url": "u",
            "region": "eu",
            "zone": "public_cloud",
            "api_key": {"env": "K"},
        },
        ["name", "kind", "address", "region", "zone", "key"],
        ["p", "openai", "u", "eu", "public_cloud", "env: K"],
    ),
)


@pytest.mark.parametrize(("command", "path", "item", "headings", "cells"), LISTS, ids=[row[0] for row in LISTS])
def test_a_list_has_each_value_under_its_heading(
    serve: Serve, command: str, path: str, item: dict[str, Any], headings: list[str], cells: list[str]
) -> None:
    asked = serve({"items": [item], "next": None})
    shown = run(*command.split())
    assert shown.exit_code == Exit.OK, shown.output
    heading, row = shown.stdout.splitlines()
    assert heading.split() == " ".join(headings).split()
    assert row.split() == " ".join(cells).split()
    assert asked == [("GET", path, {"limit": "500"})]
    assert json.loads(run(*command.split(), "--json").stdout) == [item]
    serve({"items": [], "next": None})
    empty = run(*command.split())
    assert (empty.exit_code, empty.stdout) == (Exit.OK, "")
    assert empty.stderr.strip()


@pytest.mark.parametrize("noun", ["group", "issuer", "app", "key", "role"])
def test_one_of_a_kind_is_shown_by_its_name(serve: Serve, noun: str) -> None:
    asked = serve({"name": "a b/c", "last_used_at": None})
    shown = run(noun, "show", "a b/c", "--tenant", "acme")
    assert shown.exit_code == Exit.OK, shown.output
    assert [line.split(maxsplit=1)[0] for line in shown.stdout.splitlines()] == ["name", "last"]
    assert json.loads(run(noun, "show", "a b/c", "--json").stdout) == {"name": "a b/c", "last_used_at": None}
    kind = "applications" if noun == "app" else f"{noun}s"
    assert asked[0] == ("GET", f"/api/v1/{kind}/a%20b%2Fc", {"tenant": "acme"})


@pytest.mark.parametrize(
    ("noun", "told"), [("group", "Group"), ("issuer", "Issuer"), ("app", "Application"), ("role", "Role")]
)
def test_what_is_removed_is_asked_about_first(serve: Serve, noun: str, told: str) -> None:
    asked = serve(None)
    refused = run(noun, "remove", "{x}")
    assert (refused.exit_code, asked) == (Exit.USAGE, [])
    assert "Add --yes." in refused.stderr
    done = run(noun, "remove", "{x}", "--yes", "-t", "acme")
    assert done.exit_code == Exit.OK, done.output
    assert done.stderr.strip() == f"✓ {told} {{x}} removed."
    kind = "applications" if noun == "app" else f"{noun}s"
    assert asked == [("DELETE", f"/api/v1/{kind}/%7Bx%7D", {"tenant": "acme"})]
