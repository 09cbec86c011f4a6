"""What is demanded of local accounts, in memory."""

from collections.abc import Collection
from typing import Any

from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Scope
from enfilade.identity.accounts import store
from enfilade.identity.accounts.types import ADMINISTRATORS, EVERYONE, REQUIREMENTS, AccountRules
from enfilade.identity.directory import Install
from enfilade.identity.errors import InvalidSpecification
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

DEFAULTS = AccountRules()
_ADMINISTERS = (":write", ":manage")


class AccountRuleBook:
    """The use cases of these rules, and a section of the directory."""

    def __init__(self) -> None:
        """Start with the defaults everywhere."""
        self._rules: dict[str, AccountRules] = {}

    def of(self, tenant: str) -> AccountRules:
        """What holds in a tenant: its own rules, and no less than the platform's."""
        platform = self._rules.get(PLATFORM_ID, DEFAULTS)
        own = self._rules.get(tenant, DEFAULTS)
        strictest = max(own.require_second_factor, platform.require_second_factor, key=REQUIREMENTS.index)
        return AccountRules(strictest, own.local_accounts)

    def demands_second_factor(self, scope: Scope) -> bool:
        """Whether whoever has this scope must show a second factor."""
        required = self.of(scope.tenant).require_second_factor
        return required == EVERYONE or (required == ADMINISTRATORS and is_administrator(scope))

    async def find(self, unit: UnitOfWork, tenant: str) -> AccountRules | None:
        """A tenant's own rules, if it has some."""
        row = await unit.fetch_row(store.FIND_RULES, tenant)
        return None if row is None else _rules_of(row)

    async def put(self, unit: UnitOfWork, rules: AccountRules) -> Outcome:
        """Set the current tenant's rules. Raises InvalidSpecification."""
        if rules.require_second_factor not in REQUIREMENTS:
            message = f"`require_second_factor` is one of {', '.join(REQUIREMENTS)}"
            raise InvalidSpecification(message, param="require_second_factor")
        present = await self.find(unit, unit.tenant)
        if present == rules:
            return Outcome.UNCHANGED
        await unit.execute(store.PUT_RULES, unit.tenant, rules.require_second_factor, rules.local_accounts)
        unit.record(
            "AccountRulesChanged",
            require_second_factor=rules.require_second_factor,
            local_accounts=rules.local_accounts,
        )
        unit.changed()
        return Outcome.CREATED if present is None else Outcome.CHANGED

    async def remove(self, unit: UnitOfWork) -> bool:
        """Go by the defaults again; say whether there were others."""
        if await self.find(unit, unit.tenant) is None:
            return False
        await unit.execute(store.DELETE_RULES, unit.tenant)
        unit.record("AccountRulesRemoved")
        unit.changed()
        return True

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """See `Section.load`."""
        wanted = None if tenants is None else list(tenants)
        found = {str(row["tenant_id"]): _rules_of(row) for row in await unit.fetch(store.LOAD_RULES, wanted)}

        def install() -> None:
            kept = {} if tenants is None else {t: r for t, r in self._rules.items() if t not in tenants}
            self._rules = kept | found

        return install


def is_administrator(scope: Scope) -> bool:
    """Whether they can change anything."""
    held = scope.permissions.union(*(part.permissions for part in scope.confined))
    return any(permission.endswith(_ADMINISTERS) for permission in held)


def _rules_of(row: Any) -> AccountRules:
    return AccountRules(row["require_second_factor"], row["local_accounts"])
