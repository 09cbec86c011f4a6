"""The document's parts on limits and budgets."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from enfilade.configuration.part import StrictPart
from enfilade.configuration.values import Amount, Count, ModelName, Whole

SUBJECT_HELP = "`tenant`, `department:NAME`, `application:NAME`, `user:EMAIL`, `key:NAME`, or `KIND:*` for each one"


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class Limit(Part):
    """So many requests or tokens in a window, or so many calls at once."""

    scope: Annotated[str, Field(description=SUBJECT_HELP)]
    model: Annotated[ModelName | None, Field(description="Only for this model, or models that match.")] = None
    requests: Whole | None = None
    """So many requests in a window."""
    tokens: Whole | None = None
    """So many tokens in a window, counted at their worst case until a call has ended."""
    concurrency: Whole | None = None
    """So many calls at once."""
    per: Literal["second", "minute", "hour", "day"] | None = None
    """The window of requests and tokens."""

    @model_validator(mode="after")
    def _one(self) -> "Limit":
        given = [name for name in ("requests", "tokens", "concurrency") if getattr(self, name) is not None]
        if len(given) != 1:
            message = "a limit counts one of requests, tokens or concurrency"
            raise ValueError(message)
        if (self.concurrency is None) == (self.per is None):
            message = "requests and tokens need `per` (second, minute, hour, day); concurrency has none"
            raise ValueError(message)
        return self


class Budget(Part):
    """So much money in a window of the tenant's calendar."""

    scope: Annotated[str, Field(description=SUBJECT_HELP)]
    window: Literal["minute", "hour", "day", "week", "month", "quarter", "year", "total"]
    """A window of the tenant's calendar; `total` never resets."""
    limit_usd: Amount
    """The amount, in US dollars."""
    model: Annotated[ModelName | None, Field(description="Only for this model, or models that match.")] = None
    alerts: Annotated[list[Amount], Field(description="Shares of the limit, e.g. 0.8.", max_length=10)] = []
    action: Literal["block", "cut", "warn"] = "block"
    """`block` refuses what it may not cover, `cut` ends a stream when it is used up, `warn` only tells."""
    month_starts_on: Annotated[Count, Field(le=28)] = 1
    """The day on which months begin, for windows of a month, a quarter and a year."""
    year_starts_in: Annotated[Count, Field(le=12)] = 1
    """The month in which years begin, for windows of a quarter and a year."""
    carry_over: bool = False
    """Add what was left of the limit in the window before."""
    carry_over_limit_usd: Amount | None = None
    """The most that is carried over; without it all that was left."""
