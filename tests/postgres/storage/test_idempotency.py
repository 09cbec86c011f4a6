"""Requests that are sent twice: one is worked on, the other gets the same reply, and nobody else's."""

import asyncio

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.scope import Scope
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.storage import idempotency
from enfilade.storage.idempotency import EarlierReply
from tests.support.parts import make_tenant

DIGEST = b"d" * 32
AGE = "UPDATE enfilade_shared.idempotency_keys SET created_at = now() - $1::interval"


async def _claim(parts: Parts, scope: Scope, key: str = "key", digest: bytes = DIGEST) -> EarlierReply | None:
    async with parts.storage.unit_of_work(scope) as unit:
        return await idempotency.claim(unit, key, digest)


async def _keep(parts: Parts, scope: Scope, key: str = "key") -> None:
    async with parts.storage.unit_of_work(scope) as unit:
        await idempotency.keep(unit, key, 201, {"etag": '"1"'}, '{"name":"ü"}')


async def _grow_old(parts: Parts, age: str) -> None:
    async with parts.database.owner() as owner:
        await owner.execute(AGE.replace("$1::interval", f"interval '{age}'"))


async def test_a_repeated_request_gets_the_reply_of_the_first(parts: Parts, tenant: str) -> None:
    scope = tenant_scope(tenant, "test")
    assert await _claim(parts, scope) is None
    await _keep(parts, scope)
    for digest in (DIGEST, b"e" * 32):
        # Whether the request is the same is for the surface to judge: it gets the first one's digest.
        earlier = await _claim(parts, scope, digest=digest)
        assert earlier == EarlierReply(DIGEST, 201, {"etag": '"1"'}, '{"name":"ü"}')


async def test_a_request_that_is_being_worked_on_has_no_status_yet(parts: Parts, tenant: str) -> None:
    scope = tenant_scope(tenant, "test")
    assert await _claim(parts, scope) is None
    assert await _claim(parts, scope) == EarlierReply(DIGEST, None, {}, "")


async def test_of_requests_at_the_same_time_one_is_worked_on(parts: Parts, tenant: str) -> None:
    scope = tenant_scope(tenant, "test")
    outcomes = await asyncio.gather(*(_claim(parts, scope) for _ in range(6)))
    assert sorted(outcome is None for outcome in outcomes) == [False] * 5 + [True]


async def test_a_claim_whose_transaction_fails_is_free_for_the_one_that_waits(parts: Parts, tenant: str) -> None:
    scope = tenant_scope(tenant, "test")
    async with parts.database.owner() as owner:
        transaction = owner.transaction()
        await transaction.start()
        await owner.execute("SET LOCAL search_path = enfilade_shared")
        assert await owner.fetchval(idempotency.CLAIM, tenant, "key", scope.actor, DIGEST) is True
        waiting = asyncio.ensure_future(_claim(parts, scope))
        await _somebody_waits(owner)
        await transaction.rollback()
        assert await waiting is None


async def test_a_released_key_can_be_used_again(parts: Parts, tenant: str) -> None:
    scope = tenant_scope(tenant, "test")
    await _claim(parts, scope)
    async with parts.storage.unit_of_work(scope) as unit:
        await idempotency.release(unit, "key")
    assert await _claim(parts, scope) is None


@pytest.mark.parametrize(
    ("kept", "age", "forgotten"),
    [
        (True, "23 hours 59 minutes", False),
        (True, "24 hours 1 minute", True),
        (False, "50 seconds", False),
        (False, "70 seconds", True),
    ],
)
async def test_replies_are_kept_for_a_day_and_abandoned_requests_for_a_minute(
    parts: Parts, tenant: str, kept: bool, age: str, forgotten: bool
) -> None:
    scope = tenant_scope(tenant, "test")
    await _claim(parts, scope)
    if kept:
        await _keep(parts, scope)
    await _grow_old(parts, age)
    assert (await _claim(parts, scope) is None) is forgotten


async def test_the_same_key_of_another_actor_or_tenant_is_another_key(parts: Parts, tenant: str) -> None:
    other = (await make_tenant(parts, "globex")).id
    scopes = [
        tenant_scope(tenant, "one"),
        tenant_scope(tenant, "two"),
        tenant_scope(other, "one"),
        system_scope("one"),
    ]
    assert [await _claim(parts, scope) for scope in scopes] == [None] * 4
    await _keep(parts, scopes[0])
    assert [(earlier.status if earlier else 0) for earlier in [await _claim(parts, scope) for scope in scopes]] == [
        201,
        None,
        None,
        None,
    ]


async def _somebody_waits(owner: asyncpg.Connection) -> None:
    async with asyncio.timeout(20):
        while not await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
