"""The nouns of this room."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import msgspec

ACTIVE, SUSPENDED = "active", "suspended"
LOCAL = "local"
SCIM = "scim"

Attribute = str | int | bool | list[str]
Attributes = dict[str, Attribute]


class ApplicationSettings(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=False):
    """What an application may switch on."""

    cache_ttl_s: int = 0
    """How long identical requests are answered from memory; 0 is never."""
    cache_max_bytes: int = 4_000_000
    """Answers larger than this are not kept."""
    store_responses: bool = True
    """Whether responses may be kept for callers of the Responses API."""
    response_days: int = 30
    """How long a response is kept, and a conversation after its last use."""
    use_cases: tuple[str, ...] = ()
    """What it may be used for; without any, for everything. With exactly one, calls that name none are for that."""
    strict: bool = False
    """Whether a call that has to be translated is refused rather than sent without a field that has no place there."""


class CellSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an administrator says of a cell: a database in which, or next to which, tenants can live."""

    name: str
    address: dict[str, str] | None = None
    """A reference to `postgresql://…` with the owner's name and password; None for the installation's own database."""
    region: str | None = None
    capacity: int | None = None
    """How many tenants it takes; None for any number."""
    isolation: tuple[str, ...] = ("row", "schema", "database")
    """The strengths of isolation that it offers."""


@dataclass(frozen=True, slots=True)
class CellHost:
    """A declared cell."""

    id: str
    spec: CellSpec
    version: int
    tenants: int
    """How many live there."""


AS_IT_IS = ""
"""An isolation that nobody names: a tenant keeps what it has, and a new one is kept apart by rows."""


@dataclass(frozen=True, slots=True)
class TenantSpec:
    """What an administrator says of a tenant."""

    name: str
    isolation: str = "row"
    """Or `AS_IT_IS`."""
    region: str | None = None
    security_level: str | None = None
    time_zone: str = "UTC"
    allowed_models: tuple[str, ...] = ("*",)
    max_tokens_per_request: int | None = None
    cell: str | None = None
    """The host that it is to live on; None leaves the choice to the installation."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation."""

    id: str
    spec: TenantSpec
    version: int
    created_at: datetime
    cell: str = "home"
    """The host that it lives on."""
    state: str = ACTIVE
    state_reason: str | None = None

    @property
    def name(self) -> str:
        """Its unique name."""
        return self.spec.name


@dataclass(frozen=True, slots=True)
class Department:
    """A part of a tenant that applications and users belong to."""

    id: str
    tenant: str
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class UserSpec:
    """What an administrator says of a person."""

    email: str
    department: str | None = None
    roles: tuple[str, ...] = ()
    display_name: str | None = None
    manager: str | None = None
    """The e-mail address of another user."""
    attributes: Attributes = field(default_factory=dict)
    """What policies may ask about them."""
    active: bool = True
    """Whether they may sign in, and whether what was issued to them works."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who looks after a user or a group, and what they call it."""

    source: str = LOCAL
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A person of a tenant; `spec.department` is a name."""

    id: str
    tenant: str
    spec: UserSpec
    department_id: str | None
    version: int
    manager_id: str | None = None
    origin: Origin = Origin()


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """What an administrator says of a group."""

    name: str
    members: tuple[str, ...] = ()
    """E-mail addresses."""


@dataclass(frozen=True, slots=True)
class Group:
    """Some of a tenant's people, under one name."""

    id: str
    tenant: str
    spec: GroupSpec
    version: int
    origin: Origin = Origin()


@dataclass(frozen=True, slots=True)
class ApplicationSpec:
    """What an administrator says of an application."""

    name: str
    department: str | None = None
    allowed_models: tuple[str, ...] = ("*",)
    settings: ApplicationSettings = field(default_factory=ApplicationSettings)


@dataclass(frozen=True, slots=True)
class Application:
    """A program of a tenant that calls models; `spec.department` is a name."""

    id: str
    tenant: str
    spec: ApplicationSpec
    department_id: str | None
    version: int


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What an administrator says of a key: it stands for an application, a user, or roles in the admin API."""

    name: str
    application: str | None = None
    user: str | None = None
    roles: tuple[str, ...] = ()
    expires_at: datetime | None = None
    allowed_ips: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    """What of its rights it keeps; without any, all of them."""
    confined_to: str | None = None
    """Where its roles hold: `department:NAME` or `application:NAME`; without it in the whole tenant."""


@dataclass(frozen=True, slots=True)
class Key:
    """A credential. Its secret is not here: only digests of it are stored, elsewhere."""

    id: str
    tenant: str
    spec: KeySpec
    application_id: str | None
    user_id: str | None
    version: int
    created_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    """The beginning of the minute in which it was used last."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key together with its secret, which nobody can read again. The secret is None when the caller set it."""

    key: Key
    secret: str | None = field(repr=False)


class Outcome(StrEnum):
    """What a `put` did."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
