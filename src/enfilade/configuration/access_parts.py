"""The document's parts on access: use cases, policies, the matrix."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from enfilade.configuration.part import StrictPart
from enfilade.configuration.values import ModelName, Name

DataClass = Literal["public", "internal", "confidential", "restricted"]
PolicyName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,98}$")]


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class UseCase(Part):
    """What models are used for."""

    name: Name
    """What callers write in `x-enfilade-use-case`."""
    owner: Annotated[str, Field(min_length=3, max_length=255)]
    """The e-mail address of who answers for it."""
    purpose: Annotated[str, Field(min_length=1, max_length=2000)]
    """What it is for."""
    risk_tier: Literal["minimal", "limited", "high", "prohibited"] = "minimal"
    """As in the EU AI Act. What is prohibited is never allowed."""
    data_classes: Annotated[list[DataClass], Field(min_length=1, max_length=4)] = ["internal"]
    """Which data it works with; a call counts as the highest of them."""
    human_oversight: Annotated[str, Field(max_length=2000)] = ""
    """Who looks at what comes out, and can stop it."""
    review_date: Annotated[str | None, Field(max_length=10, examples=["2027-03-31"])] = None
    """The day by which somebody looks at it again."""
    departments: Annotated[list[Name], Field(max_length=500)] = []
    """Who may name it; without any, everybody."""


class Policy(Part):
    """A rule in Cedar."""

    name: PolicyName
    """Names it in decisions and on calls."""
    cedar: Annotated[str, Field(min_length=1, max_length=1_000_000)]
    """One permit or forbid."""
    description: Annotated[str, Field(max_length=2000)] = ""
    """What it is for."""
    visible: bool = True
    """May callers who are refused know its name?"""
    enabled: bool = True
    """Is it in force?"""


class MatrixRow(Part):
    """Who may use which models, for what, with which data. What is left out sets no condition."""

    name: PolicyName
    """Names it in decisions, as `matrix/NAME`."""
    departments: list[Name] = []
    """Or applications, roles or users: any of them is enough."""
    applications: list[Name] = []
    """Programs."""
    roles: list[Name] = []
    """Roles of people and keys."""
    users: list[Annotated[str, Field(max_length=255)]] = []
    """E-mail addresses."""
    models: list[ModelName] = []
    """Names of models, and patterns with `*`."""
    use_cases: list[Name] = []
    """What for."""
    data_class: DataClass = "internal"
    """The highest class of data."""
    approval: bool = False
    """Is an approval needed?"""
    description: Annotated[str, Field(max_length=2000)] = ""
    """What it is for."""
    visible: bool = True
    """May callers who are refused know its name?"""
    enabled: bool = True
    """Is it in force?"""


class Access(Part):
    """Who may use what, for what: a version of the tenant's policies."""

    default: Literal["deny", "allow"] = "deny"
    """What holds where no policy speaks; a tenant without any policy allows all that `allowed_models` does."""
    use_cases: Literal["required", "known", "free"] = "free"
    """Must a call name a registered use case, may it name registered ones only, or any?"""
    default_data_class: DataClass = "internal"
    """The class of calls whose use case says nothing."""
    second_person: bool = False
    """Must somebody other than the author approve a change of policies?"""
    attributes: Annotated[dict[str, Literal["string", "long", "boolean", "strings"]], Field(max_length=64)] = {}
    """Attributes of users that policies may speak of, with their types."""
    policies: Annotated[list[Policy], Field(max_length=10_000)] = []
    """Rules in Cedar."""
    matrix: Annotated[list[MatrixRow], Field(max_length=5_000)] = []
    """The model access matrix."""
