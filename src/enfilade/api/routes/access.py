"""All of a tenant's policies at once, and whether new ones could be published."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse

from enfilade.access.schema import schema_text
from enfilade.api.admin.access_views import Draft, ProblemView, VersionView, content_in_force, put, show, show_problems
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View, tag
from enfilade.configuration.access import access_fields, content_of
from enfilade.configuration.access_parts import Access as AccessBody
from enfilade.identity.permissions import ACCESS_READ, ACCESS_WRITE


class CheckView(View):
    """What is wrong, or odd, with policies."""

    is_sound: bool
    problems: list[ProblemView]


ROUTER = APIRouter(prefix="/access", tags=["access"])
Reader = Annotated[Actor, Depends(Needs(ACCESS_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(ACCESS_WRITE, "one"))]


@ROUTER.get("")
async def read(context: Context, actor: Reader, response: Response) -> AccessBody:
    """Show the policies in force, as a configuration file has them."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        version = await context.rooms.policies.published(unit)
    tag(response, 0 if version is None else version.number)
    return AccessBody.model_validate(access_fields(content_in_force(version)))


@ROUTER.put("")
async def change(context: Context, body: Draft, actor: Writer, response: Response) -> VersionView:
    """Let the policies be these: in force at once, or waiting for a second person where the tenant wants one."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        content = content_of(body.content)
        version = await put(context, unit, content, body.note)
    tag(response, version.edition)
    return show(context, version)


@ROUTER.post("/check")
async def check(context: Context, body: AccessBody, actor: Reader) -> CheckView:
    """Say what is wrong or odd with policies, and change nothing."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        problems = await context.rooms.policies.check(unit, content_of(body))
    is_sound = not any(problem.severity == "error" for problem in problems)
    return CheckView(is_sound=is_sound, problems=show_problems(problems))


@ROUTER.get("/schema", response_class=PlainTextResponse)
async def schema(context: Context, actor: Reader) -> PlainTextResponse:
    """What policies may speak of, as a Cedar schema: for editors and for Cedar's own tools."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        version = await context.rooms.policies.published(unit)
    return PlainTextResponse(schema_text(content_in_force(version).attributes))
