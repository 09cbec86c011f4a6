"""The model access matrix, as rows or as Cedar."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from enfilade.access.matrix import rows_as_cedar
from enfilade.api.admin.access_views import Note, VersionView, content_in_force, put, show
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View, tag
from enfilade.configuration.access import row_fields, row_of
from enfilade.configuration.access_parts import MatrixRow as RowBody
from enfilade.identity.permissions import ACCESS_READ, ACCESS_WRITE


class MatrixView(View):
    """The matrix in force, as rows or as policies."""

    version: Annotated[int, Field(description="The version that it belongs to; 0 where there is none.")]
    rows: list[RowBody] | None = None
    cedar: str | None = None


class MatrixBody(View):
    """A new matrix; the policies beside it stay as they are."""

    rows: Annotated[list[RowBody], Field(max_length=5_000)]
    note: Note = ""


ROUTER = APIRouter(prefix="/access/matrix", tags=["access"])
Reader = Annotated[Actor, Depends(Needs(ACCESS_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(ACCESS_WRITE, "one"))]
Form = Annotated[Literal["rows", "cedar"], Query(alias="as", description="`cedar`: what the rows compile to.")]


@ROUTER.get("")
async def read(context: Context, actor: Reader, form: Form = "rows") -> MatrixView:
    """Show the matrix in force."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        version = await context.rooms.policies.published(unit)
    number, rows = (0 if version is None else version.number), content_in_force(version).matrix
    if form == "cedar":
        return MatrixView(version=number, cedar=rows_as_cedar(rows))
    return MatrixView(version=number, rows=[RowBody.model_validate(row_fields(row)) for row in rows])


@ROUTER.put("")
async def change(context: Context, body: MatrixBody, actor: Writer, response: Response) -> VersionView:
    """Let the matrix be this: in force at once, or waiting for a second person where the tenant wants one."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = content_in_force(await context.rooms.policies.published(unit))
        content = msgspec.structs.replace(present, matrix=tuple(row_of(row) for row in body.rows))
        version = await put(context, unit, content, body.note)
    tag(response, version.edition)
    return show(context, version)
