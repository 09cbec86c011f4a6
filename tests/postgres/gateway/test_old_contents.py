"""What an earlier version sealed directly under the master key is read, and sealed anew under its person's key."""

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enfilade.core.ids import PLATFORM_ID
from enfilade.gateway.stored.contents import for_input, for_item, for_metadata, for_reply
from enfilade.gateway.stored.forms import raw
from enfilade.gateway.stored.types import CONVERSATION, RESPONSE, Paging, internal_id
from enfilade.identity.scopes import tenant_scope
from tests.postgres.gateway.conftest import Desk
from tests.support.sealing import FIRST_KEY

FORMATS = """
SELECT get_byte(input, 0) AS format FROM responses UNION ALL SELECT get_byte(reply, 0) FROM responses
UNION ALL SELECT get_byte(metadata, 0) FROM conversations
UNION ALL SELECT get_byte(content, 0) FROM conversation_items
"""


async def test_old_contents_are_read_and_sealed_anew_once(desk: Desk) -> None:
    parts, scope = desk.parts, desk.who("copilot").scope
    tenant = scope.tenant
    kept = await desk.keep("a question", "an answer")
    made = await desk.stored.conversations.create(scope, {"topic": "old"}, [raw({"role": "user", "content": "hi"})], 30)
    response = internal_id(RESPONSE, kept) or ""
    async with parts.storage.unit_of_work(tenant_scope(tenant, "test")) as unit:
        row = await unit.fetch_row("SELECT input, reply FROM responses")
        item = await unit.fetch_row("SELECT item_id, content FROM conversation_items")
    assert row is not None
    assert item is not None
    keys = await parts.envelope.prepare(tenant, sealed=[row["input"], row["reply"], item["content"]])
    purposes = for_input(tenant, response), for_reply(tenant, response)
    sealed = [
        _old(purpose, keys.open(purpose, row[name])) for purpose, name in zip(purposes, ("input", "reply"), strict=True)
    ]
    of_item, of_metadata = for_item(tenant, made.id, item["item_id"]), for_metadata(tenant, made.id)
    async with parts.storage.unit_of_work(tenant_scope(tenant, "test")) as unit:
        await unit.execute("UPDATE responses SET input = $1, reply = $2", *sealed)
        await unit.execute(
            "UPDATE conversations SET metadata = $1", _old(of_metadata, msgspec.json.encode({"topic": "old"}))
        )
        content = _old(of_item, keys.open(of_item, item["content"]))
        await unit.execute("UPDATE conversation_items SET content = $1", content)

    before = await _shown(desk, kept, made.id)
    assert (await _formats(desk, tenant)) == {1}
    (place,) = parts.sealing.renewal.places.of_tenants
    assert await place.outdated(tenant) == 3
    assert await parts.sealing.renewal.work() == 3
    assert (await _formats(desk, tenant)) == {2}
    assert await place.outdated(tenant) == 0
    assert await _shown(desk, kept, made.id) == before
    assert b"an answer" in before[0]
    assert (await parts.sealing.encryption.status()).old_form_done
    assert await parts.sealing.renewal.work() == 0
    assert (await parts.sealing.encryption.status_of(PLATFORM_ID)).state == "active"


async def _shown(desk: Desk, response: str, conversation: str) -> tuple[bytes, dict[str, str], list[bytes]]:
    scope = desk.who("copilot").scope
    name = f"{CONVERSATION}_{conversation.replace('-', '')}"
    found = await desk.stored.conversations.get(scope, name)
    items, _ = await desk.stored.conversations.items(scope, name, Paging(None, 10, newest_first=False))
    return await desk.stored.responses.get(scope, response), found.metadata, [bytes(item.content) for item in items]


async def _formats(desk: Desk, tenant: str) -> set[int]:
    async with desk.parts.storage.unit_of_work(tenant_scope(tenant, "test"), readonly=True) as unit:
        return {row["format"] for row in await unit.fetch(FORMATS)}


def _old(purpose: str, plaintext: bytes) -> bytes:
    return b"\x01" + bytes(12) + AESGCM(FIRST_KEY).encrypt(bytes(12), plaintext, purpose.encode())
