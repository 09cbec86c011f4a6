"""What can be done with a kind of resource, and the lists of all kinds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from enfilade.identity.errors import UnknownPerson
from enfilade.identity.provisioning import store
from enfilade.identity.provisioning.changes import Operation
from enfilade.identity.provisioning.compiling import Compiler
from enfilade.identity.provisioning.errors import ScimFault
from enfilade.identity.provisioning.filters import parse_filter, parse_path
from enfilade.identity.provisioning.schemas import USERS, Kind
from enfilade.storage.unit_of_work import UnitOfWork

DEFAULT_COUNT = 100
MAX_COUNT = 500
MAX_START = 10_000_000


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for."""

    filter: str | None = None
    sort_by: str | None = None
    descending: bool = False
    start: int = 1
    count: int = DEFAULT_COUNT
    members: bool = True
    """Whether groups' members are wanted."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of resources, and how many there are in all."""

    resources: list[dict[str, Any]]
    total: int
    start: int


class Resources(Protocol):
    """The use cases of a kind of resource. They are addressed under `base`; a body is as a client sends it."""

    kind: Kind

    async def page(self, unit: UnitOfWork, query: Query, base: str) -> Listed:
        """A page of them. Raises InvalidFilter."""

    async def show(self, unit: UnitOfWork, identifier: str, base: str, *, members: bool = True) -> dict[str, Any]:
        """One as clients see it. Raises NotFound."""

    async def create(self, unit: UnitOfWork, body: Mapping[str, Any]) -> str:
        """A new one; its id. Raises AlreadyExists, ScimFault."""

    async def replace(self, unit: UnitOfWork, identifier: str, body: Mapping[str, Any], expected: int | None) -> None:
        """One made to be as sent. Raises NotFound, VersionMismatch, AlreadyExists, ScimFault."""

    async def patch(
        self, unit: UnitOfWork, identifier: str, operations: Sequence[Operation], expected: int | None
    ) -> None:
        """One changed. Raises NotFound, VersionMismatch, AlreadyExists, ScimFault."""

    async def delete(self, unit: UnitOfWork, identifier: str, expected: int | None) -> None:
        """One that is not there any more. Raises NotFound, VersionMismatch."""


async def select(unit: UnitOfWork, kind: Kind, query: Query) -> tuple[list[str], int]:
    """The ids of a page, and how many there are in all. Raises InvalidFilter."""
    source, table = (store.FROM_USERS, "u") if kind is USERS else (store.FROM_GROUPS, "g")
    compiler = Compiler(kind, [unit.tenant])
    condition = compiler.condition(parse_filter(query.filter)) if query.filter else None
    total: int = await unit.fetch_value(store.total(source, condition), *compiler.parameters)
    start, count = min(max(query.start, 1), MAX_START), min(max(query.count, 0), MAX_COUNT)
    if count == 0 or start > total:
        return [], total
    order = compiler.sort_key(parse_path(query.sort_by)) if query.sort_by else None
    if order is not None and query.descending:
        order += " DESC"
    place = len(compiler.parameters)
    statement = store.selection(source, table, condition, order, (f"${place + 1}", f"${place + 2}"))
    rows = await unit.fetch(statement, *compiler.parameters, count, start - 1)
    return [str(row["id"]) for row in rows], total


def is_id(text: str) -> bool:
    """Whether it may name a resource."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def no_such_user(identifier: str) -> UnknownPerson:
    """The answer for who is not there, or belongs to another tenant."""
    return UnknownPerson(_nobody(identifier), param="id")


def refers_to_nobody(identifier: str, param: str) -> ScimFault:
    """The answer for a resource that is there, and is to refer to somebody who is not.

    It is not "not found": a client would take that for the resource's own absence, and make it anew.
    """
    return ScimFault(_nobody(identifier), param=param)


def _nobody(identifier: str) -> str:
    return f"There is no user {identifier[:100]!r} in this tenant."
