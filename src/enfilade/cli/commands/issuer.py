"""`enfilade issuer`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from enfilade.cli.nouns import add_list, add_remove, add_show
from enfilade.cli.output import Exit, done, fail, print_one
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Issuers: who says who people and programs are.")
IssuerUrl = Annotated[str | None, typer.Option("--issuer-url", help="What its tokens say in `iss`.")]
Audience = Annotated[list[str] | None, typer.Option("--audience", help="For whom access tokens are made out; repeat.")]
ClientId = Annotated[str | None, typer.Option("--client-id", help="Who we are to it; for signing in.")]
SecretFile = Annotated[
    Path | None, typer.Option("--client-secret-file", help="A file with the secret by which it knows us.")
]
GroupRole = Annotated[list[str] | None, typer.Option("--role", help="GROUP=ROLE: the role that a group gives; repeat.")]
Domain = Annotated[list[str] | None, typer.Option("--email-domain", help="Whose addresses are accepted; repeat.")]
Required = Annotated[list[str] | None, typer.Option("--require", help="CLAIM=VALUE that every token must say; repeat.")]
CreateUsers = Annotated[bool | None, typer.Option(help="Make users of people who are not known yet.")]
TrustEmail = Annotated[bool | None, typer.Option(help="Take addresses for verified although tokens do not say so.")]
Private = Annotated[
    bool | None,
    typer.Option(
        "--allow-private-network/--deny-private-network", help="Whether its address may be private or loopback."
    ),
]


add_list(
    APP,
    "/issuers",
    "List issuers.",
    {"tenant": "tenant", "name": "name", "address": "url", "audiences": "audiences", "client id": "client_id"},
    empty="There is no issuer yet.",
)
add_show(APP, "/issuers", "Show an issuer.")


@APP.command()
def create(
    name: str,
    issuer_url: Annotated[str, typer.Option("--issuer-url", help="What its tokens say in `iss`.")],
    tenant: TenantOption = None,
    audiences: Audience = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    roles: GroupRole = None,
    domains: Domain = None,
    required: Required = None,
    create_users: CreateUsers = None,
    trust_email: TrustEmail = None,
    private: Private = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Declare an issuer. What there are no options for is said in a configuration file."""
    given = _given(audiences, client_id, secret_file, roles, domains, required)
    body = (
        {"name": name, "url": issuer_url}
        | given
        | _switches(create_users=create_users, trust_email=trust_email, allow_private_network=private)
    )
    remote(url, key).request("POST", "/issuers", params={"tenant": tenant}, json=body)
    done(f"Issuer {name} declared. Ask it with: enfilade issuer test {name}")


@APP.command()
def change(
    name: str,
    tenant: TenantOption = None,
    issuer_url: IssuerUrl = None,
    audiences: Audience = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    roles: GroupRole = None,
    domains: Domain = None,
    required: Required = None,
    create_users: CreateUsers = None,
    trust_email: TrustEmail = None,
    private: Private = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Change an issuer; what is not given stays."""
    server = remote(url, key)
    present = server.get(f"/issuers/{segment(name)}", tenant=tenant)
    for field in ("id", "tenant", "has_client_secret"):
        del present[field]
    headers = {"if-match": f'"{present.pop("version")}"'}
    given = _given(audiences, client_id, secret_file, roles, domains, required)
    body = (
        present | given | _switches(create_users=create_users, trust_email=trust_email, allow_private_network=private)
    )
    if issuer_url is not None:
        body["url"] = issuer_url
    server.request("PUT", f"/issuers/{segment(name)}", params={"tenant": tenant}, json=body, headers=headers)
    done(f"Issuer {name} changed.")


add_remove(
    APP,
    "/issuers",
    "Remove an issuer: its tokens are refused, and the sessions that it vouched for end.",
    question="Remove the issuer {name}? Whoever came in by it has to sign in otherwise.",
    answer="Issuer {name} removed.",
)


@APP.command(name="test")
def ask(
    name: str, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Ask an issuer for its documents now, and tell what is wrong with them."""
    found = remote(url, key).request("POST", f"/issuers/{segment(name)}/test", params={"tenant": tenant})
    print_one(found, as_json=as_json)
    if not found["reachable"]:
        raise typer.Exit(Exit.UNHEALTHY)


def _given(
    audiences: list[str] | None,
    client_id: str | None,
    secret_file: Path | None,
    roles: list[str] | None,
    domains: list[str] | None,
    required: list[str] | None,
) -> dict[str, Any]:
    """What was given on the command line, as the API takes it."""
    by_group: dict[str, list[str]] = {}
    for group, role in _pairs(roles, "--role"):
        by_group.setdefault(group, []).append(role)
    fields: dict[str, Any] = {
        "audiences": audiences,
        "client_id": client_id,
        "roles": by_group or None,
        "email_domains": domains,
        "required_claims": dict(_pairs(required, "--require")) or None,
    }
    if secret_file is not None:
        try:
            fields["client_secret"] = {"value": secret_file.read_text(encoding="utf-8").strip()}
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{secret_file} cannot be read: {error}")
            raise typer.Exit(Exit.USAGE) from None
    return {name: value for name, value in fields.items() if value is not None}


def _switches(**switches: bool | None) -> dict[str, bool]:
    return {name: value for name, value in switches.items() if value is not None}


def _pairs(given: list[str] | None, option: str) -> list[tuple[str, str]]:
    pairs = [entry.partition("=") for entry in given or ()]
    for name, equals, value in pairs:
        if not (name and equals and value):
            fail(f"{option} takes NAME=VALUE.")
            raise typer.Exit(Exit.USAGE)
    return [(name, value) for name, _, value in pairs]
