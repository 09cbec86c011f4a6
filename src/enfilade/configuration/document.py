"""The document's form. The keys are fixed: tools rely on them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from enfilade.configuration.access_parts import Access, UseCase
from enfilade.configuration.approvals import ApprovalRule
from enfilade.configuration.billing_parts import Anomalies, Billing, Issuer
from enfilade.configuration.cells import Cell
from enfilade.configuration.issuer_parts import TokenIssuer
from enfilade.configuration.limit_parts import Budget, Limit
from enfilade.configuration.model_parts import Alias, Model
from enfilade.configuration.part import StrictPart
from enfilade.configuration.people_parts import Accounts, Group, User
from enfilade.configuration.price_parts import Discount, ExchangeRate, Markup
from enfilade.configuration.provider_parts import Provider
from enfilade.configuration.role_parts import ConfinedTo, Role, RoleAssignment, Scopes, Security
from enfilade.configuration.secret_part import Secret
from enfilade.configuration.values import (
    Count,
    Duration,
    Label,
    ModelName,
    Moment,
    Name,
)


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class Department(Part):
    """A part of a tenant."""

    name: Name
    """The department's name."""


class Cache(Part):
    """Whether, and how long, identical requests are answered from memory."""

    ttl: Annotated[Duration, Field(ge=1)]
    """How long an answer may be given again."""
    max_bytes: Annotated[Count, Field(le=64_000_000)] = 4_000_000
    """The largest answer that is kept."""


class Application(Part):
    """A program that calls models."""

    name: Name
    """The application's name."""
    department: Name | None = None
    """Where its costs belong."""
    allowed_models: list[ModelName] = ["*"]
    """Patterns over model and alias names."""
    cache: Cache | None = None
    """Answer identical requests from memory."""
    store_responses: bool = True
    """May responses and conversations be kept for callers of the Responses API?"""
    response_days: Annotated[Count, Field(le=3650)] = 30
    """How many days a response is kept, and a conversation after its last use."""
    use_cases: Annotated[list[Name], Field(max_length=500)] = []
    """What it may be used for: registered use cases; with exactly one, calls that name none are for that."""
    strict: bool = False
    """Refuse a call that has to be translated, rather than leave out a field that the model's provider cannot take."""


class Key(Part):
    """A credential: for an application, for a user, or with roles for the admin API."""

    name: Name
    """The key's name, unique in its tenant."""
    application: Name | None = None
    """The application that it stands for."""
    user: str | None = None
    """The user that it stands for."""
    roles: list[str] = []
    """What it may do in the admin API."""
    secret: Annotated[Secret | None, Field(description="Without it one is made and shown once.")] = None
    expires: Moment | None = None
    """A day, which it still works on, or a moment."""
    allowed_ips: list[str] = []
    """Addresses and networks from which it may be used; without any, from all."""
    scopes: Scopes = []
    confined_to: ConfinedTo = None


class TenantBase(Part):
    """A tenant without what belongs to it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    """The tenant's name."""
    isolation: Literal["row", "schema", "database"] | None = None
    """How its rows are kept apart; left out, as they are, and of a new tenant `row`."""
    cell: Label | None = None
    """Where it lives; left out, a cell with room in its region."""
    region: Annotated[Label | None, Field(description="Data location.")] = None
    security_level: Label | None = None
    """A word of yours, kept for policies."""
    time_zone: Label = "UTC"
    """Where its calendar's windows begin, e.g. Europe/Vienna."""
    allowed_models: Annotated[list[ModelName], Field(description="Patterns over model and alias names.")] = ["*"]
    max_tokens_per_request: Count | None = None
    """The most tokens that one request and its answer may have."""


class Tenant(TenantBase):
    """An organisation."""

    departments: list[Department] = []
    """Its parts."""
    users: list[User] = []
    """Its people."""
    groups: list[Group] = []
    """Some of its people, under one name."""
    accounts: Accounts | None = None
    """What is demanded of whoever signs in with a local account."""
    applications: list[Application] = []
    """Its programs."""
    roles: list[Role] = []
    """Roles of its own."""
    role_assignments: list[RoleAssignment] = []
    """Who has which role where."""
    security: Security | None = None
    """What it demands of keys, and of the platform's people."""
    keys: list[Key] = []
    """Its keys."""
    limits: list[Limit] = []
    """Its limits."""
    budgets: list[Budget] = []
    """Its budgets."""
    issuers: list[TokenIssuer] = []
    """Who says who its people and programs are."""
    use_cases: list[UseCase] = []
    """Its register of use cases."""
    access: Access | None = None
    """Who may use what, for what."""
    approval_rules: list[ApprovalRule] = []
    """Which requests for access need whom."""
    markups: list[Markup] = []
    """What it pays on top of what providers charge."""
    billing: Billing | None = None
    """How it is billed."""
    anomalies: Anomalies | None = None
    """When it is told that an hour cost more than usual."""


class Document(Part):
    """A whole platform."""

    version: Literal[1] = 1
    """The version of this form."""
    cells: list[Cell] = []
    """Where tenants live."""
    providers: list[Provider] = []
    """Where models run."""
    models: list[Model] = []
    """The names that callers use."""
    aliases: list[Alias] = []
    """Further names for them."""
    discounts: list[Discount] = []
    """What providers take off their list prices for us."""
    currencies: list[ExchangeRate] = []
    """Exchange rates for display; the ledger stays in dollars."""
    keys: Annotated[
        list[Key], Field(description="The platform's own keys: roles owner, operator, auditor, monitor.")
    ] = []
    tenants: list[Tenant] = []
    """Organisations, with everything that is theirs."""
    issuer: Issuer | None = None
    """Who issues invoices."""
    issuers: Annotated[
        list[TokenIssuer], Field(description="Who says who the platform's own people are; see `tenants.issuers`.")
    ] = []
    accounts: Annotated[
        Accounts | None, Field(description="Of the platform's own people; no tenant demands less than this.")
    ] = None


def document_schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    schema = Document.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "enfilade.yaml"
    return schema
