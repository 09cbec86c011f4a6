"""The document's form. The keys are fixed: tools rely on them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from enfilade.configuration.values import Amount, Duration, ModelName, Moment, Name

SUBJECT_HELP = "`tenant`, `department:NAME`, `application:NAME`, `user:EMAIL`, `key:NAME`, or `KIND:*` for each one"


class Part(BaseModel):
    """The base of all parts: unknown keys are refused, because a misspelt limit would be no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(Part):
    """A secret, or where it is. Exactly one of the four."""

    env: Annotated[str | None, Field(description="The name of an environment variable.")] = None
    file: Annotated[str | None, Field(description="The path of a file.")] = None
    value: Annotated[str | None, Field(description="The secret itself.", repr=False)] = None
    sealed: Annotated[str | None, Field(description="A secret that is sealed in this installation already.")] = None

    @model_validator(mode="after")
    def _one(self) -> "Secret":
        given = [name for name in ("env", "file", "value", "sealed") if getattr(self, name) is not None]
        if len(given) != 1:
            message = "a secret is given as one of {env: NAME}, {file: PATH} or {value: TEXT}"
            raise ValueError(message)
        return self


class Timeout(Part):
    """How long each phase of a call to a provider may take."""

    connect: Duration = 5.0
    first_byte: Duration = 60.0
    between_bytes: Duration = 30.0
    total: Duration = 600.0


class Provider(Part):
    """A service that serves models."""

    name: Name
    kind: Annotated[str, Field(description="openai, anthropic, openai_compatible or simulated.")]
    base_url: Annotated[str | None, Field(description="Optional where the kind knows its own.")] = None
    api_key: Secret | None = None
    region: Annotated[str | None, Field(description="Where it runs.")] = None
    zone: Literal["on_premise", "private_cloud", "public_cloud"] = "public_cloud"
    timeout: Timeout = Timeout()
    max_concurrency: Annotated[int | None, Field(ge=1, le=100_000)] = None
    allow_private_network: Annotated[bool, Field(description="May its address be private or loopback?")] = False
    options: Annotated[dict[str, Any], Field(description="proxy, ca_file, client_cert, client_key, output_field.")] = {}


class Deployment(Part):
    """Where a model can be had."""

    provider: Name
    model: ModelName
    weight: Annotated[int, Field(ge=0, le=1_000_000)] = 1


class Price(Part):
    """USD per million tokens."""

    input: Amount | None = None
    output: Amount | None = None
    cached_input: Amount | None = None
    cache_write: Amount | None = None
    cache_write_1h: Amount | None = None
    reasoning: Amount | None = None
    free: bool | None = None


class Model(Part):
    """A name that callers use. One that ends in `*` stands for all names that begin so."""

    name: ModelName
    deployments: Annotated[list[Deployment], Field(min_length=1)]
    strategy: Annotated[str, Field(description="weighted or ordered.")] = "weighted"
    fallbacks: Annotated[list[ModelName], Field(description="Other models, in order.")] = []
    context_window: Annotated[int | None, Field(ge=1)] = None
    max_output_tokens: Annotated[int | None, Field(ge=1)] = None
    price: Annotated[Price | None, Field(description="Without it the price book decides.")] = None
    capabilities: list[str] = []


class AliasRule(Part):
    """The first rule whose conditions hold decides."""

    use: ModelName
    when: dict[str, Any] = {}


class Alias(Part):
    """A name that stands for a model, or for a requirement."""

    name: ModelName
    model: ModelName | None = None
    rules: list[AliasRule] = []


class Department(Part):
    """A part of a tenant."""

    name: Name


class User(Part):
    """A person."""

    email: Annotated[str, Field(min_length=3, max_length=255)]
    department: Name | None = None
    roles: list[str] = []


class Cache(Part):
    """Whether, and how long, identical requests are answered from memory."""

    ttl: Duration
    max_bytes: Annotated[int, Field(ge=1, le=64_000_000)] = 4_000_000


class Application(Part):
    """A program that calls models."""

    name: Name
    department: Name | None = None
    allowed_models: list[ModelName] = ["*"]
    cache: Cache | None = None


class Key(Part):
    """A credential: for an application, for a user, or with roles for the admin API."""

    name: Name
    application: Name | None = None
    user: str | None = None
    roles: list[str] = []
    secret: Annotated[Secret | None, Field(description="Without it one is made and shown once.")] = None
    expires: Moment | None = None
    allowed_ips: list[str] = []


class Limit(Part):
    """So many requests or tokens in a window, or so many calls at once."""

    scope: Annotated[str, Field(description=SUBJECT_HELP)]
    model: Annotated[ModelName | None, Field(description="Only for this model, or models that match.")] = None
    requests: Annotated[int | None, Field(ge=0)] = None
    tokens: Annotated[int | None, Field(ge=0)] = None
    concurrency: Annotated[int | None, Field(ge=0)] = None
    per: Literal["second", "minute", "hour", "day"] | None = None

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
    limit_usd: Amount
    model: Annotated[ModelName | None, Field(description="Only for this model, or models that match.")] = None
    alerts: Annotated[list[Amount], Field(description="Shares of the limit, e.g. 0.8.", max_length=10)] = []
    action: Literal["block", "cut", "warn"] = "block"


class TenantBase(Part):
    """A tenant without what belongs to it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    isolation: Literal["row", "schema", "database"] = "row"
    region: Annotated[str | None, Field(description="Data location.")] = None
    security_level: str | None = None
    time_zone: str = "UTC"
    allowed_models: Annotated[list[ModelName], Field(description="Patterns over model and alias names.")] = ["*"]
    max_tokens_per_request: Annotated[int | None, Field(ge=1)] = None


class Tenant(TenantBase):
    """An organisation."""

    departments: list[Department] = []
    users: list[User] = []
    applications: list[Application] = []
    keys: list[Key] = []
    limits: list[Limit] = []
    budgets: list[Budget] = []


class Document(Part):
    """A whole platform."""

    version: Literal[1] = 1
    providers: list[Provider] = []
    models: list[Model] = []
    aliases: list[Alias] = []
    keys: Annotated[
        list[Key], Field(description="The platform's own keys: roles owner, operator, auditor, monitor.")
    ] = []
    tenants: list[Tenant] = []


def document_schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    schema = Document.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "enfilade.yaml"
    return schema
