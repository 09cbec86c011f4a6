"""The names behind the subjects of limits and budgets, in the words of the document."""

from enfilade.configuration.listing import everything
from enfilade.configuration.rooms import Rooms
from enfilade.costs.holds.types import Subject
from enfilade.storage.unit_of_work import UnitOfWork


async def subject_names(rooms: Rooms, unit: UnitOfWork, tenant: str) -> dict[tuple[str, str], str]:
    """Names by kind and id, of one tenant."""
    identity = rooms.identity
    names: dict[tuple[str, str], str] = {}
    for department in await everything(lambda a, n: identity.departments.page(unit, a, n, tenant)):
        names["department", department.id] = department.name
    for user in await everything(lambda a, n: identity.users.page(unit, a, n, tenant)):
        names["user", user.id] = user.spec.email
    for application in await everything(lambda a, n: identity.applications.page(unit, a, n, tenant)):
        names["application", application.id] = application.spec.name
    for key in await everything(lambda a, n: identity.keys.page(unit, a, n, tenant)):
        names["key", key.id] = key.spec.name
    return names


def scope_text(subject: Subject, names: dict[tuple[str, str], str]) -> str:
    """`tenant`, `application:NAME` or `user:*`; an id where the name's owner was removed."""
    if subject.kind == "tenant":
        return "tenant"
    if subject.id is None:
        return f"{subject.kind}:*"
    return f"{subject.kind}:{names.get((subject.kind, subject.id), subject.id)}"
