"""The nouns of approvals."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

DAY_S = 86_400

Kind = Literal["model", "use_case", "role", "key_scope", "data_class"]
KINDS: tuple[Kind, ...] = ("model", "use_case", "role", "key_scope", "data_class")
RequestState = Literal["pending", "approved", "refused", "withdrawn", "expired"]
GrantState = Literal["scheduled", "active", "ended", "revoked"]


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is asked for, and granted. Things are named as callers name them, or by id where they have no name there."""

    kind: Kind
    model: str | None = None
    """A name, or a pattern with `*`."""
    use_case: str | None = None
    """The use case that is asked for; of a model, the only one for which it may be used."""
    role: str | None = None
    department: str | None = None
    """Where the role holds, by id; nowhere named: in the whole tenant."""
    application: str | None = None
    scopes: tuple[str, ...] = ()
    """What a key may do for the time."""
    data_class: str | None = None
    """The highest class that the use case may work with for the time."""


class Stage(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One step of a review."""

    reviewers: tuple[str, ...]
    """`manager`, `owner:use_case|application|department`, `user:…`, `group:…`, `role:…`."""
    needs: int = 1
    """How many of them must approve."""
    fallback: tuple[str, ...] = ()
    """Who decides too when there are fewer than it needs."""


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which requests need whom. What is empty sets no condition. People and groups are named by id."""

    name: str
    stages: tuple[Stage, ...]
    kinds: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    use_cases: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    """Of the person who asks, by name."""
    position: int = 100
    max_duration_s: int = 30 * DAY_S
    expires_after_s: int = 7 * DAY_S
    remind_before_s: int = DAY_S
    emergency: tuple[str, ...] = ()
    """Who may take this access at once and explain afterwards: `user:…`, `group:…`, `role:…`."""
    emergency_max_s: int = 4 * 3600
    emergency_review_s: int = 3 * DAY_S


DEFAULT_RULE = Rule("default", (Stage(("manager",), fallback=("role:owner", "role:admin")),))
"""For tenants whose rules do not cover a request, except those for a role, or for scopes that let a key administer."""
DEFAULT_RULE_FOR_RIGHTS = Rule("default", (Stage(("role:owner",)),))
"""Only who may grant every role of a tenant."""


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """A rule as it is stored."""

    id: str
    tenant: str
    rule: Rule
    version: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the tenant who is active."""

    id: str
    email: str
    manager_id: str | None
    department_id: str | None
    department: str | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for."""

    asked: Asked
    reason: str
    duration_s: int
    application: str | None = None
    """The application that is to have it, by id; None: the person who asks."""
    key: str | None = None
    """The key whose scopes it is about, by id."""
    starts_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer said."""

    reviewer: str
    seat: str
    stage: int
    approves: bool
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody noted on a request."""

    id: str
    author: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """A request for access."""

    id: str
    tenant: str
    requester: str
    user: str | None
    application: str | None
    key: str | None
    asked: Asked
    reason: str
    duration_s: int
    starts_ns: int | None
    rule: Rule
    stored_state: RequestState
    created_ns: int
    expires_ns: int
    decided_ns: int | None
    decisions: tuple[Decision, ...] = ()
    comments: tuple[Comment, ...] = ()

    def state_at(self, now_ns: int) -> RequestState:
        """Its state; a request that nobody answered in time has expired, whether or not anybody has noted it."""
        return "expired" if self.stored_state == "pending" and self.expires_ns <= now_ns else self.stored_state

    @property
    def concerned(self) -> frozenset[str]:
        """Whoever would have the access, or asked for it: they never decide."""
        return frozenset(person for person in (self.requester, self.user) if person)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a request has come."""

    stage: int | None
    """The stage that is open; None when all are done."""
    reviewers: frozenset[str]
    """Whose decision is awaited: of those named, who has not decided."""
    approvals: int
    needs: int


@dataclass(frozen=True, slots=True)
class EmergencyReview:
    """What has to be, or was, said about access that somebody took."""

    due_ns: int
    reviewed_ns: int | None = None
    reviewer: str | None = None
    justified: bool | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """Access for a time."""

    id: str
    tenant: str
    request: str | None
    user: str | None
    application: str | None
    key: str | None
    asked: Asked
    starts_ns: int
    ends_ns: int
    granted_ns: int
    revoked_ns: int | None
    revoked_by: str | None
    revocation: str | None
    told_ended: bool
    emergency: bool = False
    reason: str | None = None
    review: EmergencyReview | None = None

    def state_at(self, now_ns: int) -> GrantState:
        """Its state. The first moment belongs to it, the last does not."""
        if self.revoked_ns is not None:
            return "revoked"
        if self.told_ended or self.ends_ns <= now_ns:
            return "ended"
        return "scheduled" if now_ns < self.starts_ns else "active"
