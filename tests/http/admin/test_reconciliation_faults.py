"""Exports that cannot be imported, and who may not: each is told, and nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from enfilade.costs.reconciliation import importing
from tests.http.admin.test_reconciliations import HEADER, PATH, focus, send
from tests.support.house import House
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, OWNER_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("content", "params", "status", "code"),
    [
        (b"", {}, 422, "unreadable_export"),
        (b"{}", {}, 422, "unreadable_export"),
        (focus({"input": (1, 1)})[:-4], {}, 422, "unreadable_export"),
        (focus({"input": (1, 1)}).replace(b"USD", b"EUR"), {}, 422, "export_currency"),
        (focus({}), {}, 422, "empty_export"),
        (focus({"input": (1, 1)}), {"from": "2026-12-01", "to": "2026-12-02"}, 422, "empty_export"),
        (focus({"input": (1, 1)}), {"from": "2026-12-02", "to": "2026-12-01"}, 400, "invalid_request"),
        (focus({"input": (1, 1)}), {"from": "2026-02-30"}, 400, "invalid_request"),
        (focus({"input": (1, 1)}), {"provider": "simm"}, 422, "invalid_rule"),
        (focus({"input": (1, 1)}), {"map": "proj=simm"}, 422, "invalid_rule"),
        (focus({"input": (1, 1)}), {"map": "proj"}, 400, "invalid_request"),
        (focus({"input": (1, 1)}), {"tolerance_usd": "-1"}, 400, "invalid_request"),
        (focus({"input": (1, 1)}), {"tolerance_usd": "much"}, 400, "invalid_request"),
    ],
)
async def test_what_cannot_be_imported_is_refused_and_leaves_nothing(
    shared: House, content: bytes, params: dict[str, str], status: int, code: str
) -> None:
    reply = await send(shared, content, **params)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert reply.json()["detail"]
    assert (await shared.admin().get(PATH)).json()["items"] == []


@pytest.mark.parametrize("key", [ACME_ADMIN_KEY, ACME_KEY])
async def test_exports_are_the_platforms(shared: House, key: str) -> None:
    assert (await send(shared, focus({"input": (1, 1)}), key)).status_code == 403
    assert (await shared.client(key).get(PATH)).status_code == 403


async def test_an_export_beyond_the_limit_is_refused_while_it_arrives(
    shared: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.parts.reconciliations._importer, "_most", 100_000)

    async def pieces() -> AsyncIterator[bytes]:
        yield HEADER.encode() + b"\n"
        for _ in range(200):
            yield b"x" * 1000

    reply = await shared.admin().post(PATH, content=pieces(), params={"provider": "sim"})
    assert (reply.status_code, reply.json()["code"]) == (413, "export_too_large")


async def test_a_reader_that_breaks_is_an_internal_error(shared: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "READER", "enfilade.costs.reconciliation.nothing")
    reply = await send(shared, focus({"input": (1, 1)}))
    assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")


async def test_unknown_names_and_causes_are_told(shared: House) -> None:
    owner = shared.admin()
    missing = f"{PATH}/00000000-0000-7000-8000-000000000000"
    assert (await owner.get(missing)).json()["code"] == "reconciliation_not_found"
    booking = await owner.post(f"{missing}/bookings", json={"reason": "x"})
    assert booking.json()["code"] == "reconciliation_not_found"
    refused = await owner.post(f"{missing}/bookings", json={"reason": "x", "causes": ["weather"]})
    assert refused.status_code == 422
    nobody = await owner.post(f"{missing}/bookings", json={"reason": "x", "tenant": "nobody"})
    assert nobody.json()["code"] == "tenant_not_found"


async def test_an_upload_that_breaks_off_leaves_nothing(shared: House) -> None:
    slots = shared.parts.reconciliations._importer._slots
    free = slots._value
    content = focus({"input": (1, 1)})
    _, writer = await asyncio.open_connection(shared.host, shared.port)
    head = f"POST {PATH}?provider=sim HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OWNER_KEY}\r\n"
    # What arrives is a whole file, but not the whole of what was announced.
    writer.write(f"{head}content-length: {len(content) + 100}\r\n\r\n".encode() + content)
    await writer.drain()
    await eventually(lambda: slots._value == free - 1, within=60)
    writer.close()
    await eventually(lambda: slots._value == free, within=60)
    assert (await shared.admin().get(PATH)).json()["items"] == []
    assert "admin_request_failed" not in shared.log_lines()
