"""The arithmetic of invoices: exact decimals, and one rounding for each sum that is owed."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

from enfilade.core.money import NANO_PER_USD
from enfilade.costs.billing.types import Credit, ExchangeRate, Tax
from enfilade.costs.errors import InvalidBilling
from enfilade.costs.prices.currencies import minor_units

_WIDE = Context(prec=60, rounding=ROUND_HALF_UP)
LINE_PLACES = Decimal("0.000000001")
PRICE_PLACES = Decimal("0.000000000001")


@dataclass(frozen=True, slots=True)
class Currency:
    """The currency of a document, and what a dollar is worth in it."""

    code: str
    rate: ExchangeRate | None = None

    @property
    def digits(self) -> int:
        """Its decimal places."""
        return minor_units(self.code)

    @property
    def per_usd(self) -> Decimal:
        """How many of it a dollar is worth."""
        return Decimal(1) if self.rate is None else self.rate.rate

    def exact(self, nano: int) -> Decimal:
        """Nano-dollars in this currency, not rounded."""
        with localcontext(_WIDE):
            return Decimal(nano) * self.per_usd / NANO_PER_USD

    def minor(self, nano: int) -> int:
        """Nano-dollars in the currency's smallest units, rounded half-up."""
        with localcontext(_WIDE):
            return int(self.exact(nano).scaleb(self.digits).quantize(Decimal(1)))

    def line(self, nano: int) -> str:
        """An amount as it stands on a line, with nine places."""
        with localcontext(_WIDE):
            return _plain(self.exact(nano).quantize(LINE_PLACES))

    def price(self, rate_nano: int, per: int) -> str:
        """The price of `per` units from a rate per million, without zeros that say nothing."""
        with localcontext(_WIDE):
            price = (Decimal(rate_nano) * per / 1_000_000 * self.per_usd / NANO_PER_USD).quantize(PRICE_PLACES)
            whole, _, part = _plain(price).partition(".")
            return f"{whole}.{part.rstrip('0').ljust(2, '0')}"

    def text(self, minor: int) -> str:
        """A sum in smallest units as decimal text."""
        return minor_text(minor, self.digits)


def minor_text(minor: int, digits: int) -> str:
    """Smallest units as decimal text: (1234, 2) → "12.34"."""
    sign, figures = ("-" if minor < 0 else ""), str(abs(minor)).rjust(digits + 1, "0")
    return f"{sign}{figures[:-digits]}.{figures[-digits:]}" if digits else f"{sign}{figures}"


def minor_of(text: str) -> int:
    """The reverse of `minor_text`."""
    return int(text.replace(".", ""))


def _plain(value: Decimal) -> str:
    # The decimal module writes small values with an exponent, and a negative nothing with its sign.
    return format(value or abs(value), "f")


def tax_minor(net_minor: int, rate: str) -> int:
    """A tax on a net sum, rounded half-up once."""
    with localcontext(_WIDE):
        return int((Decimal(net_minor) * Decimal(rate) / 100).quantize(Decimal(1)))


@dataclass(frozen=True, slots=True)
class CreditTaken:
    """What an invoice takes of a credit."""

    credit: Credit
    nano: int
    minor: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of an invoice, in smallest units of its currency."""

    subtotal: int
    credits: tuple[CreditTaken, ...]
    net: int
    taxes: tuple[tuple[Tax, int], ...]

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.net + sum(amount for _, amount in self.taxes)


def total_up(nano: int, currency: Currency, granted: Sequence[Credit], taxes: Sequence[Tax]) -> Totals:
    """The sums of usage worth `nano`: what was granted is taken in the order given, taxes are on what is left."""
    left = nano
    taken = []
    for credit in granted:
        part = min(credit.left_nano, left)
        if part <= 0:
            continue
        # Differences of rounded remainders: however many credits there are, they add up to what they lessen.
        taken.append(CreditTaken(credit, part, currency.minor(left) - currency.minor(left - part)))
        left -= part
    net = currency.minor(left)
    return Totals(currency.minor(nano), tuple(taken), net, tuple((tax, tax_minor(net, tax.rate)) for tax in taxes))


def check_rate(rate: ExchangeRate) -> None:
    """Raises InvalidBilling for a rate that is not positive and finite."""
    if not rate.rate.is_finite() or not Decimal("1e-9") <= rate.rate <= Decimal("1e9"):
        message = "An exchange rate is a positive number: units of the currency for one dollar."
        raise InvalidBilling(message, param="exchange_rate")
