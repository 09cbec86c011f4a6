"""Between the document's parts on billing and the room's own forms, in both directions."""

from decimal import Decimal
from typing import Any

import msgspec

from enfilade.configuration import billing_parts as parts
from enfilade.costs.billing.types import Issuer, Profile, Tax


def profile_of(part: parts.Billing) -> Profile:
    """How a tenant is billed, for the room."""
    return Profile(
        name=part.name,
        address=tuple(part.address),
        tax_id=part.tax_id,
        email=part.email,
        currency=part.currency,
        taxes=tuple(Tax(tax.name, _figure(tax.rate)) for tax in part.taxes),
        payment_days=part.payment_days,
        reference=part.reference,
        note=part.note,
    )


def profile_fields(profile: Profile) -> dict[str, Any]:
    """In the document's words."""
    fields: dict[str, Any] = msgspec.structs.asdict(profile)
    return fields | {
        "address": list(profile.address),
        "taxes": [{"name": tax.name, "rate": Decimal(tax.rate)} for tax in profile.taxes],
    }


def issuer_of(part: parts.Issuer) -> Issuer:
    """Who bills, for the room."""
    fields = part.model_dump(mode="python")
    return Issuer(**fields | {"address": tuple(part.address), "payment": tuple(part.payment)})


def issuer_fields(issuer: Issuer) -> dict[str, Any]:
    """In the document's words."""
    fields: dict[str, Any] = msgspec.structs.asdict(issuer)
    return fields | {"address": list(issuer.address), "payment": list(issuer.payment)}


def _figure(rate: Decimal) -> str:
    """20, 20.0 and 2E+1 are one rate."""
    text = format(rate, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
