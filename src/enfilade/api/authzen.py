"""The decision point for other programs: OpenID's Authorization API 1.0 (AuthZEN).

`POST /access/v1/evaluation` asks one question, `/access/v1/evaluations` many, with what they have in common as defaults.
Subjects are users (by address), applications and keys of the tenant whose key asks; what is claimed of them in
`properties` counts for nothing but `application`, through which a user acts.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from enfilade.access.decisions import TenantAccess
from enfilade.access.errors import InvalidEvaluation
from enfilade.access.types import (
    DATA_CLASSES,
    ActionName,
    Caller,
    Circumstances,
    Decision,
    Resource,
    ResourceKind,
)
from enfilade.api.admin.access_views import tenant_of
from enfilade.api.admin.security import Actor, Context, Needs, Public
from enfilade.api.admin.views import read_moment
from enfilade.core.clock import to_datetime, to_ns
from enfilade.core.errors import EnfiladeError, InvalidRequest, NotFound
from enfilade.gateway.inquiry import Asked
from enfilade.identity.permissions import ACCESS_EVALUATE
from enfilade.identity.types import Tenant
from enfilade.storage.unit_of_work import UnitOfWork

MOST_EVALUATIONS = 200
PREFIXES = ("/access/v1/", "/.well-known/authzen-configuration")
KINDS = {kind.value.lower(): kind for kind in ResourceKind}
SUBJECTS = ("user", "application", "key")


class Part(BaseModel):
    """The base of the parts: what the specification adds later is read over."""

    model_config = ConfigDict(extra="ignore")


class Subject(Part):
    """Who asks."""

    type: Annotated[str, Field(min_length=1, max_length=100)]
    id: Annotated[str, Field(min_length=1, max_length=255)]
    properties: dict[str, Any] = {}


class Thing(Part):
    """What it is asked about."""

    type: Annotated[str, Field(min_length=1, max_length=100)]
    id: Annotated[str, Field(min_length=1, max_length=400)]
    properties: dict[str, Any] = {}


class Action(Part):
    """What is to be done."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    properties: dict[str, Any] = {}


class Evaluation(Part):
    """A question. In a batch, what is left out is taken from the batch."""

    subject: Subject | None = None
    action: Action | None = None
    resource: Thing | None = None
    context: dict[str, Any] | None = None


class Options(Part):
    """How a batch is gone through."""

    evaluations_semantic: Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"] = "execute_all"


class Batch(Evaluation):
    """Questions, and what they have in common."""

    evaluations: Annotated[list[Evaluation], Field(max_length=MOST_EVALUATIONS)] = []
    options: Options = Options()


class Answer(BaseModel):
    """A decision, and why."""

    decision: bool
    context: dict[str, Any]


class Answers(BaseModel):
    """Decisions, in the order of the questions."""

    evaluations: list[Answer]


ROUTER = APIRouter(tags=["decision point"])
Evaluator = Annotated[Actor, Depends(Needs(ACCESS_EVALUATE, "one"))]
Everybody = Annotated[None, Depends(Public("It says where the decision point is, and nothing else."))]


@ROUTER.get("/.well-known/authzen-configuration")
async def configuration(request: Request, _everybody: Everybody) -> dict[str, str]:
    """Where the decision point's addresses are."""
    base = str(request.base_url).rstrip("/")
    return {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
    }


@ROUTER.post("/access/v1/evaluation")
async def evaluation(context: Context, body: Evaluation, actor: Evaluator) -> Answer:
    """Decide one question."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await _Point(context, unit, tenant_of(context, actor)).answer(body)


@ROUTER.post("/access/v1/evaluations")
async def evaluations(context: Context, body: Batch, actor: Evaluator) -> Answers | Answer:
    """Decide many questions: all of them, or until the first no or yes. Without `evaluations` it is one question."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        point = _Point(context, unit, tenant_of(context, actor))
        if not body.evaluations:
            return await point.answer(body)
        answers: list[Answer] = []
        for entry in body.evaluations:
            answers.append(await point.answer_within(body, entry))
            if _is_last(body.options.evaluations_semantic, answers[-1]):
                break
    return Answers(evaluations=answers)


def _is_last(semantic: str, answer: Answer) -> bool:
    if semantic == "deny_on_first_deny":
        return not answer.decision
    return semantic == "permit_on_first_permit" and answer.decision


class _Point:
    """Answers the questions of one request."""

    def __init__(self, context: Context, unit: UnitOfWork, tenant: Tenant) -> None:
        self._context = context
        self._unit = unit
        self._tenant = tenant
        self._guard: TenantAccess = context.inquiry.guard(tenant)
        self._callers: dict[Asked, Caller] = {}

    async def answer_within(self, batch: Batch, entry: Evaluation) -> Answer:
        """The answer to one of a batch; a question that cannot be understood is a no that says so."""
        whole = Evaluation(
            subject=entry.subject or batch.subject,
            action=entry.action or batch.action,
            resource=entry.resource or batch.resource,
            context=batch.context if entry.context is None else entry.context,
        )
        try:
            return await self.answer(whole)
        except InvalidRequest as error:
            return Answer(decision=False, context={"error": {"status": error.status, "message": error.message}})

    async def answer(self, asked: Evaluation) -> Answer:
        """The answer to a question. Raises InvalidEvaluation."""
        subject, action, resource = asked.subject, asked.action, asked.resource
        if subject is None or action is None or resource is None:
            message = "A question has a subject, an action and a resource."
            raise InvalidEvaluation(message)
        if subject.type.lower() not in SUBJECTS or resource.type.lower() not in KINDS:
            return _no("subject_unknown" if subject.type.lower() not in SUBJECTS else "resource_unknown")
        if action.name not in set(ActionName):
            return _no("action_unknown")
        circumstances = self._circumstances(asked.context or {})
        named = self._named(subject, resource)
        try:
            caller = self._callers.get(named) or await self._context.inquiry.caller(self._unit, named)
        except NotFound:
            return _no("subject_unknown")
        self._callers[named] = caller
        if resource.type.lower() == "model" and action.name == ActionName.CALL:
            try:
                is_allowed = await self._context.inquiry.is_model_allowed(self._unit, self._tenant, named)
            except EnfiladeError:
                return _no("resource_unknown")
            if not is_allowed:
                return _no("model_not_allowed")
        return self._decide(caller, action.name, self._resources(action.name, resource), circumstances)

    def _decide(self, caller: Caller, action: str, resources: list[Resource], given: Circumstances) -> Answer:
        """Yes where any of the resources may be used: of a model, any of its deployments."""
        first: Decision | None = None
        for resource in resources:
            decision = self._context.inquiry.ask(self._tenant, caller, action, resource, given)
            if decision.allowed:
                return _told(decision)
            first = first or decision
        return _no("resource_unknown") if first is None else _told(first)

    def _named(self, subject: Subject, resource: Thing) -> Asked:
        through = subject.properties.get("application")
        fields: dict[str, Any] = {subject.type.lower(): subject.id, "model": resource.id}
        if subject.type.lower() == "user" and isinstance(through, str):
            fields["application"] = through
        return Asked(**fields)

    def _resources(self, action: str, thing: Thing) -> list[Resource]:
        kind = KINDS[thing.type.lower()]
        if action == ActionName.CALL and kind is ResourceKind.MODEL:
            return self._context.inquiry.resources(thing.id)
        if kind is ResourceKind.DEPLOYMENT:
            model = thing.properties.get("model")
            known = self._context.inquiry.resources(model) if isinstance(model, str) else []
            return [resource for resource in known if resource.name == thing.id]
        return [Resource(kind, thing.id)]

    def _circumstances(self, given: dict[str, Any]) -> Circumstances:
        for name in ("use_case", "data_class", "address", "at"):
            if not isinstance(given.get(name), str | None):
                message = f"`context.{name}` is a text."
                raise InvalidEvaluation(message, param=f"context.{name}")
        if given.get("data_class") not in {None, *DATA_CLASSES}:
            message = f"`context.data_class` is one of {', '.join(DATA_CLASSES)}."
            raise InvalidEvaluation(message, param="context.data_class")
        moment = read_moment(given.get("at"), to_datetime(self._context.clock.now_ns()), is_end=False)
        return Circumstances(given.get("use_case"), given.get("data_class"), given.get("address"), to_ns(moment))


def _told(decision: Decision) -> Answer:
    context: dict[str, Any] = {"reason": decision.reason, "policies": list(decision.policies)}
    if decision.missing:
        context["missing"] = list(decision.missing)
    return Answer(decision=decision.allowed, context=context)


def _no(reason: str) -> Answer:
    return Answer(decision=False, context={"reason": reason})
