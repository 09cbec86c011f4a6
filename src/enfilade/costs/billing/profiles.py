"""Who bills, and how each tenant is billed."""

import re
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import msgspec

from enfilade.core.canonical import canonical_text
from enfilade.core.ids import PLATFORM_ID
from enfilade.costs.billing import store
from enfilade.costs.billing.types import Issuer, Profile
from enfilade.costs.errors import BillingProfileMissing, InvalidBilling, IssuerMissing
from enfilade.identity.rows import check_time_zone
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

T = TypeVar("T", Issuer, Profile)
NUMBER_TEXT = re.compile(r"[A-Za-z0-9_.-]*")
MAX_PATTERN = 40


class BillingProfiles:
    """The use cases of what stands on invoices."""

    async def issuer(self, unit: UnitOfWork) -> Issuer:
        """Who issues invoices. Raises IssuerMissing."""
        found = await self.find_issuer(unit)
        if found is None:
            message = "Nobody has said who issues the invoices."
            raise IssuerMissing(message)
        return found

    async def find_issuer(self, unit: UnitOfWork) -> Issuer | None:
        """Who issues invoices, if that was said."""
        row = await unit.fetch_row_at_home(store.FIND_ISSUER)
        return None if row is None else msgspec.json.decode(row["profile"], type=Issuer)

    async def put_issuer(self, unit: UnitOfWork, issuer: Issuer) -> Outcome:
        """Declare who issues invoices. Raises InvalidBilling, InvalidSpecification."""
        _check_issuer(issuer)
        present = await self.find_issuer(unit)
        if present == issuer:
            return Outcome.UNCHANGED
        await unit.execute(store.PUT_ISSUER, canonical_text(issuer))
        unit.record("IssuerChanged")
        return Outcome.CREATED if present is None else Outcome.CHANGED

    async def remove_issuer(self, unit: UnitOfWork) -> bool:
        """Take the issuer back; say whether there was one."""
        if await self.find_issuer(unit) is None:
            return False
        await unit.execute(store.DELETE_ISSUER)
        unit.record("IssuerRemoved")
        return True

    async def profile(self, unit: UnitOfWork, tenant: str) -> Profile:
        """How a tenant is billed. Raises BillingProfileMissing."""
        found = await self.find_profile(unit, tenant)
        if found is None:
            message = "Nobody has said how this tenant is billed."
            raise BillingProfileMissing(message)
        return found

    async def find_profile(self, unit: UnitOfWork, tenant: str) -> Profile | None:
        """How a tenant is billed, if that was said."""
        row = await unit.fetch_row(store.FIND_PROFILE, tenant)
        return None if row is None else msgspec.json.decode(row["profile"], type=Profile)

    async def put_profile(self, unit: UnitOfWork, profile: Profile) -> Outcome:
        """Declare how the current tenant is billed. Raises InvalidBilling."""
        if unit.tenant == PLATFORM_ID:
            message = "The platform bills, and is not billed."
            raise InvalidBilling(message)
        _check_profile(profile)
        present = await self.find_profile(unit, unit.tenant)
        if present == profile:
            return Outcome.UNCHANGED
        await unit.execute(store.PUT_PROFILE, unit.tenant, canonical_text(profile))
        unit.record("BillingProfileChanged", currency=profile.currency)
        return Outcome.CREATED if present is None else Outcome.CHANGED

    async def remove_profile(self, unit: UnitOfWork) -> bool:
        """Take back how the current tenant is billed; say whether that was said."""
        if await self.find_profile(unit, unit.tenant) is None:
            return False
        await unit.execute(store.DELETE_PROFILE, unit.tenant)
        unit.record("BillingProfileRemoved")
        return True


def number_text(pattern: str, year: int, sequence: int) -> str:
    """A document's number: six places, more when they are used up."""
    return pattern.replace("{year}", str(year)).replace("{number}", f"{sequence:06d}")


def _check_issuer(issuer: Issuer) -> None:
    check_time_zone(issuer.time_zone)
    for param in ("invoice_number", "credit_note_number"):
        pattern = getattr(issuer, param)
        bare = pattern.replace("{year}", "", 1).replace("{number}", "", 1)
        fits = "{year}" in pattern and "{number}" in pattern and NUMBER_TEXT.fullmatch(bare)
        if not fits or len(pattern) > MAX_PATTERN:
            message = (
                f"{pattern!r} makes no numbers: it needs {{year}} and {{number}}, once each, with letters, digits, "
                f"dots, hyphens and underscores around them, {MAX_PATTERN} characters at most"
            )
            raise InvalidBilling(message, param=param)
    if issuer.invoice_number == issuer.credit_note_number:
        message = "Invoices and credit notes need numbers that cannot be mistaken for one another."
        raise InvalidBilling(message, param="credit_note_number")


def _check_profile(profile: Profile) -> None:
    if not re.fullmatch(r"[A-Z]{3}", profile.currency):
        message = f"{profile.currency!r} is no currency; it looks like USD, EUR or JPY"
        raise InvalidBilling(message, param="currency")
    names = [tax.name for tax in profile.taxes]
    if len(set(names)) != len(names):
        message = "Each tax needs a name of its own."
        raise InvalidBilling(message, param="taxes")
    for tax in profile.taxes:
        try:
            rate = Decimal(tax.rate)
        except InvalidOperation:
            rate = Decimal("NaN")
        if not rate.is_finite() or not 0 <= rate <= 100 or rate != round(rate, 6):
            message = f"{tax.rate!r} is no tax rate: a percentage from 0 to 100 with six places at most"
            raise InvalidBilling(message, param="taxes")
