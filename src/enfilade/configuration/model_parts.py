"""The document's parts on models and their further names."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from enfilade.configuration.part import StrictPart
from enfilade.configuration.price_parts import Price, PriceChange
from enfilade.configuration.values import Count, ModelName, Name, Whole


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class Deployment(Part):
    """Where a model can be had."""

    provider: Name
    """A provider's name."""
    model: ModelName
    """The name under which the provider has it; `*` repeats what the caller asked for."""
    weight: Annotated[Whole, Field(le=1_000_000)] = 1
    """Its share of the calls, beside the others'."""


class Model(Part):
    """A name that callers use. One that ends in `*` stands for all names that begin so."""

    name: ModelName
    """What callers write."""
    deployments: Annotated[list[Deployment], Field(min_length=1)]
    """Where it can be had."""
    strategy: Annotated[str, Field(description="weighted or ordered.")] = "weighted"
    fallbacks: Annotated[list[ModelName], Field(description="Other models, in order.")] = []
    context_window: Count | None = None
    """The most tokens that a request and its answer may have together."""
    max_output_tokens: Count | None = None
    """The most tokens that an answer may have; the bound that is held where a request sets none."""
    price: Annotated[Price | None, Field(description="Without it a price list or the price book decides.")] = None
    price_changes: Annotated[list[PriceChange], Field(max_length=100)] = []
    """Prices for later, each from its moment on."""
    capabilities: list[str] = []
    """What it can do, where the built-in table does not know or is wrong: tools, images, documents, audio, json_schema,
    reasoning (what is listed is all that it can), and settings that it does not take, with a minus: -temperature,
    -stop, -n, -logprobs, -seed, -system, -parallel_tools, -caching."""


class AliasRule(Part):
    """The first rule whose conditions hold decides."""

    use: ModelName
    """The model to use."""
    when: dict[str, Any] = {}
    """Conditions on `context_tokens`, `task`, `data_class`; all must hold. Without any the rule always holds."""


class Alias(Part):
    """A name that stands for a model, or for a requirement."""

    name: ModelName
    """What callers write."""
    model: ModelName | None = None
    """The model that it stands for."""
    rules: list[AliasRule] = []
    """Or rules, in order."""
