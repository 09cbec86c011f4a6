"""Options of providers that are secrets: referred to or sealed, sent to the provider, and shown to nobody."""

import json
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient

from enfilade.providers.authority import Authority, AuthorityNeeds, Headers, Signable
from enfilade.providers.http_provider import HttpAdapter, bearer
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.outbound import REPLIES
from tests.support.upstream import Upstream, open_upstream, reply
from tests.support.world import world

SECRET = "an-option-secret-that-nobody-may-see"
OTHER = "another-secret-that-nobody-may-see"
PATH = "/api/v1/providers"


class Passwords:
    """Shows the secrets as they are; see `Authority`."""

    def __init__(self, needs: AuthorityNeeds) -> None:
        self._secrets = needs.secrets

    async def headers(self, request: Signable) -> Headers:
        del request
        return tuple((f"x-{name}".encode(), secret.value().encode()) for name, secret in self._secrets.items())

    def refused(self) -> None:
        """Nothing is kept."""


def guarded(needs: AuthorityNeeds) -> Authority:
    return Passwords(needs)


GUARDED = HttpAdapter(
    kind="guarded",
    needs_key=False,
    paths={"openai_chat": "/chat/completions"},
    authorize=bearer,
    authority=guarded,
    options=frozenset({"realm"}),
    secret_options=frozenset({"password", "token"}),
)


def provider(upstream: Upstream | None = None, **options: Any) -> dict[str, Any]:
    """A provider of a kind with two secret options."""
    url = upstream.url if upstream is not None else "http://127.0.0.1:1/v1"
    return {"name": "vault", "kind": "guarded", "base_url": url, "allow_private_network": True, "options": options}


def document(body: dict[str, Any]) -> dict[str, Any]:
    made = world()
    made["providers"].append(body)
    made["models"].append(
        {
            "name": "guarded",
            "deployments": [{"provider": "vault", "model": "m"}],
            "max_output_tokens": 10,
            "price": {"input": 1, "output": 1},
        }
    )
    return made


@pytest.fixture
async def vaulted(house: House) -> House:
    """A house that knows the kind."""
    house.parts.providers.adapters._by_kind["guarded"] = GUARDED
    return house


async def put(client: AsyncClient, body: dict[str, Any]) -> Any:
    return await client.put(f"{PATH}/vault", json=body)


async def everything(house: House) -> str:
    """All that can be read of a house: what is exported, listed, recorded and logged."""
    client = house.admin()
    read = [await client.get(path) for path in (PATH, "/api/v1/configuration", "/api/v1/events?limit=200")]
    return "".join(one.text for one in read) + house.log_lines()


async def test_sealed_and_referred_options_reach_the_provider(vaulted: House, tmp_path: Path) -> None:
    async with open_upstream(reply(REPLIES["openai_chat"])) as upstream:
        await vaulted.apply(document(provider(upstream, password={"value": SECRET}, token={"value": OTHER})))
        ask = {"model": "guarded", "messages": [{"role": "user", "content": "Hi"}]}
        answer = await vaulted.client().post("/v1/chat/completions", json=ask)
        assert answer.status_code == 200, answer.text
        assert upstream.seen[0].header("x-password") == SECRET
        assert upstream.seen[0].header("x-token") == OTHER
        assert upstream.seen[0].header("authorization") is None
        changed = document(provider(upstream, password={"value": OTHER}, token={"sealed": "provider:vault:token"}))
        await vaulted.apply(changed)
        await vaulted.client().post("/v1/chat/completions", json=ask)
        assert upstream.seen[1].header("x-password") == OTHER
        assert upstream.seen[1].header("x-token") == OTHER
    text = await everything(vaulted)
    assert SECRET not in text
    assert OTHER not in text


async def test_variables_and_files_are_followed_within_the_operators_bounds(database: Address, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{OTHER}\n")
    options = HouseOptions(environment={"VAULT_API_KEY": SECRET, "HOME": "x"}, secret_dirs=[tmp_path])
    async with open_house(database, options) as house, open_upstream(reply(REPLIES["openai_chat"])) as upstream:
        house.parts.providers.adapters._by_kind["guarded"] = GUARDED
        good = provider(upstream, password={"env": "VAULT_API_KEY"}, token={"file": str(tmp_path / "token")})
        await house.apply(document(good))
        ask = {"model": "guarded", "messages": [{"role": "user", "content": "Hi"}]}
        assert (await house.client().post("/v1/chat/completions", json=ask)).status_code == 200
        assert upstream.seen[0].header("x-password") == SECRET
        assert upstream.seen[0].header("x-token") == OTHER
        for bad, param in (
            ({"password": {"env": "HOME"}}, "options.password.env"),
            ({"token": {"file": "/etc/passwd"}}, "options.token.file"),
        ):
            refused = await put(house.admin(), provider(upstream, **bad))
            assert (refused.status_code, refused.json()["param"]) == (422, param), refused.text


@pytest.mark.parametrize(
    "value", [SECRET, 5, True, None, [], {}, {"value": SECRET, "env": "A"}, {"chest": SECRET}, {"value": [SECRET]}]
)
async def test_a_secret_option_is_given_as_a_reference_only(vaulted: House, value: Any) -> None:
    """The refusal does not repeat what was given."""
    refused = await vaulted.admin().post(PATH, json=provider(password=value))
    assert refused.status_code == 422
    assert SECRET not in refused.text
    assert "{value: TEXT}" in refused.text
    assert SECRET not in vaulted.log_lines()


async def test_an_option_that_is_no_secret_is_given_as_text_only(vaulted: House) -> None:
    refused = await vaulted.admin().post(PATH, json=provider(realm={"value": SECRET}))
    assert refused.status_code == 422
    assert "realm must be a printable text" in refused.text
    refused = await vaulted.admin().post(PATH, json=provider() | {"kind": "openai_compatible", "options": {"a": {}}})
    assert refused.status_code == 422


async def test_what_is_shown_can_be_sent_back(vaulted: House) -> None:
    client = vaulted.admin()
    body = provider(password={"value": SECRET}, token={"env": "T_API_KEY"}, realm="x")
    assert (await client.post(PATH, json=body)).status_code == 201
    shown = (await client.get(f"{PATH}/vault")).json()
    assert {k: v for k, v in shown["options"]["password"].items() if v} == {"sealed": "provider:vault:password"}
    assert {k: v for k, v in shown["options"]["token"].items() if v} == {"env": "T_API_KEY"}
    back = {name: value for name, value in shown.items() if name not in {"id", "version"}}
    again = await put(client, back)
    assert again.status_code == 200, again.text
    assert again.json()["version"] == shown["version"]


async def test_a_sealed_option_is_not_sent_elsewhere(vaulted: House) -> None:
    """Whoever changes the address or another option must know the secret."""
    client = vaulted.admin()
    assert (await client.post(PATH, json=provider(password={"value": SECRET}))).status_code == 201
    kept = {"sealed": "provider:vault:password"}
    elsewhere = provider(password=kept) | {"base_url": "https://attacker.example"}
    for bad in (elsewhere, provider(password=kept, realm="y"), provider(password={"sealed": "provider:sim"})):
        refused = await put(client, bad)
        assert (refused.status_code, refused.json()["param"]) == (422, "options.password"), refused.text
    stolen = provider(password=kept) | {"name": "thief"}
    assert (await client.post(PATH, json=stolen)).status_code == 422
    swapped = provider(token={"sealed": "provider:vault:token"}, password=kept)
    assert (await put(client, swapped)).json()["param"] == "options.token"
    assert (await put(client, provider(password={"value": OTHER}, realm="y"))).status_code == 200


async def test_what_is_not_referred_to_any_more_is_forgotten(vaulted: House) -> None:
    client = vaulted.admin()

    async def sealed() -> set[str]:
        async with vaulted.parts.database.owner() as connection:
            rows = await connection.fetch("SELECT name FROM enfilade.secrets WHERE starts_with(name, 'provider:vault')")
        return {row["name"] for row in rows}

    body = provider(password={"value": SECRET}, token={"value": OTHER}) | {"api_key": {"value": "k"}}
    assert (await client.post(PATH, json=body)).status_code == 201
    assert await sealed() == {"provider:vault", "provider:vault:password", "provider:vault:token"}
    assert (await client.post(PATH, json=body | {"name": "vault-2"})).status_code == 201
    assert (await put(client, provider(password={"env": "P_API_KEY"}, token={"value": OTHER}))).status_code == 200
    assert await sealed() == {
        "provider:vault:token",
        "provider:vault-2",
        "provider:vault-2:password",
        "provider:vault-2:token",
    }
    assert (await client.delete(f"{PATH}/vault")).status_code == 204
    assert await sealed() == {"provider:vault-2", "provider:vault-2:password", "provider:vault-2:token"}


async def test_a_value_that_did_not_change_changes_nothing(vaulted: House) -> None:
    client = vaulted.admin()
    body = provider(password={"value": SECRET})
    first = (await client.post(PATH, json=body)).json()
    assert (await put(client, body)).json()["version"] == first["version"]
    assert (await put(client, provider(password={"value": OTHER}))).json()["version"] == first["version"] + 1
    assert json.dumps(first).count(SECRET) == 0
