"""A provider's key is replaced without an outage: the new one first, the old one while its grace lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from enfilade.cli.commands.provider import APP
from enfilade.core.clock import ManualClock
from enfilade.providers.credentials import FILE_CHECK_S
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.outbound import REPLIES
from tests.support.upstream import Seen, Upstream, Wire, open_upstream, reply, stream
from tests.support.world import OWNER_KEY, world

PATH = "/api/v1/providers/up"
ASK = {"model": "rotated", "messages": [{"role": "user", "content": "Hi"}]}
HOUR = 3600.0
ENVIRONMENT = {"A_API_KEY": "key-from-a", "B_API_KEY": "key-from-b"}
OLD, NEW, NEWER = "the-old-key-of-up", "the-new-key-of-up", "the-newest-key-of-up"


class Doorman:
    """An upstream that knows some keys."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.status = 401
        self.shown: list[str] = []
        self.answer = reply(REPLIES["openai_chat"] | {"usage": {"prompt_tokens": 3, "completion_tokens": 2}})

    async def step(self, seen: Seen, wire: Wire) -> None:
        key = (seen.header("authorization") or "").removeprefix("Bearer ")
        self.shown.append(key)
        if key in self.known:
            await self.answer(seen, wire)
        else:
            await reply({"error": {"message": f"Incorrect API key provided: {key}"}}, self.status)(seen, wire)

    def take(self) -> list[str]:
        """The keys that were shown since the last time."""
        shown, self.shown = self.shown, []
        return shown


def document(upstream: Upstream, api_key: dict[str, str]) -> dict[str, Any]:
    made = world()
    made["providers"].append(
        {
            "name": "up",
            "kind": "openai_compatible",
            "base_url": upstream.url,
            "allow_private_network": True,
            "api_key": api_key,
        }
    )
    made["models"].append(
        {
            "name": "rotated",
            "deployments": [{"provider": "up", "model": "m"}],
            "max_output_tokens": 10,
            "price": {"input": 1, "output": 1},
        }
    )
    return made


@asynccontextmanager
async def rotating(
    database: Address, door: Doorman, api_key: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[tuple[House, ManualClock]]:
    """A house with a provider that the doorman guards, and a clock that stands still."""
    clock = ManualClock()
    async with open_upstream(door.step) as upstream:
        made = document(upstream, api_key or {"value": OLD})
        wanted = HouseOptions(clock=clock, environment=ENVIRONMENT, document=made, **options)
        async with open_house(database, wanted) as house:
            yield house, clock


async def call(house: House, **more: Any) -> int:
    answer = await house.client().post("/v1/chat/completions", json=ASK | more)
    await answer.aread()
    return answer.status_code


async def rotate(house: House, api_key: dict[str, str], grace: Any = "24h") -> Any:
    answer = await house.admin().post(f"{PATH}/rotate-key", json={"api_key": api_key, "grace": grace})
    if answer.status_code == 200:
        await house.parts.directory.refresh()
    return answer


async def sealed(house: House) -> set[str]:
    async with house.parts.database.owner() as connection:
        rows = await connection.fetch("SELECT name FROM enfilade.secrets WHERE starts_with(name, 'provider:up')")
    return {row["name"] for row in rows}


async def events(house: House) -> list[str]:
    found = (await house.admin().get("/api/v1/events?limit=200")).json()["items"]
    return [event["type"] for event in found if event["type"].startswith("ProviderKey")]


async def test_the_old_key_serves_until_the_provider_knows_the_new_one(database: Address) -> None:
    door = Doorman(OLD)
    async with rotating(database, door) as (house, clock):
        assert (await call(house), door.take()) == (200, [OLD])
        shown = (await rotate(house, {"value": NEW})).json()
        assert {name: value for name, value in shown["api_key"].items() if value} == {"sealed": "provider:up"}
        assert shown["previous_api_key"]["sealed"] == "provider:up:previous_api_key"
        assert shown["previous_api_key"]["until"] == "2026-11-03T12:00:00.000000Z"
        assert (await call(house), door.take()) == (200, [NEW, OLD])
        assert (await call(house), door.take()) == (200, [NEW, OLD])
        door.known = {OLD, NEW}
        assert (await call(house), door.take()) == (200, [NEW])
        await house.parts.key_rotation.tend()
        assert await events(house) == ["ProviderKeyRotated", "ProviderKeyFellBack"]
        assert 'enfilade_provider_key_fallbacks_total{provider="up"} 2.0' in house.parts.metrics.render().decode()
        clock.advance(24 * HOUR + 1)
        door.known = {OLD}
        assert (await call(house), door.take()) == (502, [NEW])
        await house.parts.key_rotation.tend()
        await house.parts.directory.refresh()
        assert await sealed(house) == {"provider:up"}
        assert (await house.admin().get(PATH)).json()["previous_api_key"] is None
        assert (await events(house))[-1] == "ProviderKeyForgotten"


async def test_neither_key_is_shown_to_anybody(database: Address) -> None:
    door = Doorman()
    async with rotating(database, door) as (house, _):
        await rotate(house, {"value": NEW})
        refused = await house.client().post("/v1/chat/completions", json=ASK)
        assert (refused.status_code, door.take()) == (502, [NEW, OLD])
        assert refused.json()["error"]["code"] == "provider_credentials_refused"
        client = house.admin()
        paths = (PATH, "/api/v1/providers", "/api/v1/configuration", "/api/v1/events?limit=200", "/api/v1/calls")
        text = refused.text + "".join([(await client.get(path)).text for path in paths]) + house.log_lines()
        assert OLD not in text
        assert NEW not in text
        assert "key_fallbacks" not in house.parts.metrics.render().decode()


async def test_the_caller_pays_for_one_answer(database: Address) -> None:
    door = Doorman(OLD)
    async with rotating(database, door) as (house, _):
        await rotate(house, {"value": NEW})
        assert await call(house) == 200
        calls = (await house.admin().get("/api/v1/calls")).json()["items"]
        found = [(one["http_status"], one["usage"]["total_tokens"], one["estimated"], one["attempts"]) for one in calls]
        assert found == [(200, 5, False, 1)]
        assert not house.parts.meter_book.holds


async def test_a_stream_begins_with_the_old_key_as_well(database: Address) -> None:
    door = Doorman(OLD)
    door.status = 403
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
    door.answer = stream([chunk, b"data: [DONE]\n\n"])
    async with rotating(database, door) as (house, _):
        await rotate(house, {"env": "B_API_KEY"})
        answer = await house.client().post("/v1/chat/completions", json=ASK | {"stream": True})
        assert answer.status_code == 200
        assert b"Hi" in answer.content
        assert door.take() == ["key-from-b", OLD]


async def test_what_is_no_refusal_of_the_key_is_not_tried_with_the_old_one(database: Address) -> None:
    door = Doorman(OLD)
    async with rotating(database, door) as (house, clock):
        await rotate(house, {"env": "B_API_KEY"})
        door.known = {OLD, "key-from-b"}
        for status in (400, 404, 429, 500):
            door.answer = reply({"error": {"message": "Not now"}}, status)
            running = asyncio.create_task(call(house))
            while not running.done():  # Retries wait on the clock.
                await asyncio.sleep(0)
                clock.advance(0.5)
            assert await running >= 400
            assert set(door.take()) == {"key-from-b"}, status


async def test_a_new_reference_that_leads_nowhere_costs_no_outage(database: Address) -> None:
    door = Doorman(OLD)
    async with rotating(database, door) as (house, _):
        await rotate(house, {"env": "ABSENT_API_KEY"})
        assert (await call(house), door.take()) == (200, [OLD])
        await rotate(house, {"value": NEW}, grace=0)
        assert (await call(house), door.take()) == (502, [NEW])


async def test_rotating_again_forgets_the_key_before_the_last(database: Address) -> None:
    door = Doorman(NEW)
    async with rotating(database, door) as (house, _):
        await rotate(house, {"value": NEW})
        await rotate(house, {"value": NEWER})
        assert (await call(house), door.take()) == (200, [NEWER, NEW])
        assert await sealed(house) == {"provider:up", "provider:up:previous_api_key"}
        await rotate(house, {"env": "A_API_KEY"}, grace=0)
        assert await sealed(house) == set()


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"api_key": {"sealed": "provider:up"}}, "api_key"),
    ({"api_key": {"env": "A_API_KEY"}}, "api_key"),
    ({"api_key": {"env": "HOME"}}, "api_key.env"),
    ({"api_key": {"file": "/etc/passwd"}}, "api_key.file"),
    ({"api_key": {"vault": "secret/a#k"}}, "api_key.vault"),
    ({"api_key": {"vault": "../sys#k"}}, "api_key.vault"),
    ({"api_key": {"env": "B_API_KEY"}, "grace": "31d"}, "body.grace"),
    ({"api_key": {}}, "body.api_key"),
    ({}, "body.api_key"),
]


async def test_what_cannot_be_a_new_key_is_refused(house: House) -> None:
    client = house.admin()
    async with open_upstream(reply({})) as upstream:
        await house.apply(document(upstream, {"env": "A_API_KEY"}))
        before = (await client.get(PATH)).json()
        for body, param in REFUSED:
            refused = await client.post(f"{PATH}/rotate-key", json=body)
            assert refused.status_code == 422, refused.text
            problem = refused.json()
            assert problem.get("param") == param or problem["errors"][0]["path"] == param, problem
        body, guarded = {"api_key": {"env": "B_API_KEY"}}, {"if-match": '"7"'}
        assert (await client.post(f"{PATH}/rotate-key", json=body, headers=guarded)).status_code == 412
        assert (await client.get(PATH)).json() == before
        without = await client.post("/api/v1/providers/sim/rotate-key", json=body)
        assert (without.status_code, without.json()["param"]) == (422, "api_key")
        assert (await client.post("/api/v1/providers/none/rotate-key", json=body)).status_code == 404


async def test_a_configuration_does_not_know_of_the_old_key(database: Address) -> None:
    door = Doorman(OLD)
    async with rotating(database, door) as (house, _):
        client = house.admin()
        await rotate(house, {"value": NEW})
        exported = (await client.get("/api/v1/configuration")).json()
        text = (await client.get("/api/v1/configuration")).text
        assert "previous" not in text
        provider = next(one for one in exported["providers"] if one["name"] == "up")
        plan = await client.post("/api/v1/configuration/plan", json=exported)
        assert plan.status_code == 200, plan.text
        assert [change for change in plan.json()["changes"] if change["kind"] == "provider"] == []
        version = (await client.get(PATH)).json()["version"]
        changed = await client.put(PATH, json=provider | {"region": "elsewhere"})
        assert changed.json()["previous_api_key"] is not None, changed.text
        assert changed.json()["version"] == version + 1
        shown = {name: value for name, value in changed.json().items() if name not in {"id", "version"}}
        assert (await client.put(PATH, json=shown)).json()["version"] == version + 1


async def test_an_old_key_is_sent_nowhere_else(database: Address) -> None:
    """Whoever changes the address of a provider must know its keys."""
    door = Doorman(OLD)
    async with rotating(database, door) as (house, _):
        client = house.admin()
        await rotate(house, {"env": "B_API_KEY"})
        body = {name: value for name, value in (await client.get(PATH)).json().items() if name not in {"id", "version"}}
        moved = await client.put(PATH, json=body | {"base_url": "https://elsewhere.example"})
        assert moved.status_code == 200, moved.text
        assert moved.json()["previous_api_key"] is None
        assert await sealed(house) == set()


async def test_another_key_given_by_a_change_is_a_change_without_grace(database: Address) -> None:
    door = Doorman(OLD)
    async with rotating(database, door) as (house, _):
        client = house.admin()
        await rotate(house, {"value": NEW})
        body = {name: value for name, value in (await client.get(PATH)).json().items() if name not in {"id", "version"}}
        changed = await client.put(PATH, json=body | {"api_key": {"value": NEWER}})
        assert changed.json()["previous_api_key"] is None, changed.text
        assert await sealed(house) == {"provider:up"}


async def test_a_file_that_changed_serves_with_what_it_held_before(database: Address, tmp_path: Path) -> None:
    door, file = Doorman(OLD), tmp_path / "key"
    file.write_text(OLD)
    async with rotating(database, door, {"file": str(file)}, secret_dirs=[tmp_path]) as (house, clock):
        assert (await call(house), door.take()) == (200, [OLD])
        file.write_text(NEW + "\n")
        clock.advance(FILE_CHECK_S + 1)
        assert (await call(house), door.take()) == (200, [NEW, OLD])
        changed = (await house.admin().get(PATH)).json()
        body = {name: value for name, value in changed.items() if name not in {"id", "version"}}
        assert (await house.admin().put(PATH, json=body | {"region": "elsewhere"})).status_code == 200
        await house.parts.directory.refresh()
        assert (await call(house), door.take()) == (200, [NEW, OLD])
        file.unlink()
        clock.advance(24 * HOUR)
        assert (await call(house), door.take()) == (502, [NEW])
        file.write_text("")
        assert "the-" not in house.log_lines()


async def test_the_command_line_rotates_and_shows(database: Address) -> None:
    door = Doorman(OLD)
    async with rotating(database, door) as (house, _):
        runner = CliRunner()
        server = ["--url", house.url, "--key", OWNER_KEY]

        async def run(*arguments: str, given: str | None = None) -> Any:
            return await asyncio.to_thread(runner.invoke, APP, [*arguments, *server], input=given)

        done = await run("rotate-key", "up", "--value", "--grace", "2h", given=NEW + "\n")
        assert done.exit_code == 0, done.output
        assert "until 2026-11-02T14:00:00" in done.output
        shown = await run("show", "up")
        assert "provider:up:previous_api_key" in shown.output
        assert NEW not in done.output + shown.output
        await house.parts.directory.refresh()
        assert (await call(house), door.take()) == (200, [NEW, OLD])
        for wrong in (["rotate-key", "up"], ["rotate-key", "up", "--env", "A_API_KEY", "--file", "/x"]):
            assert (await run(*wrong)).exit_code == 2
        assert (await run("rotate-key", "up", "--value", given=" \n")).exit_code == 2
