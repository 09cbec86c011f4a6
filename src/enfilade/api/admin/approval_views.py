"""What the routes of approvals share: who is meant, and how requests and grants are shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from enfilade.access.approvals.types import Asked, Grant, Request, Standing, Wish
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor
from enfilade.api.admin.views import View
from enfilade.configuration.values import Duration, Label, ModelName, Moment, Name
from enfilade.core.clock import to_datetime, to_ns
from enfilade.storage.unit_of_work import UnitOfWork

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
AccessKind = Literal["model", "use_case", "role", "key_scope", "data_class"]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class Wanted(BaseModel):
    """Access that is asked for, or taken."""

    model_config = ConfigDict(extra="forbid")

    kind: AccessKind
    model: Annotated[ModelName | None, Field(description="A model, or a pattern with `*`.")] = None
    use_case: Annotated[Label | None, Field(description="The use case; of a model, the only one for which.")] = None
    role: Annotated[Name | None, Field(description="The role; it holds for the person's sign-ins, not for keys.")] = (
        None
    )
    department: Annotated[Name | None, Field(description="Where the role is to hold.")] = None
    application: Annotated[
        Name | None,
        Field(description="Which application is to have it, instead of yourself; of a role, where it is to hold."),
    ] = None
    key: Annotated[Name | None, Field(description="Whose scopes are to be more.")] = None
    scopes: Annotated[list[Name], Field(max_length=100, description="Those that the key is to have.")] = []
    data_class: Annotated[Name | None, Field(description="The highest that the use case is to work with.")] = None
    duration: Annotated[Duration, Field(description="How long: 8h, 30d.")]
    starts_at: Annotated[Moment | None, Field(description="From when; without it, from the approval.")] = None
    reason: Annotated[Text, Field(description="Why. Reviewers read it; it stands in no event.")]


async def wish_of(context: AdminContext, unit: UnitOfWork, body: Wanted) -> Wish:
    """What a body asks for, with names looked up. Raises UnknownDepartment, UnknownApplication, UnknownKey."""
    identity = context.rooms.identity
    department = await identity.departments.id_of(unit, body.department)
    application = (await identity.applications.get(unit, body.application)).id if body.application else None
    key = (await identity.keys.get(unit, body.key)).id if body.key else None
    is_role = body.kind == "role"
    asked = Asked(
        body.kind,
        model=body.model,
        use_case=body.use_case,
        role=body.role,
        department=department,
        application=application if is_role else None,
        scopes=tuple(sorted(set(body.scopes))),
        data_class=body.data_class,
    )
    starts_ns = None if body.starts_at is None else to_ns(body.starts_at)
    return Wish(asked, body.reason, int(body.duration), None if is_role else application, key, starts_ns)


class AccessView(View):
    """What is asked for, or granted."""

    kind: AccessKind
    model: str | None
    use_case: str | None
    role: str | None
    department: str | None
    application: str | None
    key: str | None
    scopes: list[str]
    data_class: str | None
    user: Annotated[str | None, Field(description="Who would have it, or has it.")]


class DecisionView(View):
    """What a reviewer said."""

    reviewer: str
    instead_of: Annotated[str | None, Field(description="In whose place.")]
    stage: int
    approves: bool
    comment: str
    at: datetime


class CommentView(View):
    """What somebody noted."""

    author: str
    text: str
    at: datetime


class RequestView(View):
    """A request for access."""

    id: str
    tenant: str
    state: Literal["pending", "approved", "refused", "withdrawn", "expired"]
    requester: str
    access: AccessView
    reason: str
    duration_s: int
    starts_at: datetime | None
    rule: Annotated[str, Field(description="The approval rule by which it is decided.")]
    stage: Annotated[int | None, Field(description="The stage that is open, from 0; null when none is.")]
    approvals: Annotated[int, Field(description="How many have approved in that stage.")]
    needs: Annotated[int, Field(description="How many it needs.")]
    awaits: Annotated[list[str], Field(description="Whose decision it awaits.")]
    decisions: list[DecisionView]
    comments: list[CommentView]
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None


class EmergencyView(View):
    """What has to be, or was, said about access that somebody took."""

    due_at: datetime
    is_overdue: bool
    reviewed_at: datetime | None
    reviewer: str | None
    justified: bool | None
    note: str | None


class GrantView(View):
    """Access for a time."""

    id: str
    tenant: str
    state: Literal["scheduled", "active", "ended", "revoked"]
    access: AccessView
    request: Annotated[str | None, Field(description="The request that was approved; null where it was taken.")]
    starts_at: datetime
    ends_at: datetime
    granted_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    revocation: Annotated[str | None, Field(description="Why it was revoked.")]
    emergency: bool
    reason: Annotated[str | None, Field(description="Why it was taken.")]
    review: EmergencyView | None


@dataclass(frozen=True, slots=True)
class Names:
    """Names of what a tenant has, from memory."""

    context: AdminContext
    tenant: str

    @property
    def of_tenant(self) -> str:
        """The tenant's own."""
        found = self.context.principals.tenant(self.tenant)
        return found.name if found else self.tenant

    def of(self, kind: str, identifier: str | None) -> str | None:
        """A name, or the id of what was removed."""
        if identifier is None:
            return None
        return self.context.principals.subject_name(self.tenant, kind, identifier) or identifier

    def person(self, identifier: str) -> str:
        """A person's address."""
        return self.of("user", identifier) or identifier

    def people(self, identifiers: Iterable[str]) -> list[str]:
        """Addresses, sorted."""
        return sorted(self.person(identifier) for identifier in identifiers)

    def access(self, asked: Asked, user: str | None, application: str | None, key: str | None) -> AccessView:
        """What is asked for, or granted."""
        return AccessView(
            kind=asked.kind,
            model=asked.model,
            use_case=asked.use_case,
            role=asked.role,
            department=self.of("department", asked.department),
            application=self.of("application", application or asked.application),
            key=self.of("key", key),
            scopes=list(asked.scopes),
            data_class=asked.data_class,
            user=self.of("user", user),
        )


def request_view(context: AdminContext, request: Request, standing: Standing) -> RequestView:
    """A request as it is shown."""
    names = Names(context, request.tenant)
    state = request.state_at(context.clock.now_ns())
    is_open = state == "pending"
    return RequestView(
        id=request.id,
        tenant=names.of_tenant,
        state=state,
        requester=names.person(request.requester),
        access=names.access(request.asked, request.user, request.application, request.key),
        reason=request.reason,
        duration_s=request.duration_s,
        starts_at=_moment(request.starts_ns),
        rule=request.rule.name,
        stage=standing.stage if is_open else None,
        approvals=standing.approvals,
        needs=standing.needs,
        awaits=names.people(standing.reviewers) if is_open else [],
        decisions=[
            DecisionView(
                reviewer=names.person(entry.reviewer),
                instead_of=None if entry.seat == entry.reviewer else names.person(entry.seat),
                stage=entry.stage,
                approves=entry.approves,
                comment=entry.comment,
                at=entry.at,
            )
            for entry in request.decisions
        ],
        comments=[
            CommentView(author=names.person(entry.author), text=entry.text, at=entry.at) for entry in request.comments
        ],
        created_at=to_datetime(request.created_ns),
        expires_at=to_datetime(request.expires_ns),
        decided_at=_moment(request.decided_ns),
    )


def grant_view(context: AdminContext, grant: Grant) -> GrantView:
    """A grant as it is shown."""
    names, now_ns = Names(context, grant.tenant), context.clock.now_ns()
    review = grant.review
    return GrantView(
        id=grant.id,
        tenant=names.of_tenant,
        state=grant.state_at(now_ns),
        access=names.access(grant.asked, grant.user, grant.application, grant.key),
        request=grant.request,
        starts_at=to_datetime(grant.starts_ns),
        ends_at=to_datetime(grant.ends_ns),
        granted_at=to_datetime(grant.granted_ns),
        revoked_at=_moment(grant.revoked_ns),
        revoked_by=grant.revoked_by,
        revocation=grant.revocation,
        emergency=grant.emergency,
        reason=grant.reason,
        review=None
        if review is None
        else EmergencyView(
            due_at=to_datetime(review.due_ns),
            is_overdue=review.reviewed_ns is None and review.due_ns <= now_ns,
            reviewed_at=_moment(review.reviewed_ns),
            reviewer=names.of("user", review.reviewer),
            justified=review.justified,
            note=review.note,
        ),
    )


def own_only(actor: Actor, permission: str) -> str | None:
    """The user to whom a caller without the permission is confined; None for one who has it."""
    return None if actor.scope.may(permission) else actor.scope.user or NOBODY


NOBODY = "00000000-0000-0000-0000-000000000000"


def _moment(time_ns: int | None) -> Any:
    return None if time_ns is None else to_datetime(time_ns)
