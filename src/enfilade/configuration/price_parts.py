"""The parts of the document that say what models cost."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from enfilade.configuration.part import StrictPart
from enfilade.configuration.values import Amount, Count, Label, ModelName, Name, Start, parse_decimal

Percent = Annotated[
    Decimal,
    BeforeValidator(parse_decimal),
    PlainSerializer(lambda figure: format(figure, "f"), return_type=str),
    WithJsonSchema({"type": ["number", "string"], "examples": [5, "12.25"]}),
]
"""An exact figure that may be negative."""


class Rates(StrictPart):
    """What is paid for what. Tokens without a price of their own cost what contains them."""

    input: Amount | None = None
    """Tokens of the prompt, per million."""
    output: Amount | None = None
    """Tokens of the answer, per million."""
    cached_input: Amount | None = None
    """Tokens of the prompt that the provider had cached, per million; without it `input`."""
    cache_write: Amount | None = None
    """Tokens written to the provider's cache for five minutes, per million; without it `input`."""
    cache_write_1h: Amount | None = None
    """Tokens written to it for an hour, per million; without it `cache_write`."""
    reasoning: Amount | None = None
    """Tokens of reasoning, per million; without it `output`."""
    audio_input: Amount | None = None
    """Tokens of sound in the prompt, per million; without it `input`."""
    cached_audio_input: Amount | None = None
    """Those of them that the provider had cached, per million; without it `audio_input`."""
    audio_output: Amount | None = None
    """Tokens of sound in the answer, per million; without it `output`."""
    image_input: Amount | None = None
    """Tokens of images in the prompt, per million; without it `input`."""
    cached_image_input: Amount | None = None
    """Those of them that the provider had cached, per million; without it `image_input`."""
    image_output: Amount | None = None
    """Tokens of images in the answer, per million; without it `output`."""
    requests: Amount | None = None
    """Calls, per thousand."""
    web_searches: Amount | None = None
    """Searches of the web, per thousand."""
    characters: Amount | None = None
    """Characters of text that is spoken, per million."""
    pages: Amount | None = None
    """Pages of documents, per thousand."""
    seconds: Amount | None = None
    """Sound that is heard or spoken, per hour."""


class LongContext(Rates):
    """What differs for all tokens of a call once its input exceeds a threshold."""

    above: Count
    """Tokens of input."""


class TierPrice(Rates):
    """What differs for a service tier; `batch` is one of them."""

    long_context: Annotated[tuple[LongContext, ...], Field(max_length=50)] = ()
    """What differs for long prompts."""


class HoursPrice(TierPrice):
    """What differs between two times of the day."""

    start: Annotated[str, Field(alias="from", description="Its first moment, e.g. 16:30, in UTC.")]
    until: str
    """The first moment after it; before `from` it is the next day's."""

    model_config = ConfigDict(serialize_by_alias=True)


class Price(Rates):
    """USD: per million tokens or characters, per thousand requests, searches or pages, per hour of sound."""

    long_context: Annotated[tuple[LongContext, ...], Field(max_length=50)] = ()
    """What differs for all tokens of a call with a long prompt."""
    service_tiers: Annotated[dict[Label, TierPrice], Field(max_length=50, default_factory=dict)]
    """What differs for service tiers, by their names; `batch` is one of them."""
    hours: Annotated[tuple[HoursPrice, ...], Field(max_length=50)] = ()
    """What differs at some times of the day."""
    free: bool | None = None
    """The model costs nothing. Without a price and without this it is refused."""


class PriceChange(StrictPart):
    """A price that holds from a moment on."""

    start: Annotated[Start, Field(alias="from", description="Its first moment; of a day, midnight in UTC.")]
    to: Annotated[Start | None, Field(description="The first moment at which it no longer holds.")] = None
    price: Price

    model_config = ConfigDict(serialize_by_alias=True)


class Discount(StrictPart):
    """What a provider takes off its list prices for us."""

    percent: Percent
    """5 takes five per cent off; up to four decimals."""
    provider: Name = "*"
    """Our name of the provider, or a pattern."""
    model: ModelName = "*"
    """Our name of a model, or a pattern."""
    start: Annotated[Start | None, Field(alias="from", description="Its first moment; else from now on.")] = None
    to: Annotated[Start | None, Field(description="The first moment at which it no longer holds.")] = None
    tenant: Annotated[Name | None, Field(description="Only for this tenant.")] = None
    reason: Annotated[str | None, Field(max_length=500)] = None
    """For whoever reads it later."""

    model_config = ConfigDict(serialize_by_alias=True)


class Markup(StrictPart):
    """What a tenant pays on top of what the provider charges; less, if it is negative."""

    percent: Percent
    """20 adds twenty per cent; up to four decimals."""
    provider: Name = "*"
    """Our name of the provider, or a pattern."""
    model: ModelName = "*"
    """Our name of a model, or a pattern."""
    start: Annotated[Start | None, Field(alias="from", description="Its first moment; else from now on.")] = None
    to: Annotated[Start | None, Field(description="The first moment at which it no longer holds.")] = None
    reason: Annotated[str | None, Field(max_length=500)] = None
    """For whoever reads it later."""

    model_config = ConfigDict(serialize_by_alias=True)


class ExchangeRate(StrictPart):
    """What a dollar is worth, for display."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """An ISO 4217 code, e.g. EUR."""
    rate: Percent
    """Units of the currency for one dollar."""
    start: Annotated[date | None, Field(alias="from", description="Its first day; else today.")] = None
    source: Label | None = None
    """Where it comes from, e.g. ECB."""

    model_config = ConfigDict(serialize_by_alias=True)
