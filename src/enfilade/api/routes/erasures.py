"""People who ask to be forgotten."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.identity.erasing import erase_person
from enfilade.identity.permissions import ENCRYPTION_MANAGE

ROUTER = APIRouter(prefix="/users", tags=["people"])
Manager = Annotated[Actor, Depends(Needs(ENCRYPTION_MANAGE, "one"))]


class Erasure(BaseModel):
    """Who was erased: what is left of them is an id."""

    ids: list[str]


@ROUTER.post("/{email}/erase")
async def erase(context: Context, email: str, actor: Manager) -> Erasure:
    """Erase a person for good: their key is destroyed and with it all that was kept of them; their row is anonymised.

    Works also for those who were removed before, by address or id. Events stay as they are, and stay provable: they
    name people by id.
    """
    async with context.storage.unit_of_work(actor.scope) as unit:
        ids = await erase_person(unit, context.rooms.identity.users, email)
        for identifier in ids:
            await context.encryption.erase_subject(unit, identifier)
            await context.stored.erase(unit, identifier)
    return Erasure(ids=ids)
