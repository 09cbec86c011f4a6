"""Tenants leave a running installation as a file, and come to another one that runs."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from fastapi import Request
from httpx2 import RemoteProtocolError

from enfilade.api.admin.download import let_body_take_long
from enfilade.api.protocol import BODY_DEADLINE_S
from enfilade.api.routes import tenant_archives
from enfilade.api.routes.tenant_archives import MEDIA_TYPE
from enfilade.core.clock import ManualClock
from enfilade.identity.roles.types import SecuritySettings
from enfilade.sealing import carrying
from tests.support.archives import files_of
from tests.support.house import House, HouseOptions, furnished_template, open_house
from tests.support.parts import unit_in
from tests.support.postgres import TestServer
from tests.support.raw_http import connected, request
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, OWNER_KEY, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARCHIVE, IMPORTS = "/api/v1/tenants/acme/archive", "/api/v1/tenant-archives"
HELLO = {"model": "simulated/echo", "messages": [{"role": "user", "content": "hello"}]}
STORED = {"model": "simulated/echo", "input": "what nobody is to read", "store": True}
PASSPHRASE = {"x-enfilade-passphrase": base64.b64encode(b"correct horse battery staple").decode()}


@pytest.fixture(scope="module", autouse=True)
def passphrases_are_cheap() -> Iterator[None]:
    """What makes guessing slow makes tests slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(carrying.COST, "n", 16)
        yield


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def here(server: TestServer) -> AsyncIterator[House]:
    """The installation that acme leaves."""
    furnished = await furnished_template(server)
    async with server.database(furnished) as address, open_house(address, HouseOptions(document=None)) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def there(server: TestServer) -> AsyncIterator[House]:
    """Another one, with another master key, that knows nobody."""
    options = HouseOptions(document=world() | {"tenants": []}, master_key=bytes(32))
    async with server.database() as address, open_house(address, options) as house:
        yield house


async def test_a_tenant_goes_on_elsewhere(here: House, there: House) -> None:
    caller, admin, other = here.client(ACME_KEY), here.admin(), there.admin()
    assert (await caller.post("/v1/chat/completions", json=HELLO)).status_code == 200
    stored = (await caller.post("/v1/responses", json=STORED)).json()
    await here.parts.writers.flush()
    key = (await admin.get(f"{IMPORTS}/signing-key")).json()

    reply = await admin.get(ARCHIVE, headers=PASSPHRASE)
    assert (reply.status_code, reply.headers["content-type"]) == (200, MEDIA_TYPE)
    assert 'filename="acme.tar"' in reply.headers["content-disposition"]

    query = {"name": "acme-2", "isolation": "row", "trusted_key": key["public_key"]}
    came = await other.post(IMPORTS, headers=PASSPHRASE, content=_pieces(reply.content), params=query)
    assert came.status_code == 201, came.text
    assert (
        came.json().items()
        >= {
            "name": "acme-2",
            "isolation": "row",
            "signed_by": key["name"],
            "is_known": True,
        }.items()
    )
    moved = there.client(ACME_KEY)
    read = await moved.get(f"/v1/responses/{stored['id']}")
    assert read.json()["output"] == stored["output"]
    assert (await moved.post("/v1/chat/completions", json=HELLO)).status_code == 200
    await there.parts.writers.flush()
    assert (await other.get("/api/v1/spend?tenant=acme-2")).json()["calls"] == 3
    events = (await other.get("/api/v1/events?tenant=acme-2&limit=500")).json()["items"]
    assert [event["seq"] for event in events] == list(range(len(events)))
    names = [event["type"] for event in events]
    assert names.index("TenantExported") < names.index("TenantImported")


async def test_what_is_sealed_stays_sealed_and_what_is_secret_stays_out(here: House, tmp_path: Path) -> None:
    await here.client(ACME_KEY).post("/v1/responses", json=STORED)
    data = (await here.admin().get(ARCHIVE, headers=PASSPHRASE)).content
    path = tmp_path / "acme.tar"
    path.write_bytes(data)
    rows = b"".join(gzip.decompress(body) for name, body in files_of(path).items() if name.startswith("rows/"))
    assert b"ana@acme.example" in rows
    for secret in (b"what nobody is to read", ACME_KEY.encode(), b"correct horse"):
        assert secret not in data
        assert secret not in rows


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "invalid_request"),
        ({"x-enfilade-passphrase": "%%%"}, "invalid_request"),
        ({"x-enfilade-passphrase": base64.b64encode(b"short").decode()}, "invalid_specification"),
        ({"x-enfilade-passphrase": base64.b64encode(b"\xff" * 20).decode()}, "invalid_request"),
    ],
    ids=["none", "no base64", "short", "no text"],
)
async def test_a_passphrase_that_will_not_do_is_refused(here: House, headers: dict[str, str], code: str) -> None:
    reply = await here.admin().get(ARCHIVE, headers=headers)
    assert reply.json()["code"] == code, reply.text
    assert "short" not in reply.text


async def test_a_tenant_that_wants_broken_glass_is_not_given_away(here: House) -> None:
    admin, acme = here.admin(), here.admin(ACME_ADMIN_KEY)
    assert (await acme.get(ARCHIVE, headers=PASSPHRASE)).status_code == 403
    async with unit_in(here.parts, here.tenant_id("globex")) as unit:
        await here.parts.identity.security.put(unit, SecuritySettings("break_glass"))
    await here.parts.directory.refresh()
    address = ARCHIVE.replace("acme", "globex")
    refused = await admin.get(address, headers=PASSPHRASE)
    assert (refused.status_code, refused.json()["code"]) == (403, "break_glass_required")
    opened = await admin.post("/api/v1/break-glass", json={"tenant": "globex", "reason": "They are leaving us."})
    assert opened.status_code == 201, opened.text
    assert (await admin.get(address, headers=PASSPHRASE)).status_code == 200


async def test_a_caller_who_leaves_or_sends_half_changes_nothing(here: House, there: House) -> None:
    data = (await here.admin().get(ARCHIVE, headers=PASSPHRASE)).content
    reply = await there.admin().post(
        IMPORTS, headers=PASSPHRASE, content=data[: len(data) // 2], params={"name": "half"}
    )
    assert (reply.status_code, reply.json()["code"]) == (422, "archive_fault")
    assert "cut off" in reply.json()["detail"]
    assert (await there.admin().get("/api/v1/tenants/half")).status_code == 404


async def test_what_fails_in_the_middle_is_no_whole_archive(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_said: bytes) -> None:
        message = "the key is away"
        raise RuntimeError(message)

    monkeypatch.setattr(here.parts.tenancy.archives, "_sign", fail)
    with pytest.raises(RemoteProtocolError):
        await here.admin().get(ARCHIVE, headers=PASSPHRASE)
    assert here.parts.tenancy.archives.running == 0


async def test_an_upload_may_take_as_long_as_it_takes(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes are enough for a call, and not for a large archive; who stops sending is cut off all the same."""
    reading = asyncio.Event()

    def noted(asked: Request) -> None:
        let_body_take_long(asked)
        reading.set()

    monkeypatch.setattr(tenant_archives, "let_body_take_long", noted)
    clock = ManualClock()
    headers = {"authorization": f"Bearer {OWNER_KEY}", **PASSPHRASE}
    whole = request(IMPORTS, b"x" * 5000, headers=headers)
    furnished = await furnished_template(server)
    async with (
        server.database(furnished) as address,
        open_house(address, HouseOptions(document=None, clock=clock)) as house,
        connected(house) as connection,
    ):
        await connection.send(whole[:-20])
        await reading.wait()
        for at in range(20, 0, -1):
            clock.advance(BODY_DEADLINE_S - 1)
            await connection.send(whole[-at : len(whole) - at + 1])
            assert (await house.client(None).get("/healthz")).status_code == 200
        assert (await connection.reply()).status == 422
        reading.clear()
        async with connected(house) as other:
            await other.send(whole[:-20])
            await reading.wait()
            clock.advance(BODY_DEADLINE_S + 1)
            assert (await other.reply()).status == 408


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 10_000):
        yield data[start : start + 10_000]
