"""Statements of usage."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from enfilade.api.admin.billing import FORMS, PaperQuery, PaperView, paper_reply
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.core.errors import InvalidRequest
from enfilade.costs.billing.service import Subject
from enfilade.identity.permissions import SPEND_READ
from enfilade.storage.unit_of_work import UnitOfWork

ROUTER = APIRouter(prefix="/statements", tags=["billing"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ, "one"))]


class StatementQuery(PaperQuery):
    """Which statement to make."""

    department: Annotated[str | None, Field(max_length=100, description="Only this department's usage.")] = None
    application: Annotated[str | None, Field(max_length=100, description="Only this application's usage.")] = None


@ROUTER.get("", response_model=PaperView, responses=FORMS)
async def read(context: Context, actor: Reader, query: Annotated[StatementQuery, Query()]) -> Response:
    """What was used in a period, by model, kind and rate, as JSON, CSV or PDF.

    It has no number and can be made at any time: of a period that is not over it is provisional. Without a period: last
    month.
    """
    assert actor.tenant is not None
    tenant = context.principals.tenant(actor.tenant)
    assert tenant is not None
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        subject = await _subject(context, unit, query)
        period = query.days(context, tenant)
        paper = await context.billing.statement(unit, tenant, period, subject, query.pinned(context, period))
    return await paper_reply(context, paper, query.format)


async def _subject(context: AdminContext, unit: UnitOfWork, query: StatementQuery) -> Subject | None:
    identity = context.rooms.identity
    if query.department is not None and query.application is not None:
        message = "A statement is of one department or of one application."
        raise InvalidRequest(message, param="application")
    if query.department is not None:
        department = await identity.departments.get(unit, query.department)
        return Subject("department", department.name, department.id)
    if query.application is not None:
        application = await identity.applications.get(unit, query.application)
        return Subject("application", application.spec.name, application.id)
    return None
