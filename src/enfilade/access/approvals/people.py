"""Who is meant by the words of a rule, at this moment."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass

from enfilade.access.approvals import store
from enfilade.access.approvals.errors import InvalidApprovalRule, NotAPerson
from enfilade.access.approvals.rows import person_of
from enfilade.access.approvals.types import Person, Stage
from enfilade.core.clock import to_datetime
from enfilade.storage.unit_of_work import UnitOfWork

MANAGER = "manager"
OWNERS = ("owner:use_case", "owner:application", "owner:department")
OWNER_ROLES = ["owner", "admin"]
"""Whoever has one of these in a department or an application owns it."""

FindOwner = Callable[[UnitOfWork, str], Awaitable[str | None]]
"""The id of the user who owns a use case, by its name."""


async def no_owner(_unit: UnitOfWork, _use_case: str) -> str | None:
    """For installations without a register of use cases."""
    return None


@dataclass(frozen=True, slots=True)
class Matter:
    """What the words of a rule are about."""

    person: Person | None = None
    """Whose manager and department are meant."""
    use_case: str | None = None
    application: str | None = None
    department: str | None = None


class Reviewers:
    """Finds people. Those who left, or are not active, are nobody."""

    def __init__(self, owner_of: FindOwner = no_owner) -> None:
        """Ask `owner_of` whose a use case is."""
        self._owner_of = owner_of

    async def person(self, unit: UnitOfWork, identifier: str | None) -> Person | None:
        """An active person of the tenant."""
        row = await unit.fetch_row(store.FIND_PERSON, unit.tenant, identifier) if identifier else None
        return None if row is None else person_of(row)

    async def require_person(self, unit: UnitOfWork, identifier: str | None) -> Person:
        """Like `person`. Raises NotAPerson."""
        person = await self.person(unit, identifier)
        if person is None:
            message = "This is for people: the credential stands for no active user of the tenant."
            raise NotAPerson(message)
        return person

    async def active(self, unit: UnitOfWork, people: Collection[str]) -> frozenset[str]:
        """Those of these people who are active."""
        rows = await unit.fetch(store.ACTIVE_PEOPLE, unit.tenant, list(people)) if people else ()
        return frozenset(str(row["id"]) for row in rows)

    async def of_stage(
        self, unit: UnitOfWork, stage: Stage, matter: Matter, concerned: frozenset[str]
    ) -> frozenset[str]:
        """Who may decide in a stage: never somebody whom it concerns."""
        found = await self.named(unit, stage.reviewers, matter) - concerned
        if len(found) < stage.needs and stage.fallback:
            found |= await self.named(unit, stage.fallback, matter) - concerned
        return found

    async def named(self, unit: UnitOfWork, words: Iterable[str], matter: Matter) -> frozenset[str]:
        """Everybody whom these words mean."""
        found: frozenset[str] = frozenset()
        for word in words:
            found |= await self._named(unit, word, matter)
        return found

    async def _named(self, unit: UnitOfWork, word: str, matter: Matter) -> frozenset[str]:
        kind, _, name = word.partition(":")
        if kind == "manager":
            manager = matter.person.manager_id if matter.person else None
            return await self.active(unit, [manager] if manager else [])
        if kind == "user":
            return await self.active(unit, [name])
        if kind == "group":
            return _ids(await unit.fetch(store.MEMBERS, unit.tenant, name))
        if kind == "role":
            return _ids(await unit.fetch(store.HOLDERS, unit.tenant, [name], None, None))
        return await self._owners(unit, name, matter)

    async def _owners(self, unit: UnitOfWork, of: str, matter: Matter) -> frozenset[str]:
        if of == "use_case":
            owner = await self._owner_of(unit, matter.use_case) if matter.use_case else None
            return await self.active(unit, [owner] if owner else [])
        department = matter.department or (matter.person.department_id if matter.person else None)
        place = (department, None) if of == "department" else (None, matter.application)
        if place == (None, None):
            return frozenset()
        return _ids(await unit.fetch(store.HOLDERS, unit.tenant, OWNER_ROLES, *place))

    async def delegations(self, unit: UnitOfWork, now_ns: int) -> frozenset[tuple[str, str]]:
        """Pairs of who is stood in for, and by whom, at this moment."""
        rows = await unit.fetch(store.CURRENT_DELEGATIONS, unit.tenant, to_datetime(now_ns))
        return frozenset((str(row["user_id"]), str(row["delegate_id"])) for row in rows)

    async def stored_words(self, unit: UnitOfWork, words: Iterable[str], param: str) -> tuple[str, ...]:
        """Words as they are stored: people and groups by id. Raises InvalidApprovalRule."""
        return tuple([await self._stored_word(unit, word.strip(), param) for word in words])

    async def _stored_word(self, unit: UnitOfWork, word: str, param: str) -> str:
        kind, _, name = word.partition(":")
        if word == MANAGER or word in OWNERS or (kind == "role" and name):
            return word
        row = None
        if kind == "user" and name:
            row = await unit.fetch_row(store.FIND_PERSON_BY_EMAIL, unit.tenant, name.lower())
        elif kind == "group" and name:
            row = await unit.fetch_row(store.FIND_GROUP, unit.tenant, name)
        else:
            message = (
                f"{word!r} names no reviewers: use manager, {', '.join(OWNERS)}, user:EMAIL, group:NAME or role:NAME"
            )
            raise InvalidApprovalRule(message, param=param)
        if row is None:
            message = f"there is no active user or group {word!r} in this tenant"
            raise InvalidApprovalRule(message, param=param)
        return f"{kind}:{row['id']}"

    async def shown_words(self, unit: UnitOfWork, tenant: str, words: Iterable[str]) -> dict[str, str]:
        """How stored words are shown: people by address, groups by name. What was removed keeps its id."""
        split = [(word, *word.partition(":")[::2]) for word in words]
        people = [name for _, kind, name in split if kind == "user"]
        groups = [name for _, kind, name in split if kind == "group"]
        emails = await emails_of(unit, tenant, people)
        rows = await unit.fetch(store.GROUP_NAMES, tenant, groups) if groups else ()
        names = {str(row["id"]): row["name"] for row in rows}
        known = {"user": emails, "group": names}
        return {word: f"{kind}:{known[kind].get(name, name)}" if kind in known else word for word, kind, name in split}


async def emails_of(unit: UnitOfWork, tenant: str, people: Iterable[str]) -> dict[str, str]:
    """The addresses of people by id, also of those who left."""
    wanted = list(set(people))
    rows = await unit.fetch(store.EMAILS, tenant, wanted) if wanted else ()
    return {str(row["id"]): row["email"] for row in rows}


def _ids(rows: Iterable[dict[str, object]]) -> frozenset[str]:
    return frozenset(str(row["id"]) for row in rows)
