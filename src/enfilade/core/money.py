"""Money: integers in nano-dollars (1e-9 USD). No floats anywhere."""

from decimal import Context, Decimal, Inexact, InvalidOperation

NANO_PER_USD = 1_000_000_000
MAX_NANO = 2**63 - 1
"""The largest amount that a column of the ledger holds: nine billion dollars."""

_EXACT = Context(prec=60, traps=[InvalidOperation, Inexact])


def format_usd(nano: int) -> str:
    """Nano-dollars as a decimal string with nine places: 84_000_000 → "0.084000000"."""
    sign = "-" if nano < 0 else ""
    whole, part = divmod(abs(nano), NANO_PER_USD)
    return f"{sign}{whole}.{part:09d}"


def parse_usd(amount: str | int | float | Decimal) -> int:
    """A decimal amount of dollars as nano-dollars.

    Floats are read by their shortest decimal form, as they are written in a configuration file.
    Raises ValueError for what is no finite amount, is finer than a nano-dollar or beyond `MAX_NANO`.
    """
    nano = billionths(amount, "an amount of money")
    if not nano.is_finite():
        message = f"{amount!r} is not a finite amount of money"
        raise ValueError(message)
    if abs(nano) > MAX_NANO:
        message = f"{amount!r} is beyond {format_usd(MAX_NANO)} USD"
        raise ValueError(message)
    if nano != nano.to_integral_value():
        message = f"{amount!r} is finer than a nano-dollar"
        raise ValueError(message)
    return int(nano)


def billionths(figure: str | int | float | Decimal, what: str) -> Decimal:
    """A decimal figure times a billion.

    Raises ValueError, saying that it is not `what`, for what is no number or has more digits than can be kept.
    """
    try:
        return Decimal(str(figure)).scaleb(9, _EXACT)
    except (InvalidOperation, Inexact):
        message = f"{figure!r} is not {what}"
        raise ValueError(message) from None


def rounded(millionths: int) -> int:
    """Millionths of a nano-dollar as nano-dollars, rounded half-up: once for a call, over all its tokens."""
    return (millionths + 500_000) // 1_000_000


def price_bound(units: int, nano_per_million: int) -> int:
    """The most that `units` can add to a cost at a price per million: rounded up, so that bounds may be added up."""
    return -(-units * nano_per_million // 1_000_000)
