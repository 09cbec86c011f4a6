"""What the routes of access reviews share."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from enfilade.access.reviews.types import Item, Review, ReviewSettings, Schedule
from enfilade.api.admin.approval_views import Names
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.views import View
from enfilade.configuration.values import Name, Start
from enfilade.storage.unit_of_work import UnitOfWork

ScopeWord = Literal["roles", "keys", "grants", "exceptions"]
Reviewer = Annotated[str, Field(min_length=1, max_length=300)]
WORDS = "`manager`, `owner:department`, `owner:application`, `user:EMAIL`, `group:NAME`, `role:NAME`."


class CampaignBody(BaseModel):
    """What a campaign looks at, who answers, and by when."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    scope: Annotated[list[ScopeWord], Field(min_length=1, max_length=4)] = ["roles", "keys", "grants", "exceptions"]
    department: Annotated[Name | None, Field(description="Only what belongs to this department.")] = None
    reviewers: Annotated[list[Reviewer], Field(min_length=1, max_length=50, description=WORDS)] = ["manager"]
    fallback: Annotated[
        list[Reviewer], Field(max_length=50, description="Who answers where the reviewers are nobody, or oneself.")
    ] = ["role:owner", "role:admin"]
    days: Annotated[int, Field(ge=1, le=366, description="How long reviewers have.")] = 14
    evidence_days: Annotated[int, Field(ge=1, le=366, description="Over how many days calls are counted.")] = 90
    remind_days: Annotated[int, Field(ge=0, le=366, description="How many days before the end to remind.")] = 3
    revoke_unanswered: Annotated[bool, Field(description="Revoke on the due date what nobody answered.")] = True


class ScheduleBody(CampaignBody):
    """A campaign that is repeated."""

    every: Literal["month", "quarter", "half_year", "year"]
    next_at: Annotated[Start | None, Field(description="When the next begins; without it, now.")] = None


class ReviewView(View):
    """A campaign."""

    id: str
    tenant: str
    name: str
    state: Literal["open", "closed"]
    scope: list[str]
    department: str | None
    schedule: Annotated[str | None, Field(description="The id of the schedule that started it.")]
    started_by: str
    started_at: datetime
    due_at: datetime
    closed_at: datetime | None
    revoke_unanswered: bool
    items: int
    answered: int
    applied: Annotated[int, Field(description="How many answers have taken effect.")]
    report_sha256: Annotated[str | None, Field(description="The closing event holds the same.")]


class ItemView(View):
    """A question of a campaign, and its answer."""

    id: str
    kind: Literal["role", "assignment", "key", "grant", "exception"]
    subject: str
    access: str
    evidence: Annotated[dict[str, Any], Field(description="Since when, by whose doing, and whether it is used.")]
    reviewers: list[str]
    decision: Literal["keep", "revoke", "change"] | None
    change: dict[str, Any] | None
    reason: str | None
    decided_by: Annotated[str | None, Field(description="Null with a decision: nobody answered in time.")]
    decided_at: datetime | None
    applied_at: datetime | None
    outcome: Annotated[str | None, Field(description="What came of the decision.")]


class ScheduleView(ScheduleBody):
    """A schedule."""

    id: str
    tenant: str
    version: int


async def settings_of(context: AdminContext, unit: UnitOfWork, body: CampaignBody) -> ReviewSettings:
    """For the room. Raises UnknownDepartment."""
    return ReviewSettings(
        scope=tuple(dict.fromkeys(body.scope)),
        department=await context.rooms.identity.departments.id_of(unit, body.department),
        reviewers=tuple(body.reviewers),
        fallback=tuple(body.fallback),
        days=body.days,
        evidence_days=body.evidence_days,
        remind_days=body.remind_days,
        revoke_unanswered=body.revoke_unanswered,
    )


def review_view(context: AdminContext, review: Review) -> ReviewView:
    """A campaign as it is shown."""
    names, settings, progress = Names(context, review.tenant), review.settings, review.progress
    return ReviewView(
        id=review.id,
        tenant=names.of_tenant,
        name=review.name,
        state="open" if review.closed_at is None else "closed",
        scope=list(settings.scope),
        department=names.of("department", settings.department),
        schedule=review.schedule,
        started_by=review.started_by,
        started_at=review.started_at,
        due_at=review.due_at,
        closed_at=review.closed_at,
        revoke_unanswered=settings.revoke_unanswered,
        items=progress.items,
        answered=progress.answered,
        applied=progress.applied,
        report_sha256=review.report_hash,
    )


def item_view(context: AdminContext, tenant: str, item: Item) -> ItemView:
    """An item as it is shown."""
    names = Names(context, tenant)
    return ItemView(
        id=item.id,
        kind=item.kind,
        subject=item.subject,
        access=item.label,
        evidence=item.evidence,
        reviewers=names.people(item.reviewers),
        decision=item.decision,
        change=item.change,
        reason=item.reason,
        decided_by=names.of("user", item.decided_by),
        decided_at=item.decided_at,
        applied_at=item.applied_at,
        outcome=item.outcome,
    )


async def schedule_view(context: AdminContext, unit: UnitOfWork, schedule: Schedule) -> ScheduleView:
    """A schedule as it is shown."""
    names, settings = Names(context, schedule.tenant), schedule.settings
    words = {*settings.reviewers, *settings.fallback}
    shown = await context.approvals.reviewers.shown_words(unit, schedule.tenant, words)
    return ScheduleView(
        id=schedule.id,
        tenant=names.of_tenant,
        name=schedule.name,
        scope=list(settings.scope),
        department=names.of("department", settings.department),
        reviewers=[shown[word] for word in settings.reviewers],
        fallback=[shown[word] for word in settings.fallback],
        days=settings.days,
        evidence_days=settings.evidence_days,
        remind_days=settings.remind_days,
        revoke_unanswered=settings.revoke_unanswered,
        every=schedule.every,
        next_at=schedule.next_at,
        version=schedule.version,
    )
