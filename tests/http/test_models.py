"""The list of models, and what operators and HTTP clients expect of the server beside calls."""

import asyncio
import json
from urllib.parse import urlsplit

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from enfilade.storage.address import Address
from enfilade.telemetry import names
from enfilade.telemetry.metrics import MAX_SERIES, OTHER, Metrics
from tests.support.data_plane import CHAT, answers_well, checked_error, events_of, question
from tests.support.house import House, HouseOptions, open_house
from tests.support.postgres import TestServer
from tests.support.raw_http import connected, request
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_KEY, OWNER_KEY, world

ECHO = "simulated/echo"
GOOD = question(CHAT, ECHO)


async def test_models_are_listed_in_a_form_that_both_vendors_sdks_read(house: House) -> None:
    reply = await house.client().get("/v1/models")
    assert reply.status_code == 200
    listed = reply.json()
    assert [entry["id"] for entry in listed["data"]] == ["chat", "fast", "simulated/*"]
    assert (listed["object"], listed["has_more"]) == ("list", False)
    assert (listed["first_id"], listed["last_id"]) == ("chat", "simulated/*")
    for entry in listed["data"]:
        assert (entry["object"], entry["type"]) == ("model", "model")
        assert isinstance(entry["created"], int)
        assert entry["owned_by"]
        assert entry["display_name"] == entry["id"]
        assert entry["created_at"].endswith("Z")
    one = await house.client().get("/v1/models/chat", headers={"anthropic-version": "2023-06-01"})
    assert one.json() == listed["data"][0]


@pytest.mark.parametrize("name", ["simulated/echo", "simulated%2Fecho", "fast", "simulated/text-5%2Bslow-1s"])
async def test_a_model_is_found_by_its_name(house: House, name: str) -> None:
    reply = await house.client().get(f"/v1/models/{name}")
    assert reply.status_code == 200
    assert reply.json()["id"] == name.replace("%2F", "/").replace("%2B", "+")


async def test_a_name_is_decoded_once(database: Address) -> None:
    document = world()
    document["models"].append(document["models"][1] | {"name": "half%41"})
    async with open_house(database, HouseOptions(document=document)) as house:
        found = await house.client().get("/v1/models/half%2541")
        assert (found.status_code, found.json().get("id")) == (200, "half%41")


async def test_only_what_the_key_may_use_is_shown(database: Address) -> None:
    document = world()
    document["tenants"][0]["allowed_models"] = ["chat", "simulated/text-*"]
    async with open_house(database, HouseOptions(document=document)) as house:
        acme, globex = house.client(), house.client(GLOBEX_KEY)
        assert [entry["id"] for entry in (await acme.get("/v1/models")).json()["data"]] == ["chat"]
        assert len((await globex.get("/v1/models")).json()["data"]) == 3
        for name, status in (("chat", 200), ("simulated/text-9", 200), ("fast", 404), (ECHO, 404), ("none", 404)):
            reply = await acme.get(f"/v1/models/{name}")
            assert reply.status_code == status, name
            if status == 404:
                assert checked_error(CHAT, reply.content)["code"] == "model_not_found"


async def test_models_are_nobodys_business_without_a_key(house: House) -> None:
    for path in ("/v1/models", "/v1/models/chat"):
        for key, code in ((None, "missing_key"), ("wrong", "invalid_key")):
            reply = await house.client(key).get(path)
            assert (reply.status_code, checked_error(CHAT, reply.content)["code"]) == (401, code)
        assert (await house.client(None).get(path, headers={"x-api-key": ACME_KEY})).status_code == 200


@pytest.mark.parametrize(("key", "status", "word"), [(None, 401, "UNAUTHENTICATED"), (ACME_KEY, 404, "NOT_FOUND")])
async def test_what_geminis_sdk_is_refused_has_googles_form(
    house: House, key: str | None, status: int, word: str
) -> None:
    reply = await house.client(key).get("/v1beta/models/none")
    assert reply.status_code == status
    error = reply.json()["error"]
    assert (error["code"], error["status"]) == (status, word)
    assert error["details"][1]["requestId"] == reply.headers["x-request-id"]


async def test_a_process_that_serves_is_alive_and_ready(house: House) -> None:
    client = house.client(None)
    assert (await client.get("/healthz")).json() == {"status": "alive"}
    ready = await client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert set(ready.json()["checks"].values()) == {True}
    assert ready.headers["cache-control"] == "no-store"


async def test_a_process_whose_database_is_gone_is_alive_and_not_ready_until_it_is_back(
    database: Address, server: TestServer
) -> None:
    async with open_house(database) as house:
        client = house.client(None)

        async def is_ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        async def is_not_ready() -> bool:
            return not await is_ready()

        assert await is_ready()
        name = urlsplit(database.url).path.removeprefix("/")
        async with server.maintenance() as connection:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            try:
                await eventually(is_not_ready, within=30)
                report = (await client.get("/readyz")).json()
                assert report["status"] == "not ready"
                assert False in report["checks"].values()
                assert (await client.get("/healthz")).status_code == 200
            finally:
                await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await eventually(is_ready, within=30)
        await answers_well(house)


async def test_a_process_that_drains_is_not_ready_and_refuses_new_calls(house: House) -> None:
    await house.parts.data_plane.drain(0)
    client = house.client()
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["accepting"]) == (503, False)
    refused = await client.post(CHAT, json=GOOD)
    assert (refused.status_code, checked_error(CHAT, refused.content)["code"]) == (503, "draining")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["connection"] == "close"


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """The figures of one name by their labels' values, in the order of the labels' names."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name:
                found[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


async def test_metrics_count_what_happened(house: House) -> None:
    client = house.client()
    replies = [await client.post(CHAT, json=GOOD) for _ in range(3)]
    await client.post(CHAT, json=question(CHAT, "simulated/fail-400"))
    await client.post(CHAT, json=question(CHAT, "nobody-has-this"))
    text = (await house.client(None).get("/metrics")).text
    calls = samples(text, "enfilade_calls_total")
    assert calls["copilot", ECHO, "2xx", "acme"] == 3
    assert calls["copilot", "simulated/fail-400", "4xx", "acme"] == 1
    assert "nobody-has-this" not in text  # A caller's invention is no label.
    cost = sum(float(reply.headers["x-enfilade-cost-usd"]) for reply in replies)
    assert samples(text, "enfilade_cost_usd_total")["copilot", ECHO, "acme"] == pytest.approx(cost)
    assert samples(text, "enfilade_call_duration_seconds_count")["copilot", ECHO, "acme"] == 3
    assert samples(text, "enfilade_refusals_total")["model_not_found",] == 1
    assert samples(text, "enfilade_upstream_attempts_total")["sim/echo", "ok"] == 3
    assert samples(text, "enfilade_running_calls") == {(): 0}
    assert samples(text, "enfilade_held_usd") == {(): 0}
    declared = {metric.name for metric in names.METRICS}
    shown = {
        line.split()[2].removesuffix("_total") for line in text.splitlines() if line.startswith("# TYPE enfilade_")
    }
    assert shown <= declared
    for secret in (ACME_KEY, OWNER_KEY):
        assert secret not in text


async def test_metrics_are_for_those_who_may_read_them(house: House) -> None:
    """From this very machine no key is needed; a proxy's callers, and whoever presents a key, are asked for the right."""
    assert (await house.client(None).get("/metrics")).status_code == 200
    forwarded = await house.client(None).get("/metrics", headers={"x-forwarded-for": "203.0.113.9"})
    assert (forwarded.status_code, checked_error(CHAT, forwarded.text.replace("127.0.0.1", "x").encode())["code"]) == (
        401,
        "missing_key",
    )
    assert (await house.client(OWNER_KEY).get("/metrics")).status_code == 200
    for key in (ACME_KEY, ACME_ADMIN_KEY):
        refused = await house.client(key).get("/metrics")
        assert (refused.status_code, checked_error(CHAT, refused.content)["code"]) == (403, "permission_missing")


async def test_labels_are_bounded() -> None:
    metrics = Metrics(max_series=5)
    for number in range(20):
        metrics.series("acme", "copilot", f"model-{number}").statuses["2xx"] += 1
        metrics.count(names.ATTEMPTS, f"deployment-{number}", "ok")
    text = metrics.render().decode()
    calls = samples(text, "enfilade_calls_total")
    assert len(calls) == 6
    assert calls[OTHER, OTHER, "2xx", OTHER] == 15
    attempts = samples(text, "enfilade_upstream_attempts_total")
    assert len(attempts) == 6
    assert attempts[OTHER, OTHER] == 15
    assert samples(text, "enfilade_label_overflow_total") == {(): 15}
    assert MAX_SERIES <= 10_000


async def test_requests_sent_ahead_are_answered_in_their_order(house: House) -> None:
    async with connected(house) as connection:
        numbers = range(30)
        asked = [question(CHAT, ECHO, messages=[{"role": "user", "content": f"number {n}"}]) for n in numbers]
        await connection.send(b"".join(request(CHAT, body) for body in asked))
        for number in numbers:
            got = await connection.reply()
            assert got.json["choices"][0]["message"]["content"] == f"number {number}"
        await connection.send(request(CHAT, GOOD, headers={"connection": "close"}))
        got = await connection.reply()
        assert (got.status, got.headers["connection"]) == (200, "close")
        assert await connection.is_closed()


async def test_a_stream_and_what_was_sent_behind_it_do_not_mix(house: House) -> None:
    async with connected(house) as connection:
        streamed = request(CHAT, question(CHAT, "simulated/text-50", stream=True))
        await connection.send(streamed + request("/healthz", method="GET") + streamed)
        first, health, second = [await connection.reply() for _ in range(3)]
        assert health.json == {"status": "alive"}
        assert len(events_of(first.body)) == len(events_of(second.body)) > 50


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v1/models", "/", "/nothing"])
async def test_head_is_get_without_a_body(house: House, path: str) -> None:
    async with connected(house) as connection:
        await connection.send(request(path, method="HEAD", headers={"authorization": f"Bearer {OWNER_KEY}"}))
        head = await connection.reply(bodiless=True)
        await connection.send(request(path, method="GET", headers={"authorization": f"Bearer {OWNER_KEY}"}))
        whole = await connection.reply()
        assert head.status == whole.status
        assert head.headers["content-type"] == whole.headers["content-type"]
        if path != "/metrics":
            assert head.headers["content-length"] == whole.headers["content-length"]


async def test_who_expects_to_continue_is_told_to_or_refused_at_once(house: House) -> None:
    async with connected(house) as connection:
        whole = request(CHAT, GOOD, headers={"expect": "100-continue"})
        head, _, body = whole.partition(b"\r\n\r\n")
        await connection.send(head + b"\r\n\r\n")
        assert (await connection.reply()).status == 100
        await connection.send(body)
        assert (await connection.reply()).status == 200
        for refused, status in (
            ({"content-length": "9000000"}, 413),
            ({"authorization": "Bearer wrong"}, 401),
        ):
            async with connected(house) as other:
                headers: dict[str, str | None] = {"expect": "100-continue", **refused}
                await other.send(request(CHAT, b"", headers={"content-length": "500"} | headers))
                got = await other.reply()
                assert (got.status, got.headers["connection"]) == (status, "close")


async def test_http_1_0_gets_plain_bodies_and_a_closed_connection(house: House) -> None:
    for body in (GOOD, question(CHAT, "simulated/text-20", stream=True)):
        async with connected(house) as connection:
            headers: dict[str, str | None] = {"host": None, "expect": "100-continue"}
            await connection.send(request(CHAT, body, version="1.0", headers=headers))
            got = await connection.reply()
            assert (got.status, got.headers["connection"]) == (200, "close")
            assert "transfer-encoding" not in got.headers
            if body is GOOD:
                assert json.loads(got.body)["object"] == "chat.completion"
            else:
                assert got.body.endswith(b"data: [DONE]\n\n")
            assert await connection.is_closed()


async def test_an_absolute_target_means_its_path(house: House) -> None:
    async with connected(house) as connection:
        await connection.send(request("http://elsewhere.example/healthz?x=1", method="GET"))
        assert (await connection.reply()).json == {"status": "alive"}
        await connection.send(b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await connection.reply()).status == 404


async def test_many_connections_are_served_side_by_side(house: House) -> None:
    limits = httpx2.Limits(max_connections=100)
    client = house.client(limits=limits)
    replies = await asyncio.gather(*(client.post(CHAT, json=GOOD) for _ in range(100)))
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.headers["x-request-id"] for reply in replies}) == 100
