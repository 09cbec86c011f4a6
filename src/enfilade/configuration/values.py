"""The small types of the document: durations, money, names."""

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}
MAX_SECONDS = 366 * 86_400.0


def parse_duration(value: Any) -> float:
    """Seconds from `500ms`, `5s`, `2m`, `1h`, `30d`, or a number of seconds. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        message = "a duration looks like 500ms, 5s, 2m, 1h or 30d"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns ValueError into a validation error
    match = _DURATION.fullmatch(str(value).strip())
    if match is None:
        message = f"{value!r} is no duration; it looks like 500ms, 5s, 2m, 1h or 30d"
        raise ValueError(message)
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > MAX_SECONDS:
        message = f"{value!r} is longer than a year"
        raise ValueError(message)
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest exact form that `parse_duration` reads back."""
    if seconds and seconds < 1:
        return f"{seconds * 1000:g}ms"
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds:g}s"


def _parse_moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        # "expires: 2027-06-30" means that the key works on that day.
        return datetime.combine(value, time(23, 59, 59), UTC)
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return _parse_moment(date.fromisoformat(value))
    if isinstance(value, str):
        parsed = datetime.fromisoformat(value)
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return value


def _format_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parse_amount(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        message = "an amount is a number such as 0.15"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns ValueError into a validation error
    return Decimal(str(value))


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
    BeforeValidator(_parse_moment),
    PlainSerializer(_format_moment, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2027-06-30", "2027-06-30T12:00:00Z"]}),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_parse_amount),
    Field(ge=0, allow_inf_nan=False),
    PlainSerializer(_format_amount, return_type=int | float | str),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0, "examples": [0.15, "5000"]}),
]
Name = Annotated[str, Field(min_length=1, max_length=100)]
ModelName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
