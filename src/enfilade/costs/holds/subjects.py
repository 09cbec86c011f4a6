"""Whom limits and budgets concern, in the words of the configuration."""

from enfilade.costs.errors import InvalidRule
from enfilade.costs.holds.types import Subject
from enfilade.identity.service import Identity
from enfilade.storage.unit_of_work import UnitOfWork


async def resolve_subject(identity: Identity, unit: UnitOfWork, scope: str) -> Subject:
    """The subject behind `tenant`, `KIND:NAME` or `KIND:*`. Raises InvalidRule, or what looking the name up raises."""
    kind, separator, name = scope.partition(":")
    if kind == "tenant" and not separator:
        return Subject("tenant")
    if kind not in {"department", "application", "user", "key"} or not name:
        message = (
            f"{scope!r} is no scope; use tenant, department:NAME, application:NAME, user:EMAIL, key:NAME or KIND:*"
        )
        raise InvalidRule(message, param="scope")
    if name == "*":
        return Subject(kind)
    if kind == "department":
        return Subject(kind, (await identity.departments.get(unit, name)).id)
    if kind == "application":
        return Subject(kind, (await identity.applications.get(unit, name)).id)
    if kind == "user":
        return Subject(kind, (await identity.users.get(unit, name)).id)
    return Subject(kind, (await identity.keys.get(unit, name)).id)


def described(identifier: str, subject: Subject, model: str | None) -> dict[str, object]:
    """What the events of a rule say of it."""
    return {"id": identifier, "scope": subject.kind, "subject": subject.id, "model": model}
