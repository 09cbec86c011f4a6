"""Policies in versions: drafted, approved by a second person where the tenant says so, published, rolled back."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any

import msgspec

from enfilade.access import store
from enfilade.access.checking import Checked, check, require_sound
from enfilade.access.compiled import Compiled, all_policies
from enfilade.access.content import EMPTY, Content, check_form
from enfilade.access.errors import InvalidAccess, SecondPersonNeeded, UnknownVersion, VersionNotOpen
from enfilade.access.examiner import Known
from enfilade.access.matrix import normal_row
from enfilade.access.problems import Problem
from enfilade.core.canonical import canonical_text
from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.rows import check_version
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

NOTHING: frozenset[str] = frozenset()
MAX_NOTE = 2_000
FEW_RULES = 30
"""Checking more than these takes so long that it is done beside the event loop."""

Knower = Callable[[UnitOfWork, Collection[str]], Awaitable[Known]]
"""What there is in the current tenant and the catalogue, for policies to name; users and keys if they name such."""


class Version(msgspec.Struct, frozen=True):
    """All policies of a tenant at one time."""

    tenant: str
    number: int
    state: str
    content: Content
    note: str
    author: str
    author_user: str | None
    created_at: datetime
    changed_at: datetime
    approver: str | None
    approved_at: datetime | None
    publisher: str | None
    published_at: datetime | None
    edition: int
    problems: tuple[Problem, ...] = ()
    """What is odd about it, where it was looked at just now."""


class Versions:
    """What administrators do with policies."""

    def __init__(self, clock: Clock, known: Knower) -> None:
        """Hold policies against what is `known`."""
        self._clock = clock
        self._known = known

    async def page(
        self, unit: UnitOfWork, tenant: str, before: int | None, limit: int, state: str | None = None
    ) -> list[Version]:
        """Versions of a tenant, newest first."""
        return [version_of(row) for row in await unit.fetch(store.LIST_VERSIONS, tenant, before, limit, state)]

    async def find(self, unit: UnitOfWork, number: int) -> Version | None:
        """The current tenant's version of that number."""
        row = await unit.fetch_row(store.FIND_VERSION, unit.tenant, number)
        return None if row is None else version_of(row)

    async def get(self, unit: UnitOfWork, number: int) -> Version:
        """Like `find`; raises UnknownVersion."""
        found = await self.find(unit, number)
        if found is None:
            message = f"There is no version {number} of this tenant's policies."
            raise UnknownVersion(message, param="version")
        return found

    async def published(self, unit: UnitOfWork, tenant: str | None = None) -> Version | None:
        """The version in force, if there is one."""
        row = await unit.fetch_row(store.FIND_PUBLISHED, tenant or unit.tenant)
        return None if row is None else version_of(row)

    async def open(self, unit: UnitOfWork) -> Version | None:
        """The newest version that is neither published nor discarded."""
        row = await unit.fetch_row(store.FIND_OPEN, unit.tenant)
        return None if row is None else version_of(row)

    async def check(self, unit: UnitOfWork, content: Content, declared: frozenset[str] = NOTHING) -> list[Problem]:
        """What is wrong or odd; models of the `declared` names will be there. Raises InvalidAccess for a wrong form."""
        return (await self.checked(unit, content, declared)).problems

    async def checked(self, unit: UnitOfWork, content: Content, declared: frozenset[str] = NOTHING) -> Checked:
        """The same, and what the policies compile to."""
        check_form(content)
        texts = [spec.cedar for spec in all_policies(content)]
        known = await self._known(
            unit, {kind for kind in ("User", "Key") if any(f"{kind}::" in text for text in texts)}
        )
        known = msgspec.structs.replace(known, models=known.models | declared)
        if content.rules <= FEW_RULES:
            return check(content, known)
        return await asyncio.to_thread(check, content, known)

    async def draft(
        self, unit: UnitOfWork, content: Content, note: str = "", declared: frozenset[str] = NOTHING
    ) -> Version:
        """Write a new version; nothing is in force by it. Raises InvalidAccess, InvalidPolicy."""
        return (await self._draft(unit, content, note, declared))[0]

    async def _draft(
        self, unit: UnitOfWork, content: Content, note: str, declared: frozenset[str]
    ) -> tuple[Version, Compiled]:
        content, problems, compiled = await self._sound(unit, content, note, declared)
        number = await unit.fetch_value(
            store.INSERT_VERSION, unit.tenant, canonical_text(content), note, *self._author(unit), self._now()
        )
        unit.record("AccessDrafted", version=number, rules=content.rules, content_sha256=_digest(content), note=note)
        return msgspec.structs.replace(await self.get(unit, number), problems=problems), compiled

    async def change(
        self, unit: UnitOfWork, number: int, content: Content, note: str = "", expected: int | None = None
    ) -> Version:
        """Change a version that is not published. Raises what `draft` raises, UnknownVersion, VersionNotOpen."""
        present = await self._open(unit, number, expected)
        content, problems, _ = await self._sound(unit, content, note)
        if (content, note) != (present.content, present.note):
            await unit.execute(
                store.UPDATE_DRAFT,
                unit.tenant,
                number,
                canonical_text(content),
                note,
                *self._author(unit),
                self._now(),
            )
            unit.record(
                "AccessDraftChanged", version=number, rules=content.rules, content_sha256=_digest(content), note=note
            )
        return msgspec.structs.replace(await self.get(unit, number), problems=problems)

    async def approve(self, unit: UnitOfWork, number: int, expected: int | None = None) -> Version:
        """Say as a second person that the version may be published.

        Raises SecondPersonNeeded for its author, and for a credential of nobody's: its author could have made that.
        """
        present = await self._open(unit, number, expected)
        if present.state != "draft":
            message = f"Version {number} was approved before."
            raise VersionNotOpen(message)
        scope = unit.scope
        if scope.user is None:
            message = f"Version {number} is approved by a person: this credential stands for nobody."
            raise SecondPersonNeeded(message)
        if present.author == scope.actor or scope.user == present.author_user:
            message = f"You wrote version {number}; somebody else must approve it."
            raise SecondPersonNeeded(message)
        await unit.execute(store.APPROVE_VERSION, unit.tenant, number, scope.actor, self._now())
        unit.record("AccessApproved", version=number, content_sha256=_digest(present.content), author=present.author)
        return await self.get(unit, number)

    async def publish(self, unit: UnitOfWork, number: int, expected: int | None = None) -> Version:
        """Put a version in force, everywhere within a second. Raises SecondPersonNeeded, VersionNotOpen, InvalidPolicy."""
        present = await self._open(unit, number, expected)
        if present.state != "approved" and await self.needs_second_person(unit):
            message = f"Version {number} has to be approved by somebody other than its author first."
            raise SecondPersonNeeded(message)
        # What it names may have been removed since it was written.
        _, problems, compiled = await self._sound(unit, present.content, present.note)
        return await self._put_in_force(unit, present, compiled, problems)

    async def needs_second_person(self, unit: UnitOfWork) -> bool:
        """Whether the tenant wants one: what is in force decides, not what is about to be."""
        current = await self.published(unit)
        return current is not None and current.content.second_person

    async def discard(self, unit: UnitOfWork, number: int, expected: int | None = None) -> None:
        """Give up a version that is not published."""
        await self._open(unit, number, expected)
        await unit.execute(store.DISCARD_VERSION, unit.tenant, number)
        unit.record("AccessDiscarded", version=number)

    async def roll_back(self, unit: UnitOfWork, number: int) -> Version:
        """Make a new version of what was in force before, and publish it unless a second person is needed."""
        earlier = await self.get(unit, number)
        if earlier.state != "superseded":
            message = f"Version {number} is {earlier.state}; only one that was in force can be gone back to."
            raise VersionNotOpen(message)
        made = await self.draft(unit, earlier.content, f"back to version {number}")
        unit.record("AccessRolledBack", version=made.number, to=number)
        return made if await self.needs_second_person(unit) else await self.publish(unit, made.number)

    async def put(
        self, unit: UnitOfWork, content: Content, note: str = "", declared: frozenset[str] = NOTHING
    ) -> tuple[Version, Outcome]:
        """Let the policies be these: published at once, or waiting for a second person where one is needed."""
        content = normal(content)
        current = await self.published(unit)
        if (current.content if current is not None else EMPTY) == content:
            if current is not None:
                return current, Outcome.UNCHANGED
            return await self._draft_and_publish(unit, content, note, declared), Outcome.CREATED
        outcome = Outcome.CREATED if current is None else Outcome.CHANGED
        waiting = await self.open(unit)
        if await self.needs_second_person(unit):
            if waiting is not None and waiting.content == content:
                return waiting, Outcome.UNCHANGED
            return await self.draft(unit, content, note, declared), outcome
        return await self._draft_and_publish(unit, content, note, declared), outcome

    async def _draft_and_publish(
        self, unit: UnitOfWork, content: Content, note: str, declared: frozenset[str]
    ) -> Version:
        made, compiled = await self._draft(unit, content, note, declared)
        return await self._put_in_force(unit, made, compiled, made.problems)

    async def remove(self, unit: UnitOfWork) -> bool:
        """Have no policies any more, published or drafted as `put` does; say whether there was anything to do."""
        current = await self.published(unit)
        if current is None or current.content == EMPTY:
            return False
        _, outcome = await self.put(unit, EMPTY, "removed")
        return outcome is not Outcome.UNCHANGED

    async def _put_in_force(
        self, unit: UnitOfWork, version: Version, compiled: Compiled, problems: tuple[Problem, ...]
    ) -> Version:
        await unit.execute(store.SUPERSEDE, unit.tenant)
        await unit.execute(
            store.PUBLISH_VERSION, unit.tenant, version.number, unit.scope.actor, self._now(), canonical_text(compiled)
        )
        unit.record(
            "AccessPublished",
            version=version.number,
            rules=version.content.rules,
            content_sha256=_digest(version.content),
            author=version.author,
            approver=version.approver,
        )
        unit.changed()
        return msgspec.structs.replace(await self.get(unit, version.number), problems=problems)

    async def _open(self, unit: UnitOfWork, number: int, expected: int | None) -> Version:
        present = await self.get(unit, number)
        check_version(expected, present.edition)
        if present.state not in {"draft", "approved"}:
            message = f"Version {number} is {present.state}: it cannot be changed, approved or published any more."
            raise VersionNotOpen(message)
        return present

    async def _sound(
        self, unit: UnitOfWork, content: Content, note: str, declared: frozenset[str] = NOTHING
    ) -> tuple[Content, tuple[Problem, ...], Compiled]:
        if unit.tenant == PLATFORM_ID:
            message = "The platform itself has no policies; say which tenant is meant."
            raise InvalidAccess(message, param="tenant")
        if len(note) > MAX_NOTE:
            message = f"a note has at most {MAX_NOTE} characters"
            raise InvalidAccess(message, param="note")
        content = normal(content)
        checked = await self.checked(unit, content, declared)
        return content, tuple(checked.problems), require_sound(checked)

    def _author(self, unit: UnitOfWork) -> tuple[str, str | None]:
        return unit.scope.actor, unit.scope.user

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())


def version_of(row: Any) -> Version:
    """A version from its row."""
    return Version(
        tenant=str(row["tenant_id"]),
        number=row["version"],
        state=row["state"],
        content=msgspec.json.decode(row["content"], type=Content),
        note=row["note"],
        author=row["author"],
        author_user=None if row["author_user_id"] is None else str(row["author_user_id"]),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        approver=row["approver"],
        approved_at=row["approved_at"],
        publisher=row["publisher"],
        published_at=row["published_at"],
        edition=row["edition"],
    )


def normal(content: Content) -> Content:
    """The content in its normal form, in which it reads back from Cedar."""
    return msgspec.structs.replace(content, matrix=tuple(normal_row(row) for row in content.matrix))


def _digest(content: Content) -> str:
    return hashlib.sha256(canonical_text(content).encode()).hexdigest()
