"""The document's form. The keys are fixed: tools rely on them."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from enfilade.configuration.access_parts import Access, UseCase
from enfilade.configuration.approvals import ApprovalRule
from enfilade.configuration.cells import Cell
from enfilade.configuration.issuer_parts import TokenIssuer
from enfilade.configuration.part import StrictPart
from enfilade.configuration.people_parts import Accounts, Group, User
from enfilade.configuration.price_parts import Discount, ExchangeRate, Markup, Price, PriceChange
from enfilade.configuration.role_parts import ConfinedTo, Role, RoleAssignment, Scopes, Security
from enfilade.configuration.secret_part import Secret
from enfilade.configuration.values import (
    Amount,
    Count,
    Duration,
    Label,
    ModelName,
    Moment,
    Name,
    Whole,
)

SUBJECT_HELP = "`tenant`, `department:NAME`, `application:NAME`, `user:EMAIL`, `key:NAME`, or `KIND:*` for each one"


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class Timeout(Part):
    """How long each phase of a call to a provider may take."""

    connect: Duration = 5.0
    """For the connection, TLS included."""
    first_byte: Duration = 60.0
    """From the request to the first byte of the answer."""
    between_bytes: Duration = 30.0
    """The longest pause within an answer."""
    total: Duration = 600.0
    """For one attempt, from its beginning to its end."""


class Provider(Part):
    """A service that serves models."""

    name: Name
    """Yours to choose; deployments refer to it."""
    kind: Annotated[str, Field(description="Which service it is: openai, azure_openai, anthropic, gemini, vertex, …")]
    base_url: Annotated[str | None, Field(description="Optional where the kind knows its own.")] = None
    api_key: Secret | None = None
    """The key that the provider knows us by."""
    region: Annotated[Label | None, Field(description="Where it runs.")] = None
    zone: Literal["on_premise", "private_cloud", "public_cloud"] = "public_cloud"
    """What kind of place it is."""
    timeout: Timeout = Timeout()
    """How long each phase of an attempt may take."""
    max_concurrency: Annotated[Count | None, Field(le=100_000)] = None
    """How many calls may run there at once."""
    allow_private_network: Annotated[bool, Field(description="May its address be private or loopback?")] = False
    options: Annotated[
        dict[str, Any],
        Field(
            description="proxy, proxy_login_env, ca_file, client_cert, client_key, output_field, and those of the "
            "kind; one that is a secret is given like `api_key`."
        ),
    ] = {}

    @field_validator("options", mode="after")
    @classmethod
    def _with_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        return {name: _as_secret(value) for name, value in options.items()}


def _as_secret(value: Any) -> Any:
    """A secret where a value has the form of one. What has another form is refused by the kind that it is for."""
    given = {name: text for name, text in value.items() if text is not None} if isinstance(value, dict) else {}
    if len(given) == 1 and set(value) <= set(Secret.model_fields) and isinstance(next(iter(given.values())), str):
        return Secret(**given)
    return value


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


class Tax(Part):
    """A tax on what a tenant is billed."""

    name: Label
    """As it stands on invoices, e.g. VAT."""
    rate: Annotated[Amount, Field(le=100)]
    """In percent of the net sum."""


class Billing(Part):
    """How a tenant is billed."""

    name: Label
    """The customer's name, as it stands on invoices."""
    address: Annotated[list[Label], Field(max_length=10)] = []
    """The customer's address, line by line."""
    tax_id: Label | None = None
    """The customer's tax number."""
    email: Label | None = None
    """Where invoices are sent."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """The currency of invoices; another than the dollar needs a rate for each."""
    taxes: Annotated[list[Tax], Field(max_length=10)] = []
    """Each is computed on the net sum."""
    payment_days: Annotated[Whole, Field(le=365)] = 30
    """How many days after its issue an invoice is due."""
    reference: Label | None = None
    """The customer's own reference, e.g. an order's number."""
    note: Annotated[str | None, Field(max_length=1000)] = None
    """A sentence on each invoice, e.g. why there is no tax."""


class Issuer(Part):
    """Who issues invoices: the operator of this installation."""

    name: Label
    """The issuer's name."""
    address: Annotated[list[Label], Field(max_length=10)] = []
    """The issuer's address, line by line."""
    tax_id: Label | None = None
    """The issuer's tax number."""
    email: Label | None = None
    """Where questions are answered."""
    payment: Annotated[list[Label], Field(max_length=10)] = []
    """How to pay: bank, account, line by line."""
    note: Annotated[str | None, Field(max_length=1000)] = None
    """A sentence on each invoice and credit note, e.g. where the issuer is registered."""
    time_zone: Label = "UTC"
    """Whose day is the date of issue, and whose year a number belongs to."""
    invoice_number: Annotated[str, Field(max_length=40)] = "INV-{year}-{number}"
    """How invoices are numbered."""
    credit_note_number: Annotated[str, Field(max_length=40)] = "CN-{year}-{number}"
    """How credit notes are numbered."""


class Anomalies(Part):
    """When a tenant is told that an hour cost more than usual."""

    enabled: bool = True
    """Whether it is told at all."""
    factor: Annotated[Amount, Field(ge=1, le=1000)] = Decimal(2)
    """So many times what hours alike usually cost."""
    deviations: Annotated[Amount, Field(le=1000)] = Decimal(4)
    """And so many times farther from that than hours alike mostly are."""
    least_usd: Amount = Decimal(1)
    """An hour that cost less is never told of."""
    scopes: Annotated[list[Literal["tenant", "department", "application", "model"]], Field(min_length=1)] = [
        "tenant",
        "department",
        "application",
        "model",
    ]
    """What is looked at by itself."""


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
    accounts: Annotated[
        Accounts | None, Field(description="Of the platform's own people; no tenant demands less than this.")
    ] = None


def document_schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    schema = Document.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "enfilade.yaml"
    return schema
