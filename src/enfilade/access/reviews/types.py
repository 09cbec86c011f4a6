"""The nouns of access reviews."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

Scope = Literal["roles", "keys", "grants", "exceptions"]
SCOPES: tuple[Scope, ...] = ("roles", "keys", "grants", "exceptions")
Answer = Literal["keep", "revoke", "change"]
Every = Literal["month", "quarter", "half_year", "year"]
MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


class ReviewSettings(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a campaign looks at, who answers, and by when."""

    scope: tuple[str, ...] = SCOPES
    department: str | None = None
    """Only what belongs to this department, by id; None: the whole tenant."""
    reviewers: tuple[str, ...] = ("manager",)
    """As in approval rules; whoever would look at their own access is left out."""
    fallback: tuple[str, ...] = ("role:owner", "role:admin")
    """Who answers where there is nobody else."""
    days: int = 14
    """How long reviewers have."""
    evidence_days: int = 90
    """Over how many days calls are counted."""
    remind_days: int = 3
    """How many days before the end reviewers are reminded."""
    revoke_unanswered: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """Something that somebody, or something, may do, as a campaign finds it."""

    kind: str
    object: str
    subject_id: str | None
    """The user whose access it is."""
    subject: str
    label: str
    evidence: dict[str, Any]
    application_id: str | None = None
    department_id: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A question of a campaign, and its answer."""

    id: str
    review: str
    kind: str
    object: str
    subject_id: str | None
    subject: str
    label: str
    evidence: dict[str, Any]
    reviewers: tuple[str, ...]
    decision: Answer | None
    change: dict[str, Any] | None
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    applied_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign has come."""

    items: int
    answered: int
    applied: int


@dataclass(frozen=True, slots=True)
class Review:
    """A campaign."""

    id: str
    tenant: str
    name: str
    settings: ReviewSettings
    schedule: str | None
    started_by: str
    started_at: datetime
    due_at: datetime
    closed_at: datetime | None
    report_hash: str | None
    progress: Progress


@dataclass(frozen=True, slots=True)
class Schedule:
    """A campaign that is repeated."""

    id: str
    tenant: str
    name: str
    settings: ReviewSettings
    every: Every
    next_at: datetime
    version: int
