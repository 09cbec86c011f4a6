"""When a tenant wants to be told that an hour cost more than usual."""

from decimal import Decimal, InvalidOperation

import msgspec

from enfilade.core.canonical import canonical_text
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.money import parse_usd
from enfilade.costs.errors import InvalidRule
from enfilade.costs.outlook import store
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

SCOPES = ("tenant", "department", "application", "model")
MOST_FACTOR = 1000


class AnomalyRules(msgspec.Struct, frozen=True):
    """What counts as out of the ordinary. Figures are decimal text."""

    enabled: bool = True
    factor: str = "2"
    """So many times its usual."""
    deviations: str = "4"
    """And so many times farther from it than hours alike mostly are."""
    least_usd: str = "1"
    """An hour that cost less is nobody's concern."""
    scopes: tuple[str, ...] = SCOPES

    @property
    def least_nano(self) -> int:
        """The least that counts, in nano-dollars."""
        return parse_usd(self.least_usd)


DEFAULTS = AnomalyRules()


class AnomalyRuleBook:
    """The use cases of these rules."""

    async def find(self, unit: UnitOfWork, tenant: str) -> AnomalyRules | None:
        """A tenant's own rules, if it has some."""
        row = await unit.fetch_row(store.FIND_RULES, tenant)
        return None if row is None else msgspec.json.decode(row["rules"], type=AnomalyRules)

    async def all(self, unit: UnitOfWork) -> dict[str, AnomalyRules]:
        """The rules of all tenants that have some of their own."""
        rows = await unit.fetch(store.LIST_RULES)
        return {str(row["tenant_id"]): msgspec.json.decode(row["rules"], type=AnomalyRules) for row in rows}

    async def put(self, unit: UnitOfWork, rules: AnomalyRules) -> Outcome:
        """Set the current tenant's rules. Raises InvalidRule."""
        if unit.tenant == PLATFORM_ID:
            message = "The platform itself spends nothing; say which tenant is meant."
            raise InvalidRule(message)
        check(rules)
        present = await self.find(unit, unit.tenant)
        if present == rules:
            return Outcome.UNCHANGED
        await unit.execute(store.PUT_RULES, unit.tenant, canonical_text(msgspec.to_builtins(rules)))
        unit.record("AnomalyRulesChanged", **msgspec.to_builtins(rules))
        return Outcome.CREATED if present is None else Outcome.CHANGED

    async def remove(self, unit: UnitOfWork) -> bool:
        """Go by the defaults again; say whether there were others."""
        if await self.find(unit, unit.tenant) is None:
            return False
        await unit.execute(store.DELETE_RULES, unit.tenant)
        unit.record("AnomalyRulesRemoved")
        return True


def check(rules: AnomalyRules) -> None:
    """Refuse rules that make no sense. Raises InvalidRule."""
    for param, least in (("factor", Decimal(1)), ("deviations", Decimal(0))):
        text = getattr(rules, param)
        try:
            figure = Decimal(text)
        except InvalidOperation:
            figure = Decimal("NaN")
        if not figure.is_finite() or not least <= figure <= MOST_FACTOR:
            message = f"{text!r} is no `{param}`: a number from {least} to {MOST_FACTOR}"
            raise InvalidRule(message, param=param)
    try:
        nano = rules.least_nano
    except ValueError as error:
        raise InvalidRule(str(error), param="least_usd") from None
    if nano < 0:
        message = "the least amount is not negative"
        raise InvalidRule(message, param="least_usd")
    unknown = [scope for scope in rules.scopes if scope not in SCOPES]
    if unknown or not rules.scopes or len(set(rules.scopes)) < len(rules.scopes):
        message = f"`scopes` is a list of some of {', '.join(SCOPES)}"
        raise InvalidRule(message, param="scopes")
