"""Erasing a person: what says who they are is gone from their row; what they did stays provable without it."""

from enfilade.identity import store
from enfilade.identity.errors import UnknownPerson
from enfilade.identity.people import Users
from enfilade.storage.unit_of_work import UnitOfWork


async def erase_person(unit: UnitOfWork, users: Users, name: str) -> list[str]:
    """Anonymise the rows of the person with that address or id, also of those who were removed; their ids.

    Of rows that share an address each is erased: an address that came back belonged to the same person. Raises
    UnknownPerson, and what removing a user raises.
    """
    present = await users.find(unit, name)
    if present is not None:
        await users.remove(unit, present.id)
    rows = await unit.fetch(store.FIND_PERSON, name.lower(), unit.tenant)
    if not rows:
        message = f"There is no user {name!r} in this tenant, and there was none."
        raise UnknownPerson(message, param="user")
    erased = [str(row["id"]) for row in rows]
    for identifier in erased:
        for statement in store.FORGET_PERSON:
            await unit.execute(statement, unit.tenant, identifier)
        await unit.execute(store.ANONYMISE_USER, unit.tenant, identifier)
        unit.record("UserErased", id=identifier)
    unit.changed()
    return erased
