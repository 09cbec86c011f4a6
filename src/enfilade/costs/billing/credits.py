"""Credits: granted to a tenant, taken by its invoices."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.core.money import format_usd, parse_usd
from enfilade.costs.billing import store
from enfilade.costs.billing.types import Credit
from enfilade.costs.errors import InvalidBilling
from enfilade.identity.rows import START
from enfilade.storage.unit_of_work import UnitOfWork


class Credits:
    """The use cases of credits."""

    def __init__(self, ids: IdFactory, clock: Clock) -> None:
        """Name new credits with `ids`."""
        self._ids = ids
        self._clock = clock

    async def grant(
        self, unit: UnitOfWork, amount_usd: object, reason: str, expires_at: datetime | None = None
    ) -> Credit:
        """Grant the current tenant a credit. Raises InvalidBilling."""
        if unit.tenant == PLATFORM_ID:
            message = "Say which tenant the credit is for."
            raise InvalidBilling(message, param="tenant")
        try:
            nano = parse_usd(str(amount_usd))
        except ValueError as error:
            raise InvalidBilling(str(error), param="amount_usd") from None
        if nano <= 0:
            message = "A credit is more than nothing."
            raise InvalidBilling(message, param="amount_usd")
        now = to_datetime(self._clock.now_ns())
        if expires_at is not None and expires_at <= now:
            message = "A credit cannot have expired when it is granted."
            raise InvalidBilling(message, param="expires_at")
        identifier = self._ids.new_id()
        await unit.execute(store.INSERT_CREDIT, unit.tenant, identifier, nano, reason, now, expires_at)
        unit.record("CreditGranted", id=identifier, amount_usd=format_usd(nano))
        return Credit(identifier, unit.tenant, nano, nano, reason, now, expires_at)

    async def page(self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None) -> list[Credit]:
        """Credits in the order of their granting, with what is left of each."""
        return [_credit(row) for row in await unit.fetch_listed(store.LIST_CREDITS, after or START, limit, tenant)]

    async def usable(self, unit: UnitOfWork, tenant: str, now: datetime, start: datetime) -> list[Credit]:
        """What the invoice of a period that begins at `start` may take, oldest first."""
        found = [_credit(row) for row in await unit.fetch(store.LIST_USABLE_CREDITS, tenant, now, start)]
        return [credit for credit in found if credit.left_nano > 0]

    async def take(self, unit: UnitOfWork, invoice: str, parts: Sequence[tuple[str, int]]) -> None:
        """Note what an invoice takes of credits, or, negative, gives back to them."""
        for credit, nano in parts:
            await unit.execute(store.USE_CREDIT, unit.tenant, credit, invoice, nano)

    async def taken_by(self, unit: UnitOfWork, tenant: str, invoice: str) -> list[tuple[str, int]]:
        """What an invoice took."""
        return [(row["credit_id"], row["amount_nano"]) for row in await unit.fetch(store.LIST_USES, tenant, invoice)]


def _credit(row: Any) -> Credit:
    return Credit(
        row["id"],
        row["tenant_id"],
        row["amount_nano"],
        row["left_nano"],
        row["reason"],
        row["granted_at"],
        row["expires_at"],
    )
