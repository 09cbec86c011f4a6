"""Why a decision is what it is, and what a draft would have decided."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator

from enfilade.access.checking import require_sound
from enfilade.access.explain import Explanation
from enfilade.access.what_if import MOST_DAYS, Difference
from enfilade.api.admin.access_views import ProblemView, show_problems, tenant_of
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View, read_moment
from enfilade.configuration.access import content_of
from enfilade.configuration.access_parts import Access as AccessBody
from enfilade.configuration.access_parts import DataClass
from enfilade.core.clock import to_datetime, to_ns, to_rfc3339
from enfilade.gateway.inquiry import Asked
from enfilade.identity.permissions import ACCESS_READ

MOST_DIFFERENCES = 500


class Question(BaseModel):
    """Who wants what. A user, an application, a key, or an application with its user."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str | None, Field(max_length=255)] = None
    application: Annotated[str | None, Field(max_length=100)] = None
    key: Annotated[str | None, Field(max_length=100)] = None
    model: Annotated[str, Field(min_length=1, max_length=200)]
    use_case: Annotated[str | None, Field(max_length=200)] = None
    data_class: DataClass | None = None
    address: Annotated[str | None, Field(max_length=100, description="The caller's network address.")] = None
    at: Annotated[str | None, Field(max_length=40, description="RFC 3339; without it, now.")] = None


class DecidingView(View):
    """A policy that had a part in the decision."""

    name: str
    effect: str
    cedar: str | None
    visible: bool


class DeploymentView(View):
    """The decision about one deployment."""

    deployment: str
    model: str | None
    allowed: bool
    reason: str
    policies: list[DecidingView]
    missing: list[str]
    data_class: str
    other_use_cases: Annotated[list[str], Field(description="With which it would be allowed.")]


class ExplanationView(View):
    """Whether it is allowed, and why."""

    allowed: Annotated[bool, Field(description="Whether any deployment may be used.")]
    model_allowed: Annotated[bool, Field(description="Whether `allowed_models` has it.")]
    deployments: list[DeploymentView]


class WhatIfBody(BaseModel):
    """A draft, or the number of a version, and how far to look back."""

    model_config = ConfigDict(extra="forbid")

    content: AccessBody | None = None
    version: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 7

    @model_validator(mode="after")
    def _one(self) -> "WhatIfBody":
        if (self.content is None) == (self.version is None):
            message = "give `content` or `version`"
            raise ValueError(message)
        return self


class DifferenceView(View):
    """Who would be denied, or newly allowed, and how often."""

    change: Literal["denied", "allowed"]
    calls: int
    user: str | None
    application: str | None
    key: str | None
    department: str | None
    model: str | None
    deployment: str | None
    use_case: str | None
    policies: list[str]
    missing: list[str]
    reason: str
    latest_at: str


class WhatIfView(View):
    """What publishing the draft would have changed."""

    days: int
    combinations: int
    calls: int
    newly_denied: int
    newly_allowed: int
    undecidable: Annotated[int, Field(description="Calls that the draft decides by something that no record holds.")]
    unknown: Annotated[list[str], Field(description="What that is.")]
    is_complete: Annotated[bool, Field(description="False: only the most frequent combinations were asked.")]
    differences: Annotated[list[DifferenceView], Field(description="The most frequent first.")]
    problems: list[ProblemView]


ROUTER = APIRouter(prefix="/access", tags=["access"])
Reader = Annotated[Actor, Depends(Needs(ACCESS_READ, "one"))]


@ROUTER.post("/explain")
async def explain(context: Context, body: Question, actor: Reader) -> ExplanationView:
    """Explain whether somebody may call a model."""
    tenant = tenant_of(context, actor)
    moment = read_moment(body.at, to_datetime(context.clock.now_ns()), is_end=False)
    asked = Asked(**body.model_dump(exclude={"at"}), at_ns=to_ns(moment))
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await context.inquiry.explain(unit, tenant, asked)
        model_allowed = await context.inquiry.is_model_allowed(unit, tenant, asked)
    return ExplanationView(
        allowed=model_allowed and any(entry.decision.allowed for entry in found),
        model_allowed=model_allowed,
        deployments=[_deployment(entry) for entry in found],
    )


def _deployment(entry: Explanation) -> DeploymentView:
    return DeploymentView(
        deployment=entry.resource,
        model=entry.model,
        allowed=entry.decision.allowed,
        reason=entry.decision.reason,
        policies=[DecidingView(name=p.name, effect=p.effect, cedar=p.cedar, visible=p.visible) for p in entry.deciding],
        missing=list(entry.decision.missing),
        data_class=entry.data_class,
        other_use_cases=list(entry.other_use_cases),
    )


@ROUTER.post("/what-if")
async def what_if(context: Context, body: WhatIfBody, actor: Reader) -> WhatIfView:
    """Replay the calls of the last days against a draft, and show who would be denied or newly allowed.

    Each call is asked about for its own time, with the approvals that stood then. Roles, attributes, use cases and
    deployments are as they are now.
    """
    tenant, policies = tenant_of(context, actor), context.rooms.policies
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        if body.content is not None:
            content = content_of(body.content)
        else:
            content = (await policies.get(unit, body.version or 0)).content
        checked = await policies.checked(unit, content)
        found = await context.inquiry.what_if(unit, tenant, content, require_sound(checked), body.days)
    return WhatIfView(
        days=body.days,
        combinations=found.combinations,
        calls=found.calls,
        newly_denied=found.newly_denied,
        newly_allowed=found.newly_allowed,
        undecidable=found.undecidable,
        is_complete=found.is_complete,
        unknown=list(found.unknown),
        differences=[_difference(entry) for entry in found.differences[:MOST_DIFFERENCES]],
        problems=show_problems(checked.problems),
    )


def _difference(entry: Difference) -> DifferenceView:
    caller = entry.use.caller
    resource = entry.use.resources[0] if entry.use.resources else None
    fields: dict[str, Any] = {name: getattr(caller, name) for name in ("user", "application", "key", "department")}
    return DifferenceView(
        change="allowed" if entry.allowed else "denied",
        calls=entry.calls,
        model=resource.model if resource else None,
        deployment=resource.name if resource else None,
        use_case=entry.use.use_case,
        policies=list(entry.decision.policies),
        missing=list(entry.decision.missing),
        reason=entry.decision.reason,
        latest_at=to_rfc3339(to_ns(entry.use.latest)),
        **fields,
    )
