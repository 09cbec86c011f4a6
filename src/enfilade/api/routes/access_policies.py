"""Policies in Cedar, one by one."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from enfilade.access.errors import UnknownPolicy
from enfilade.api.admin.access_views import (
    Note,
    PolicyView,
    VersionView,
    content_in_force,
    put,
    show,
    show_policy,
)
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Page, tag
from enfilade.configuration.access import policy_of
from enfilade.configuration.access_parts import Policy as PolicyBody
from enfilade.core.errors import InvalidRequest
from enfilade.identity.permissions import ACCESS_READ, ACCESS_WRITE

ROUTER = APIRouter(prefix="/access/policies", tags=["access"])
Reader = Annotated[Actor, Depends(Needs(ACCESS_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(ACCESS_WRITE, "one"))]
After = Annotated[str | None, Query(max_length=100, description="`next` of the previous page.")]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
NoteQuery = Annotated[Note, Query()]


def _unknown(name: str) -> UnknownPolicy:
    message = f"There is no policy {name!r} in force."
    return UnknownPolicy(message)


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: After = None) -> Page[PolicyView]:
    """List the policies in force, by name."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        version = await context.rooms.policies.published(unit)
    if version is None:
        return Page(items=[])
    policies = sorted(version.content.policies, key=lambda policy: policy.name)
    rest = [policy for policy in policies if cursor is None or policy.name > cursor]
    shown = [show_policy(version, policy) for policy in rest[:limit]]
    return Page(items=shown, next=shown[-1].name if len(rest) > limit else None)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: Reader, response: Response) -> PolicyView:
    """Show a policy in force."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        version = await context.rooms.policies.published(unit)
    found = [policy for policy in content_in_force(version).policies if policy.name == name]
    if version is None or not found:
        raise _unknown(name)
    tag(response, version.number)
    return show_policy(version, found[0])


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: PolicyBody, actor: Writer, response: Response, note: NoteQuery = ""
) -> VersionView:
    """Add or change a policy: in force at once, or waiting for a second person where the tenant wants one."""
    if body.name != name:
        message = "The policy's name and the address differ."
        raise InvalidRequest(message, param="name")
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = content_in_force(await context.rooms.policies.published(unit))
        others = {policy.name: policy for policy in present.policies} | {name: policy_of(body)}
        content = msgspec.structs.replace(present, policies=tuple(others.values()))
        version = await put(context, unit, content, note)
    tag(response, version.edition)
    return show(context, version)


@ROUTER.delete("/{name}")
async def remove(context: Context, name: str, actor: Writer, note: NoteQuery = "") -> VersionView:
    """Remove a policy: at once, or when a second person has approved it where the tenant wants one."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = content_in_force(await context.rooms.policies.published(unit))
        others = tuple(policy for policy in present.policies if policy.name != name)
        if len(others) == len(present.policies):
            raise _unknown(name)
        version = await put(context, unit, msgspec.structs.replace(present, policies=others), note)
    return show(context, version)
