"""Versions of a tenant's policies: drafts, their approval, what is in force and what was."""

import asyncio
import difflib
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response

from enfilade.access.compiled import all_policies
from enfilade.access.content import Content
from enfilade.api.admin.access_views import Draft, State, VersionLine, VersionView, content_in_force, line, show
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import IfMatch, Limit, Page, View, expected_version, tag
from enfilade.audit.errors import InvalidCursor
from enfilade.configuration.access import content_of
from enfilade.identity.permissions import ACCESS_APPROVE, ACCESS_READ, ACCESS_WRITE


class DiffView(View):
    """What a version changes."""

    version: int
    against: Annotated[int, Path(description="0 where nothing was in force.")]
    added: list[str]
    removed: list[str]
    changed: list[str]
    settings: dict[str, list[str]]
    text: str


ROUTER = APIRouter(prefix="/access/versions", tags=["access"])
Reader = Annotated[Actor, Depends(Needs(ACCESS_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(ACCESS_WRITE, "one"))]
Approver = Annotated[Actor, Depends(Needs(ACCESS_APPROVE, "one"))]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Before = Annotated[str | None, Query(max_length=20, description="`next` of the previous page.")]
Against = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Without it: what is in force.")]


@ROUTER.get("")
async def page(
    context: Context, actor: Reader, limit: Limit = 50, cursor: Before = None, state: State | None = None
) -> Page[VersionLine]:
    """List versions, newest first."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        message = "This is no cursor of this list."
        raise InvalidCursor(message, param="cursor")
    before = None if cursor is None else int(cursor)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await context.rooms.policies.page(unit, actor.scope.tenant, before, limit + 1, state)
    following = str(found[limit - 1].number) if len(found) > limit else None
    return Page(items=[line(context, version) for version in found[:limit]], next=following)


@ROUTER.post("", status_code=201)
async def create(context: Context, body: Draft, actor: Writer, response: Response) -> VersionView:
    """Write a draft; nothing is in force by it."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        version = await context.rooms.policies.draft(unit, content_of(body.content), body.note)
    tag(response, version.edition)
    return show(context, version)


@ROUTER.get("/{number}")
async def read(context: Context, number: Number, actor: Reader, response: Response) -> VersionView:
    """Show a version."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        version = await context.rooms.policies.get(unit, number)
    tag(response, version.edition)
    return show(context, version)


@ROUTER.put("/{number}")
async def change(
    context: Context, number: Number, body: Draft, actor: Writer, response: Response, if_match: IfMatch = None
) -> VersionView:
    """Change a draft; what was approved has to be approved again."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        version = await context.rooms.policies.change(
            unit, number, content_of(body.content), body.note, expected_version(if_match)
        )
    tag(response, version.edition)
    return show(context, version)


@ROUTER.delete("/{number}", status_code=204)
async def discard(context: Context, number: Number, actor: Writer, if_match: IfMatch = None) -> None:
    """Give up a draft."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.policies.discard(unit, number, expected_version(if_match))


@ROUTER.post("/{number}/approve")
async def approve(
    context: Context, number: Number, actor: Approver, response: Response, if_match: IfMatch = None
) -> VersionView:
    """Approve a version that somebody else wrote."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        version = await context.rooms.policies.approve(unit, number, expected_version(if_match))
    tag(response, version.edition)
    return show(context, version)


@ROUTER.post("/{number}/publish")
async def publish(
    context: Context, number: Number, actor: Writer, response: Response, if_match: IfMatch = None
) -> VersionView:
    """Put a version in force, everywhere within a second."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        version = await context.rooms.policies.publish(unit, number, expected_version(if_match))
    tag(response, version.edition)
    return show(context, version)


@ROUTER.post("/{number}/rollback")
async def roll_back(context: Context, number: Number, actor: Writer, response: Response) -> VersionView:
    """Go back to a version that was in force: a new version of the same."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        version = await context.rooms.policies.roll_back(unit, number)
    tag(response, version.edition)
    return show(context, version)


@ROUTER.get("/{number}/diff")
async def diff(context: Context, number: Number, actor: Reader, against: Against = None) -> DiffView:
    """Show what a version changes."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        policies = context.rooms.policies
        version = await policies.get(unit, number)
        other = await policies.published(unit) if against is None else await policies.get(unit, against)
    # Thousands of policies are compared beside the event loop.
    before, against = content_in_force(other), 0 if other is None else other.number
    return await asyncio.to_thread(_difference, version.content, number, before, against)


def _difference(new: Content, number: int, old: Content, against: int) -> DiffView:
    before = {policy.name: policy for policy in all_policies(old)}
    after = {policy.name: policy for policy in all_policies(new)}
    changed = [name for name in after if name in before and after[name] != before[name]]
    names = ("default", "use_cases", "default_data_class", "second_person", "attributes")
    lines = difflib.unified_diff(_text(old), _text(new), f"version {against}", f"version {number}", lineterm="")
    return DiffView(
        version=number,
        against=against,
        added=sorted(after.keys() - before.keys()),
        removed=sorted(before.keys() - after.keys()),
        changed=sorted(changed),
        settings={
            name: [str(getattr(old, name)), str(getattr(new, name))]
            for name in names
            if getattr(old, name) != getattr(new, name)
        },
        text="\n".join(lines),
    )


def _text(content: Content) -> list[str]:
    lines: list[str] = []
    for policy in all_policies(content):
        fields = msgspec.structs.asdict(policy)
        lines += [f"# {policy.name}", *(f"# {k}: {fields[k]}" for k in ("description", "visible", "enabled"))]
        lines += [*policy.cedar.split("\n"), ""]
    return lines
