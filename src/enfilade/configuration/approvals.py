"""Approval rules in the document: their form, and between it and the room's own, in both directions."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from enfilade.access.approvals.types import Rule, Stage
from enfilade.configuration.part import StrictPart
from enfilade.configuration.values import Count, Duration, Label, ModelName, Name, Whole

Reviewer = Annotated[str, Field(min_length=1, max_length=300)]
REVIEWERS = (
    "`manager`, `owner:use_case`, `owner:application`, `owner:department`, `user:EMAIL`, `group:NAME` or `role:NAME`."
)
Long = Annotated[Duration, Field(ge=60)]


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class ApprovalStage(Part):
    """One step of a review; stages are gone through in order."""

    reviewers: Annotated[list[Reviewer], Field(min_length=1, max_length=50, description=REVIEWERS)]
    needs: Annotated[Count, Field(le=50)] = 1
    """How many of them must approve."""
    fallback: Annotated[
        list[Reviewer],
        Field(max_length=50, description="Who decides too where there are fewer, e.g. because there is no manager."),
    ] = []


class ApprovalRule(Part):
    """Which requests for access need whom. The first rule that covers a request decides; conditions left out always
    hold."""

    name: Name
    """The rule's name."""
    position: Annotated[Whole, Field(le=10_000)] = 100
    """Rules with lower positions come first."""
    kinds: list[Literal["model", "use_case", "role", "key_scope", "data_class"]] = []
    """What is asked for."""
    models: Annotated[list[ModelName], Field(max_length=200)] = []
    """Models, and patterns with `*`."""
    use_cases: Annotated[list[Label], Field(max_length=200)] = []
    """Use cases, and patterns with `*`."""
    roles: Annotated[list[Name], Field(max_length=200)] = []
    """Roles."""
    data_classes: list[Literal["public", "internal", "confidential", "restricted"]] = []
    """Data classes."""
    departments: Annotated[list[Name], Field(max_length=200)] = []
    """Departments of those who ask."""
    stages: Annotated[list[ApprovalStage], Field(min_length=1, max_length=5)]
    """Who decides, in order."""
    max_duration: Long = 30 * 86_400.0
    """How long access may last."""
    expires_after: Long = 7 * 86_400.0
    """After which time a request that nobody has decided expires."""
    remind_before: Duration = 86_400.0
    """How long before that reviewers are reminded, and holders before access ends."""
    emergency: Annotated[
        list[Reviewer],
        Field(max_length=50, description="Who may take access at once: `user:EMAIL`, `group:NAME` or `role:NAME`."),
    ] = []
    emergency_max_duration: Long = 4 * 3_600.0
    """How long access may last that is taken."""
    emergency_review_within: Long = 3 * 86_400.0
    """After which time its review is overdue."""


def rule_of(part: ApprovalRule) -> Rule:
    """For the room."""
    return Rule(
        name=part.name,
        stages=tuple(Stage(tuple(stage.reviewers), stage.needs, tuple(stage.fallback)) for stage in part.stages),
        kinds=tuple(part.kinds),
        models=tuple(part.models),
        use_cases=tuple(part.use_cases),
        roles=tuple(part.roles),
        data_classes=tuple(part.data_classes),
        departments=tuple(part.departments),
        position=part.position,
        max_duration_s=int(part.max_duration),
        expires_after_s=int(part.expires_after),
        remind_before_s=int(part.remind_before),
        emergency=tuple(part.emergency),
        emergency_max_s=int(part.emergency_max_duration),
        emergency_review_s=int(part.emergency_review_within),
    )


def rule_fields(rule: Rule) -> dict[str, Any]:
    """In the document's words."""
    return {
        "name": rule.name,
        "position": rule.position,
        "kinds": list(rule.kinds),
        "models": list(rule.models),
        "use_cases": list(rule.use_cases),
        "roles": list(rule.roles),
        "data_classes": list(rule.data_classes),
        "departments": list(rule.departments),
        "stages": [
            {"reviewers": list(stage.reviewers), "needs": stage.needs, "fallback": list(stage.fallback)}
            for stage in rule.stages
        ],
        "max_duration": rule.max_duration_s,
        "expires_after": rule.expires_after_s,
        "remind_before": rule.remind_before_s,
        "emergency": list(rule.emergency),
        "emergency_max_duration": rule.emergency_max_s,
        "emergency_review_within": rule.emergency_review_s,
    }
