"""Reading fields of exports, with messages that say which file, which line, and what was expected."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from enfilade.costs.errors import ExportCurrency, UnreadableExport

MAX_QUANTITY = 10**15
MAX_AMOUNT = Decimal(10) ** 9
DAY = timedelta(days=1)


def fault(where: str, expected: str, found: object) -> UnreadableExport:
    """An error about one field."""
    text = repr(found)
    return UnreadableExport(f"{where}: expected {expected}, found {text if len(text) <= 80 else text[:79] + '…'}.")


def number(where: str, value: object, what: str, most: Decimal = MAX_AMOUNT) -> Decimal:
    """A finite decimal number. Raises UnreadableExport."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise fault(where, what, value)
    try:
        figure = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise fault(where, what, value) from None
    if not figure.is_finite() or abs(figure) > most or len(figure.as_tuple().digits) > 60:
        raise fault(where, what, value)
    return figure


def quantity(where: str, value: object, what: str) -> Decimal:
    """A quantity that is not negative. Raises UnreadableExport."""
    figure = number(where, value, what, Decimal(MAX_QUANTITY))
    if figure < 0:
        raise fault(where, what, value)
    return figure


def count(where: str, holder: Mapping[str, Any], name: str) -> int:
    """A whole number of pieces; 0 where it is missing or null. Raises UnreadableExport."""
    value = holder.get(name)
    if value is None:
        return 0
    figure = quantity(f"{where}.{name}", value, "a whole number")
    if figure != figure.to_integral_value():
        raise fault(f"{where}.{name}", "a whole number", value)
    return int(figure)


def require_usd(where: str, currency: object) -> None:
    """Refuse other currencies, with ExportCurrency: the ledger is in USD and converting is nobody's guess."""
    if not isinstance(currency, str) or currency.strip().upper() != "USD":
        message = f"{where}: the amounts are in {currency!r}, and the ledger is in USD."
        raise ExportCurrency(message)


def moment(where: str, value: object) -> datetime:
    """A moment, from Unix seconds or RFC 3339 or nearly so; without a zone it is UTC. Raises UnreadableExport."""
    what = "a moment such as 2026-11-02T00:00:00Z"
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            text = value.strip().removesuffix(" UTC")
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise fault(where, what, value) from None
    raise fault(where, what, value)


def bucket_days(where: str, start: datetime, end: datetime) -> date:
    """The UTC day of a bucket. Raises UnreadableExport for one that is not within a day."""
    if not start < end:
        raise fault(where, "a bucket that ends after it starts", f"{start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}")
    if (end - timedelta(microseconds=1)).date() != start.date():
        message = (
            f"{where}: the bucket goes from {start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}, which is not within "
            "one day in UTC. Export with a bucket width of one day."
        )
        raise UnreadableExport(message)
    return start.date()


def texts(*values: object) -> tuple[str, ...]:
    """Those that are texts and not empty, each once, in their order."""
    return tuple(dict.fromkeys(value.strip() for value in values if isinstance(value, str) and value.strip()))


class Columns:
    """Finds the columns of a CSV file by any of their names."""

    def __init__(self, file: str, header: Sequence[str]) -> None:
        """Of the file with this header."""
        self._file = file
        self._places = {name.strip().lower(): place for place, name in reversed(list(enumerate(header)))}

    def find(self, *names: str) -> int | None:
        """The place of the first of the names that there is."""
        return next((self._places[name.lower()] for name in names if name.lower() in self._places), None)

    def need(self, *names: str) -> int:
        """The place of the first of the names that there is. Raises UnreadableExport naming what is missing."""
        place = self.find(*names)
        if place is None:
            message = f"{self._file}: line 1: the column {' or '.join(names)} is missing."
            raise UnreadableExport(message)
        return place

    def all(self, *names: str) -> list[int]:
        """The places of all of the names that there are."""
        return [place for name in names if (place := self.find(name)) is not None]


def first(row: Sequence[str], places: Iterable[int]) -> str:
    """The first field that is not empty."""
    return next((text for place in places if (text := row[place].strip())), "")
