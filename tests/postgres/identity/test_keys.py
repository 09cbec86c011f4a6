"""Keys as the database keeps them: rotated with a grace period, revoked with what they stand for, never in the clear."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock
from enfilade.core.errors import EnfiladeError
from enfilade.identity.errors import ExpiredKey, InvalidKey, RightsExceeded
from enfilade.identity.scopes import key_scope
from enfilade.identity.secrets import secret_digest
from enfilade.identity.types import ApplicationSpec, KeySpec, UserSpec
from enfilade.storage.address import Address
from tests.support.parts import make_tenant, open_parts, unit_in

HOUR = timedelta(hours=1)
TEXT_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('enfilade', 'enfilade_shared') AND c.relkind = 'r'
"""


@pytest.fixture
async def parts(database: Address) -> AsyncIterator[Parts]:
    # The process's clock decides, and not the database's, which is a day ahead here.
    async with open_parts(database, ManualClock(datetime.now(UTC) - timedelta(days=1))) as opened:
        yield opened


@pytest.fixture
async def tenant(parts: Parts) -> str:
    made = (await make_tenant(parts, "acme")).id
    async with unit_in(parts, made) as unit:
        await parts.identity.applications.put(unit, ApplicationSpec("copilot"))
        await parts.identity.users.put(unit, UserSpec("ana@acme.example"))
    return made


async def _issue(parts: Parts, tenant: str, spec: KeySpec | None = None) -> str:
    async with unit_in(parts, tenant) as unit:
        issued = await parts.identity.keys.issue(unit, spec or KeySpec("key", application="copilot"))
    await parts.directory.refresh()
    assert issued.secret is not None
    return issued.secret


async def _rotate(parts: Parts, tenant: str, grace: timedelta) -> str:
    async with unit_in(parts, tenant) as unit:
        issued = await parts.identity.keys.rotate(unit, "key", grace)
    await parts.directory.refresh()
    assert issued.secret is not None
    return issued.secret


def _refusal(parts: Parts, secret: str) -> type[EnfiladeError] | None:
    try:
        parts.principals.authenticate(secret.encode(), None, parts.clock.now_ns())
    except EnfiladeError as error:
        return type(error)
    return None


async def test_a_rotated_key_opens_with_both_secrets_until_the_grace_period_ends(parts: Parts, tenant: str) -> None:
    assert isinstance(parts.clock, ManualClock)
    old = await _issue(parts, tenant)
    new = await _rotate(parts, tenant, HOUR)
    assert (_refusal(parts, old), _refusal(parts, new)) == (None, None)
    # No change is loaded in between: the process ends the old secret by its own clock.
    parts.clock.advance(HOUR.total_seconds() - 0.001)
    assert (_refusal(parts, old), _refusal(parts, new)) == (None, None)
    parts.clock.advance(0.001)
    assert (_refusal(parts, old), _refusal(parts, new)) == (ExpiredKey, None)


async def test_without_grace_the_old_secret_is_dead_at_once(parts: Parts, tenant: str) -> None:
    old = await _issue(parts, tenant)
    new = await _rotate(parts, tenant, timedelta())
    assert _refusal(parts, old) in {ExpiredKey, InvalidKey}
    assert _refusal(parts, new) is None


async def test_a_second_rotation_shortens_a_grace_period_and_never_lengthens_it(parts: Parts, tenant: str) -> None:
    assert isinstance(parts.clock, ManualClock)
    first = await _issue(parts, tenant)
    second = await _rotate(parts, tenant, 2 * HOUR)
    third = await _rotate(parts, tenant, HOUR)
    fourth = await _rotate(parts, tenant, 3 * HOUR)
    for hours, expected in ((0, [None] * 4), (1, [ExpiredKey, ExpiredKey, None, None]), (3, [ExpiredKey] * 3 + [None])):
        parts.clock.advance(hours * 3600 - (parts.clock.monotonic()))
        assert [_refusal(parts, secret) for secret in (first, second, third, fourth)] == expected, hours


async def test_a_revoked_key_is_dead_with_all_its_secrets_also_for_a_process_that_starts_later(
    database: Address, parts: Parts, tenant: str
) -> None:
    old = await _issue(parts, tenant)
    new = await _rotate(parts, tenant, HOUR)
    async with unit_in(parts, tenant) as unit:
        await parts.identity.keys.revoke(unit, "key")
    await parts.directory.refresh()
    async with open_parts(database) as later:
        for process in (parts, later):
            assert [_refusal(process, secret) for secret in (old, new)] == [InvalidKey, InvalidKey]


@pytest.mark.parametrize("what", ["application", "user", "tenant"])
async def test_a_key_dies_with_what_it_stands_for(parts: Parts, tenant: str, what: str) -> None:
    spec = KeySpec("key", user="ana@acme.example") if what == "user" else KeySpec("key", application="copilot")
    secret = await _issue(parts, tenant, spec)
    assert _refusal(parts, secret) is None
    async with unit_in(parts, None if what == "tenant" else tenant) as unit:
        if what == "application":
            await parts.identity.applications.remove(unit, "copilot")
        elif what == "user":
            await parts.identity.users.remove(unit, "ana@acme.example")
        else:
            await parts.identity.tenants.remove(unit, "acme")
    await parts.directory.refresh()
    assert _refusal(parts, secret) is InvalidKey


async def test_a_secret_stands_nowhere_in_the_database(parts: Parts, tenant: str) -> None:
    secrets = [await _issue(parts, tenant), await _rotate(parts, tenant, HOUR)]
    async with parts.database.owner() as owner:
        names = [row["name"] for row in await owner.fetch(TEXT_TABLES)]
        assert "enfilade_shared.key_secrets" in names
        for name in names:
            for row in await owner.fetch(f"SELECT t::text AS everything FROM {name} t"):
                for secret in secrets:
                    assert secret.rpartition("_")[2] not in row["everything"], name
        digests = {bytes(row["digest"]) for row in await owner.fetch("SELECT digest FROM enfilade_shared.key_secrets")}
    assert {secret_digest(secret) for secret in secrets} <= digests


async def test_two_tenants_cannot_share_a_secret(parts: Parts, tenant: str) -> None:
    secret = "a-secret-of-the-callers-own-with-enough-characters"
    other = (await make_tenant(parts, "globex")).id
    async with unit_in(parts, tenant) as unit:
        await parts.identity.keys.issue(unit, KeySpec("key", application="copilot"), secret)
    with pytest.raises(EnfiladeError, match="exists already") as caught:
        async with unit_in(parts, other) as unit:
            await parts.identity.keys.issue(unit, KeySpec("key", roles=("auditor",)), secret)
    assert caught.value.status == 409
    assert secret not in str(caught.value)


async def test_nobody_rotates_a_key_that_has_more_rights_than_they(parts: Parts, tenant: str) -> None:
    await _issue(parts, tenant, KeySpec("key", roles=("admin",)))
    auditor = key_scope(tenant, "01a19c21-7200-7000-8000-000000000001", ("auditor",))
    with pytest.raises(RightsExceeded):
        async with parts.storage.unit_of_work(auditor) as unit:
            await parts.identity.keys.rotate(unit, "key", HOUR)
