"""The document's parts on billing: the customer, the issuer of invoices, hours that cost more than usual."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from enfilade.configuration.part import StrictPart
from enfilade.configuration.values import Amount, Label, Whole


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class Tax(Part):
    """A tax on what a tenant is billed."""

    name: Label
    """As it stands on invoices, e.g. VAT."""
    rate: Annotated[Amount, Field(le=100)]
    """In percent of the net sum."""


class Billing(Part):
    """How a tenant is billed."""

    name: Label
    """The customer's name, as it stands on invoices."""
    address: Annotated[list[Label], Field(max_length=10)] = []
    """The customer's address, line by line."""
    tax_id: Label | None = None
    """The customer's tax number."""
    email: Label | None = None
    """Where invoices are sent."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """The currency of invoices; another than the dollar needs a rate for each."""
    taxes: Annotated[list[Tax], Field(max_length=10)] = []
    """Each is computed on the net sum."""
    payment_days: Annotated[Whole, Field(le=365)] = 30
    """How many days after its issue an invoice is due."""
    reference: Label | None = None
    """The customer's own reference, e.g. an order's number."""
    note: Annotated[str | None, Field(max_length=1000)] = None
    """A sentence on each invoice, e.g. why there is no tax."""


class Issuer(Part):
    """Who issues invoices: the operator of this installation."""

    name: Label
    """The issuer's name."""
    address: Annotated[list[Label], Field(max_length=10)] = []
    """The issuer's address, line by line."""
    tax_id: Label | None = None
    """The issuer's tax number."""
    email: Label | None = None
    """Where questions are answered."""
    payment: Annotated[list[Label], Field(max_length=10)] = []
    """How to pay: bank, account, line by line."""
    note: Annotated[str | None, Field(max_length=1000)] = None
    """A sentence on each invoice and credit note, e.g. where the issuer is registered."""
    time_zone: Label = "UTC"
    """Whose day is the date of issue, and whose year a number belongs to."""
    invoice_number: Annotated[str, Field(max_length=40)] = "INV-{year}-{number}"
    """How invoices are numbered."""
    credit_note_number: Annotated[str, Field(max_length=40)] = "CN-{year}-{number}"
    """How credit notes are numbered."""


class Anomalies(Part):
    """When a tenant is told that an hour cost more than usual."""

    enabled: bool = True
    """Whether it is told at all."""
    factor: Annotated[Amount, Field(ge=1, le=1000)] = Decimal(2)
    """So many times what hours alike usually cost."""
    deviations: Annotated[Amount, Field(le=1000)] = Decimal(4)
    """And so many times farther from that than hours alike mostly are."""
    least_usd: Amount = Decimal(1)
    """An hour that cost less is never told of."""
    scopes: Annotated[list[Literal["tenant", "department", "application", "model"]], Field(min_length=1)] = [
        "tenant",
        "department",
        "application",
        "model",
    ]
    """What is looked at by itself."""
