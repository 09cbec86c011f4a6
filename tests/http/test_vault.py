"""Providers' keys in Vault: fetched beside the line, followed when they change, kept while Vault is away."""

import asyncio
from pathlib import Path

import pytest

from enfilade.bootstrap.vault import SecretRules, VaultChoice, read_secret
from enfilade.core.clock import ManualClock
from enfilade.core.errors import EnfiladeError
from enfilade.core.fetching import WebRequest
from enfilade.sealing.vault.secrets import Freshness
from enfilade.settings import Settings
from enfilade.storage.address import Address
from tests.support.house import HouseOptions, open_house
from tests.support.upstream import Seen, Step, Wire, open_upstream, reply
from tests.support.vault import FakeVault, refusal
from tests.support.waiting import eventually
from tests.support.world import world

ASK = {"model": "kept", "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}], "model": "m"}


def served(vault: FakeVault) -> Step:
    """The Vault over HTTP."""

    async def step(seen: Seen, wire: Wire) -> None:
        headers = tuple((name.lower(), value) for name, value in seen.headers)
        answer = await vault.fetch(WebRequest(f"http://vault{seen.path}", seen.method, headers, seen.body))
        await reply(answer.body, answer.status, {"connection": "close"})(seen, wire)

    return step


async def test_a_key_in_vault_is_used_followed_and_kept(database: Address) -> None:
    clock = ManualClock()
    vault = FakeVault(clock, secrets={"secret/openai": {"api_key": "sk-one"}})
    made = world()
    async with open_upstream(reply(ANSWER)) as upstream, open_upstream(served(vault)) as server:
        made["providers"].append(
            {
                "name": "up",
                "kind": "openai_compatible",
                "base_url": upstream.url,
                "allow_private_network": True,
                "api_key": {"vault": "secret/openai#api_key"},
            }
        )
        made["models"].append(
            {
                "name": "kept",
                "deployments": [{"provider": "up", "model": "m"}],
                "max_output_tokens": 10,
                "price": {"input": 1, "output": 1},
            }
        )
        address = f"http://127.0.0.1:{server.port}"
        choice = VaultChoice(address, role_id="role", secret_id="secret")
        rules = SecretRules(choice, ["secret/*"], Freshness(refresh_s=30, keep_s=3600), grace_s=600)
        options = HouseOptions(clock=clock, document=made, secrets=rules)
        async with open_house(database, options) as house:

            async def shown() -> str:
                answer = await house.client().post("/v1/chat/completions", json=ASK)
                assert answer.status_code == 200, answer.text
                return upstream.seen[-1].header("authorization") or ""

            assert await shown() == "Bearer sk-one"
            readings = vault.paths().count("secret/data/openai")
            assert await shown() == "Bearer sk-one"
            assert vault.paths().count("secret/data/openai") == readings
            vault.secrets["secret/openai"] = {"api_key": "sk-two"}

            async def passed(seconds: float) -> None:
                before = len(vault.asked)
                clock.advance(seconds)
                await eventually(lambda: len(vault.asked) > before)

            async def shows_two() -> bool:
                return await shown() == "Bearer sk-two"

            await passed(31)
            await eventually(shows_two)
            vault.instead = lambda _: refusal(503, "Vault is sealed")
            await passed(31)
            assert await shown() == "Bearer sk-two"
            admin = house.admin()
            exported = (await admin.get("/api/v1/configuration")).json()
            provider = next(one for one in exported["providers"] if one["name"] == "up")
            given = {name: text for name, text in provider["api_key"].items() if text is not None}
            assert given == {"vault": "secret/openai#api_key"}
            metrics = house.parts.metrics.render().decode()
            assert 'enfilade_vault_secret_age_seconds{path="secret/openai"}' in metrics
            await eventually(lambda: house.parts.secrets.vault.failing() == 1)
            refused = await admin.post(
                "/api/v1/providers", json=provider | {"name": "x", "api_key": {"vault": "a/b#c"}}
            )
            assert (refused.status_code, refused.json()["param"]) == (422, "api_key.vault")
            text = metrics + house.log_lines() + str(exported)
            assert not [word for word in ("sk-one", "sk-two", "hvs.") if word in text]


async def test_a_command_reads_from_vault_with_the_settings_of_its_machine(tmp_path: Path) -> None:
    vault = FakeVault(ManualClock(), version=1, secrets={"secret/keys": {"owner": "the-owners-key"}})
    (tmp_path / "token").write_text(vault.token("hvs.mine"))
    async with open_upstream(served(vault)) as server:
        settings = Settings(vault_addr=f"http://127.0.0.1:{server.port}", vault_token_file=tmp_path / "token")
        assert await read_secret(settings, "secret/keys#owner") == "the-owners-key"
        with pytest.raises(EnfiladeError, match="no field"):
            await read_secret(settings, "secret/keys#absent")
    async with asyncio.timeout(30):
        with pytest.raises(EnfiladeError, match="could not be asked"):
            await read_secret(settings, "secret/keys#owner")
    with pytest.raises(EnfiladeError, match="ENFILADE_VAULT_ADDR"):
        await read_secret(Settings(), "secret/keys#owner")
