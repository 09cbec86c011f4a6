"""A small world of names, and guards made from policies, for the tests of this folder."""

from typing import Any

import msgspec

from enfilade.access.checking import Checked, check
from enfilade.access.compiled import compile_content
from enfilade.access.content import Content, PolicySpec
from enfilade.access.decisions import TenantAccess
from enfilade.access.examiner import Known
from enfilade.access.problems import Problem
from enfilade.access.table import PolicyTable
from enfilade.access.types import Caller, Circumstances, Decision, Resource, ResourceKind
from enfilade.access.use_cases import UseCase, UseCaseSpec

KNOWN = Known(
    models=frozenset({"gpt-4o", "claude-3-opus", "local/*"}),
    aliases=frozenset({"fast"}),
    providers=frozenset({"openai", "here"}),
    departments=frozenset({"research", "engineering", "product"}),
    applications=frozenset({"bot"}),
    keys=frozenset({"bot-key"}),
    roles=frozenset({"admin", "developer"}),
    users=frozenset({"ana@acme.example"}),
    use_cases=frozenset({"code", "research"}),
)
ANA = Caller(user="ana@acme.example", department="research", roles=frozenset({"developer"}), user_id="u1")
CLOUD = Resource(ResourceKind.DEPLOYMENT, "openai/gpt-4o", "gpt-4o", "openai", "public_cloud", "eu")
HOME = Resource(ResourceKind.DEPLOYMENT, "here/gpt-4o", "gpt-4o", "here", "on_premise", None)
OPUS = Resource(ResourceKind.DEPLOYMENT, "openai/opus", "claude-3-opus", "openai", "public_cloud", "us")


def content(*cedar: str, **more: Any) -> Content:
    """Policies p0, p1, … and whatever else is given."""
    return Content(policies=tuple(PolicySpec(f"p{n}", text) for n, text in enumerate(cedar)), **more)


def checked(*cedar: str, **more: Any) -> Checked:
    """What a check of these brings."""
    return check(content(*cedar, **more), KNOWN)


def problems(*cedar: str, **more: Any) -> list[Problem]:
    """What is wrong or odd with these."""
    return checked(*cedar, **more).problems


def guard(given: Content, *use_cases: UseCaseSpec, zone: str = "UTC") -> TenantAccess:
    """What decides by these."""
    register = {spec.name: UseCase(spec.name, "t", spec, 1) for spec in use_cases}
    return TenantAccess("t", given, PolicyTable(compile_content(given).policies), register, zone)


def ask(
    who: TenantAccess, caller: Caller = ANA, resource: Resource = CLOUD, action: str = "call", **context: Any
) -> Decision:
    """The decision, remembered or not."""
    seat = who.find_seat(caller) or who.seat(caller, caller)
    place = who.find_place(resource) or who.place(resource, resource)
    return who.decide(seat, action, place, Circumstances(**context))


def changed(caller: Caller, **fields: Any) -> Caller:
    """The caller, but for these."""
    return msgspec.structs.replace(caller, **fields)
