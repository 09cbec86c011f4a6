"""People with accounts, for tests that look at tables themselves."""

from datetime import UTC, datetime

from enfilade.bootstrap.compose import Parts
from enfilade.identity.accounts import store
from enfilade.identity.accounts.types import SECOND_FACTOR, AccountRules
from enfilade.identity.types import GroupSpec
from enfilade.storage.unit_of_work import UnitOfWork

LATER = datetime(2999, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


async def leave_accounts(parts: Parts, unit: UnitOfWork, email: str) -> None:
    """A group; somebody's password, link, second factor, recovery codes, challenge and tries; and rules."""
    user = await parts.identity.users.get(unit, email)
    await parts.identity.groups.put(unit, GroupSpec(f"group-of-{email}", (email,)))
    await parts.accounts.rules.put(unit, AccountRules(local_accounts=True))
    await unit.execute(store.PUT_PASSWORD, unit.tenant, user.id, f"hash of {email}", NOON)
    await unit.execute(store.PUT_LINK, unit.tenant, user.id, unit.tenant.encode(), "key:nobody", LATER, [])
    identifier = parts.ids.new_id()
    await unit.execute(store.INSERT_TOTP, unit.tenant, identifier, user.id, f"phone of {email}", b"sealed", NOON)
    await unit.execute(store.CONFIRM_TOTP, unit.tenant, identifier, NOON, 1)
    await parts.accounts.factors.new_codes(unit, user.id)
    await parts.accounts.challenges.issue(unit, user.id, SECOND_FACTOR, ())
    await unit.execute(store.COUNT_ATTEMPT, unit.tenant, b"bucket", NOON, LATER - NOON, 5, 60.0)
