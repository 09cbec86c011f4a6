"""What the routes of access share: versions as they are shown, and the tenant that is meant."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from enfilade.access.content import Content, PolicySpec
from enfilade.access.problems import Problem
from enfilade.access.source import read
from enfilade.access.versions import Version
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor
from enfilade.api.admin.views import View
from enfilade.configuration.access import access_fields
from enfilade.configuration.access_parts import Access as AccessBody
from enfilade.configuration.access_parts import Policy as PolicyBody
from enfilade.core.clock import to_ns, to_rfc3339
from enfilade.identity.errors import UnknownTenant
from enfilade.identity.types import Outcome, Tenant
from enfilade.storage.unit_of_work import UnitOfWork

Note = Annotated[str, Field(max_length=2000, description="Why; it stays with the version.")]
State = Literal["draft", "approved", "published", "superseded", "discarded"]


class ProblemView(View):
    """Something wrong, or odd, with a policy."""

    severity: Literal["error", "warning"]
    policy: str
    message: str
    line: int | None = None
    column: int | None = None
    meant: Annotated[str | None, Field(description="What was probably meant.")] = None


class VersionLine(View):
    """A version of a tenant's policies, without what it holds."""

    version: int
    tenant: str
    state: State
    note: str
    policies: int
    rows: int
    author: str
    created_at: str
    changed_at: str
    approver: str | None
    approved_at: str | None
    publisher: str | None
    published_at: str | None


class VersionView(VersionLine):
    """A version of a tenant's policies."""

    content: AccessBody
    problems: Annotated[
        list[ProblemView], Field(default_factory=list, description="Warnings; what has errors is not taken.")
    ]


class Draft(View):
    """Policies to be published later."""

    content: AccessBody
    note: Note = ""


class PolicyView(PolicyBody):
    """A policy that is in force."""

    effect: Literal["permit", "forbid"]
    version: Annotated[int, Field(description="The version that it belongs to.")]


def show_problems(problems: Iterable[Problem]) -> list[ProblemView]:
    """As they are shown."""
    return [ProblemView(**msgspec.structs.asdict(problem)) for problem in problems]


def line(context: AdminContext, version: Version) -> VersionLine:
    """A version in a list."""
    return VersionLine(**_fields(context, version))


def show(context: AdminContext, version: Version) -> VersionView:
    """A version with all that it holds."""
    content = AccessBody.model_validate(access_fields(version.content))
    return VersionView(**_fields(context, version), content=content, problems=show_problems(version.problems))


async def put(context: AdminContext, unit: UnitOfWork, content: Content, note: str) -> Version:
    """Let the policies be these, and say what is odd about them. Raises what putting raises."""
    policies = context.rooms.policies
    version, outcome = await policies.put(unit, content, note)
    if outcome is not Outcome.UNCHANGED:
        return version
    return msgspec.structs.replace(version, problems=tuple(await policies.check(unit, version.content)))


def _fields(context: AdminContext, version: Version) -> dict[str, Any]:
    tenant = context.principals.tenant(version.tenant)
    return {
        "version": version.number,
        "tenant": tenant.name if tenant else version.tenant,
        "state": version.state,
        "note": version.note,
        "policies": len(version.content.policies),
        "rows": len(version.content.matrix),
        "author": version.author,
        "created_at": to_rfc3339(to_ns(version.created_at)),
        "changed_at": to_rfc3339(to_ns(version.changed_at)),
        "approver": version.approver,
        "approved_at": None if version.approved_at is None else to_rfc3339(to_ns(version.approved_at)),
        "publisher": version.publisher,
        "published_at": None if version.published_at is None else to_rfc3339(to_ns(version.published_at)),
    }


def show_policy(version: Version, policy: PolicySpec) -> PolicyView:
    """A policy as it is shown."""
    effect: Any = read(policy.cedar)[0].effect
    return PolicyView(**msgspec.structs.asdict(policy), effect=effect, version=version.number)


def content_in_force(version: Version | None) -> Content:
    """What is in force, also where nothing is."""
    return Content() if version is None else version.content


def tenant_of(context: AdminContext, actor: Actor) -> Tenant:
    """The tenant that the actor works in. Raises UnknownTenant."""
    found = context.principals.tenant(actor.scope.tenant)
    if found is None:
        message = "There is no such tenant."
        raise UnknownTenant(message, param="tenant")
    return found
