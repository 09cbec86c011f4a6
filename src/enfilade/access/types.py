"""The nouns of this room: what is asked, and what is answered."""

from enum import StrEnum

import msgspec

DATA_CLASSES = ("public", "internal", "confidential", "restricted")
"""From what everybody may know to what almost nobody may."""
RANK = {name: rank for rank, name in enumerate(DATA_CLASSES)}
RISK_TIERS = ("minimal", "limited", "high", "prohibited")
"""As the EU AI Act (Regulation 2024/1689) sorts uses."""

APPROVAL = "approval"
"""What is missing when the answer would be yes with an approval."""


class ActionName(StrEnum):
    """What may be done."""

    CALL = "call"
    TRAIN = "train"
    RETRIEVE = "retrieve"
    USE_TOOL = "use_tool"
    READ = "read"
    WRITE = "write"
    APPROVE = "approve"


class ResourceKind(StrEnum):
    """What something may be done to."""

    MODEL = "Model"
    DEPLOYMENT = "Deployment"
    COLLECTION = "Collection"
    PROMPT = "Prompt"
    TOOL = "Tool"


Attribute = str | int | bool | tuple[str, ...]


class Caller(msgspec.Struct, frozen=True):
    """Who asks. Policies speak of people and programs by name; ids are for what is kept beside policies."""

    user: str | None = None
    """The user's address."""
    application: str | None = None
    key: str | None = None
    """The key's name."""
    department: str | None = None
    roles: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, Attribute], ...] = ()
    """What the directory knows of the user, sorted by name."""
    user_id: str | None = None
    application_id: str | None = None
    key_id: str | None = None


class Resource(msgspec.Struct, frozen=True):
    """What it is asked about. A deployment also names its model."""

    kind: ResourceKind
    name: str
    model: str | None = None
    """The model in the catalogue that a deployment serves."""
    provider: str | None = None
    zone: str | None = None
    """on_premise, private_cloud or public_cloud."""
    region: str | None = None


class Circumstances(msgspec.Struct, frozen=True):
    """What the answer may depend on beside who and what."""

    use_case: str | None = None
    data_class: str | None = None
    """None: the use case's, or else the tenant's default."""
    address: str | None = None
    """The caller's network address."""
    now_ns: int = 0
    """When; policies see it in the tenant's time zone."""
    approvals: frozenset[str] = frozenset()
    """Ids of the active approvals that fit."""
    approved: bool = False
    """Whether there is one."""


class Question(msgspec.Struct, frozen=True):
    """May this caller do this to that, under these circumstances?"""

    tenant: str
    caller: Caller
    action: str
    resource: Resource
    context: Circumstances = Circumstances()


class Decision(msgspec.Struct, frozen=True):
    """The answer, and why."""

    allowed: bool
    policies: tuple[str, ...] = ()
    """The names of those that decided, sorted."""
    missing: tuple[str, ...] = ()
    """What would have changed a no into a yes: `approval`."""
    reason: str = ""
    """permitted, forbidden, no_permit, default, error, prohibited, department, no_policies."""


NO_POLICIES = Decision(allowed=True, reason="no_policies")
"""A tenant that has none is bound by `allowed_models` alone."""
