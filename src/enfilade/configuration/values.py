"""The small types of the document: durations, money, names."""

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MAX_SECONDS = 366 * 86_400.0


def check_text(value: Any) -> None:
    """Refuse, with ValueError, text that cannot be stored, wherever it stands in a decoded value."""
    if isinstance(value, str):
        if "\x00" in value or (
            not value.isprintable() and any("\ud800" <= character <= "\udfff" for character in value)
        ):
            message = "text cannot hold the character NUL or half of a surrogate pair"
            raise ValueError(message)
    elif isinstance(value, dict):
        for name, entry in value.items():
            check_text(name)
            check_text(entry)
    elif isinstance(value, list):
        for entry in value:
            check_text(entry)


def parse_duration(value: Any) -> float:
    """Seconds from `500ms`, `5s`, `2m`, `1h`, `30d`, or a number of seconds. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        message = "a duration looks like 500ms, 5s, 2m, 1h or 30d"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns ValueError into a validation error
    match = _DURATION.fullmatch(str(value).strip())
    if match is None:
        message = f"{value!r} is no duration; it looks like 500ms, 5s, 2m, 1h or 30d"
        raise ValueError(message)
    seconds = round(float(match[1]) * _SECONDS[match[2]], 6)
    if seconds > MAX_SECONDS:
        message = f"{value!r} is longer than a year"
        raise ValueError(message)
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest exact form that `parse_duration` reads back."""
    if seconds and seconds < 1:
        return f"{seconds * 1000:.15g}ms"
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.15g}{unit}"
    return f"{seconds:.15g}s"


def parse_moment(value: Any) -> datetime:
    """A moment from `2027-06-30`, which means that whole day, or from RFC 3339; in UTC. Raises ValueError."""
    if isinstance(value, str):
        value = date.fromisoformat(value) if _DAY.fullmatch(value) else datetime.fromisoformat(value)
    if isinstance(value, datetime):
        try:
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
        except OverflowError:
            message = f"{value.isoformat()} is beyond the calendar"
            raise ValueError(message) from None
    if isinstance(value, date):
        return datetime.combine(value, time(23, 59, 59), UTC)
    message = "a moment looks like 2027-06-30 or 2027-06-30T12:00:00Z"
    raise ValueError(message)


def parse_start(value: Any) -> datetime:
    """A moment from which something holds, or no longer holds: of a day `2027-06-30` its first moment, in UTC."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        value = date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return parse_moment(value)


def _format_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_decimal(value: Any) -> Decimal:
    """An exact figure, of a float the one that is written. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        message = "an amount is a number such as 0.15"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns ValueError into a validation error
    try:
        return Decimal(str(value))
    except InvalidOperation:
        message = f"{value!r} is no amount; it looks like 0.15"
        raise ValueError(message) from None


def _refuse_truth(value: Any) -> Any:
    """YAML reads `yes` and `on` as true, which would count as 1."""
    if isinstance(value, bool):
        message = "a whole number is needed, not yes or no"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns ValueError into a validation error
    return value


def _format_amount(amount: Decimal) -> int | float | str:
    if amount == amount.to_integral_value():
        return int(amount)
    return float(amount) if Decimal(str(float(amount))) == amount else format(amount, "f")


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": ["string", "number"], "examples": ["5s", "500ms", "2m"]}),
]
Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    PlainSerializer(_format_moment, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2027-06-30", "2027-06-30T12:00:00Z"]}),
]
Start = Annotated[
    datetime,
    BeforeValidator(parse_start),
    PlainSerializer(_format_moment, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2027-06-30", "2027-06-30T12:00:00Z"]}),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(parse_decimal),
    Field(ge=0, allow_inf_nan=False),
    PlainSerializer(_format_amount, return_type=int | float | str),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0, "examples": [0.15, "5000"]}),
]
Whole = Annotated[int, BeforeValidator(_refuse_truth), Field(ge=0, le=2**53)]
Count = Annotated[Whole, Field(ge=1)]
Label = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
GroupName = Annotated[str, Field(min_length=1, max_length=256)]
"""Directories elsewhere have long ones."""
ModelName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
