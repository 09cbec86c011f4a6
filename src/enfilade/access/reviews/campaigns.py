"""Starting campaigns, once or again and again."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from enfilade.access.approvals.people import Matter, Reviewers
from enfilade.access.reviews import store
from enfilade.access.reviews.errors import InvalidReview, UnknownReview, UnknownReviewSchedule
from enfilade.access.reviews.finding import find_all
from enfilade.access.reviews.rows import review_of, schedule_of
from enfilade.access.reviews.types import MONTHS, SCOPES, Found, Review, ReviewSettings, Schedule
from enfilade.core.clock import Clock, to_datetime, to_ns, to_rfc3339
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.identity.rows import START, check_name, check_version, text_id
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

MAX_DAYS = 366
MAX_ITEMS = 100_000


class Campaigns:
    """The use cases of campaigns and their schedules."""

    def __init__(self, ids: IdFactory, clock: Clock, reviewers: Reviewers) -> None:
        """Name new campaigns with `ids`."""
        self._ids = ids
        self._clock = clock
        self._reviewers = reviewers

    async def page(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None, reviewer: str | None = None
    ) -> list[Review]:
        """Campaigns in the order of their making; of a reviewer those in which something is asked of them."""
        rows = await unit.fetch_listed(store.LIST_REVIEWS, after or START, limit, tenant, reviewer)
        return [review_of(row) for row in rows]

    async def get(self, unit: UnitOfWork, identifier: str) -> Review:
        """A campaign. Raises UnknownReview."""
        row = await unit.fetch_row(store.FIND_REVIEW, unit.tenant, identifier)
        if row is None:
            raise unknown(identifier)
        return review_of(row)

    async def start(self, unit: UnitOfWork, name: str, settings: ReviewSettings, schedule: str | None = None) -> Review:
        """Take down who may do what, and ask. `settings` name people as rules of approvals do. Raises InvalidReview."""
        if schedule is None:
            settings = await self.checked(unit, name, settings)
        now_ns = self._clock.now_ns()
        now = to_datetime(now_ns)
        due_at = now + timedelta(days=settings.days)
        identifier = self._ids.new_id()
        await unit.execute(
            store.INSERT_REVIEW,
            *(unit.tenant, identifier, name, msgspec.json.encode(settings).decode(), schedule),
            *(unit.scope.actor, now, due_at),
        )
        found = await find_all(unit, settings, now - timedelta(days=settings.evidence_days), now)
        if len(found) > MAX_ITEMS:
            message = (
                f"This would ask {len(found)} questions, {MAX_ITEMS} are the most: choose a department or less scope."
            )
            raise InvalidReview(message, param="scope")
        reviewers = _Choice(self._reviewers, settings)
        items = [await self._item(unit, entry, reviewers) for entry in found]
        await unit.execute(store.INSERT_ITEMS, unit.tenant, identifier, msgspec.json.encode(items).decode())
        unit.record(
            "AccessReviewStarted",
            id=identifier,
            name=name,
            scope=list(settings.scope),
            department=settings.department,
            items=len(items),
            without_reviewer=sum(not item["reviewers"] for item in items),
            due_at=to_rfc3339(to_ns(due_at)),
        )
        return await self.get(unit, identifier)

    async def _item(self, unit: UnitOfWork, found: Found, reviewers: "_Choice") -> dict[str, Any]:
        return {
            "id": self._ids.new_id(),
            "kind": found.kind,
            "object": found.object,
            "subject_id": found.subject_id,
            "subject": found.subject,
            "label": found.label,
            "evidence": found.evidence,
            "reviewers": sorted(await reviewers.of(unit, found)),
        }

    async def checked(self, unit: UnitOfWork, name: str, settings: ReviewSettings) -> ReviewSettings:
        """Settings with people by id. Raises InvalidReview, InvalidApprovalRule."""
        check_name(name)
        if unit.tenant == PLATFORM_ID:
            message = "Say which tenant is meant."
            raise InvalidReview(message)
        unknown_scopes = [scope for scope in settings.scope if scope not in SCOPES]
        if unknown_scopes or not settings.scope:
            message = f"`scope` is a list of some of {', '.join(SCOPES)}"
            raise InvalidReview(message, param="scope")
        for param, least in (("days", 1), ("evidence_days", 1), ("remind_days", 0)):
            if not least <= getattr(settings, param) <= MAX_DAYS:
                message = f"`{param}` is from {least} to {MAX_DAYS}"
                raise InvalidReview(message, param=param)
        if settings.department is not None and not await unit.fetch_value(
            store.DEPARTMENT_EXISTS, unit.tenant, settings.department
        ):
            message = "there is no such department in this tenant"
            raise InvalidReview(message, param="department")
        if not settings.reviewers:
            message = "somebody has to answer"
            raise InvalidReview(message, param="reviewers")
        words = self._reviewers.stored_words
        return msgspec.structs.replace(
            settings,
            reviewers=await words(unit, settings.reviewers, "reviewers"),
            fallback=await words(unit, settings.fallback, "fallback"),
        )

    # Schedules.

    async def page_schedules(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None
    ) -> list[Schedule]:
        """Schedules in the order of their making."""
        return [
            schedule_of(row) for row in await unit.fetch_listed(store.LIST_SCHEDULES, after or START, limit, tenant)
        ]

    async def get_schedule(self, unit: UnitOfWork, name: str) -> Schedule:
        """A schedule by name or id. Raises UnknownReviewSchedule."""
        row = await unit.fetch_row(store.FIND_SCHEDULE, unit.tenant, name)
        if row is None:
            message = f"There is no schedule of access reviews {name!r} in this tenant."
            raise UnknownReviewSchedule(message)
        return schedule_of(row)

    async def put_schedule(
        self,
        unit: UnitOfWork,
        name: str,
        settings: ReviewSettings,
        every: str,
        next_at: datetime | None,
        expected: int | None = None,
    ) -> tuple[Schedule, Outcome]:
        """Repeat a campaign from a moment on. Raises InvalidReview, VersionMismatch."""
        settings = await self.checked(unit, name, settings)
        if every not in MONTHS:
            message = f"`every` is one of {', '.join(MONTHS)}"
            raise InvalidReview(message, param="every")
        now = to_datetime(self._clock.now_ns())
        text = msgspec.json.encode(settings).decode()
        row = await unit.fetch_row(store.FIND_SCHEDULE, unit.tenant, name)
        if row is None:
            identifier, outcome = self._ids.new_id(), Outcome.CREATED
            await unit.execute(store.INSERT_SCHEDULE, unit.tenant, identifier, name, text, every, next_at or now, now)
        else:
            present, outcome = schedule_of(row), Outcome.CHANGED
            check_version(expected, present.version)
            identifier, next_at = present.id, next_at or present.next_at
            if (present.settings, present.every, present.next_at) == (settings, every, next_at):
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_SCHEDULE, unit.tenant, identifier, text, every, next_at)
        schedule = await self.get_schedule(unit, identifier)
        next_text = to_rfc3339(to_ns(schedule.next_at))
        unit.record("AccessReviewScheduled", id=identifier, name=name, every=every, next_at=next_text)
        return schedule, outcome

    async def remove_schedule(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Repeat it no more; campaigns that run go on. Raises UnknownReviewSchedule, VersionMismatch."""
        schedule = await self.get_schedule(unit, name)
        check_version(expected, schedule.version)
        await unit.execute(store.DELETE_SCHEDULE, unit.tenant, schedule.id)
        unit.record("AccessReviewUnscheduled", id=schedule.id, name=schedule.name)

    async def start_due(self, unit: UnitOfWork) -> int:
        """Start those campaigns whose time has come. What was missed meanwhile is not made up for: one campaign is
        enough to look at what there is now.
        """
        now = to_datetime(self._clock.now_ns())
        started = 0
        for row in await unit.fetch(store.DUE_SCHEDULES, unit.tenant, now):
            schedule = schedule_of(row)
            following = schedule.next_at
            turns = 0
            while following <= now:
                turns += 1
                following = months_later(schedule.next_at, turns * MONTHS[schedule.every])
            if await unit.fetch_value(store.ADVANCE_SCHEDULE, unit.tenant, schedule.id, following, now):
                name = f"{schedule.name} {schedule.next_at:%Y-%m-%d}"
                await self.start(unit, name, schedule.settings, schedule.id)
                started += 1
        return started


class _Choice:
    """Who answers for each item. People with the same words and the same matter are looked up once."""

    def __init__(self, reviewers: Reviewers, settings: ReviewSettings) -> None:
        self._reviewers = reviewers
        self._settings = settings
        self._named: dict[tuple[tuple[str, ...], str | None, str | None, str | None], frozenset[str]] = {}

    async def of(self, unit: UnitOfWork, found: Found) -> frozenset[str]:
        concerned = await self._concerned(unit, found)
        for words in (self._settings.reviewers, self._settings.fallback):
            if people := await self._people(unit, words, found) - concerned:
                return people
        return frozenset()

    async def _people(self, unit: UnitOfWork, words: tuple[str, ...], found: Found) -> frozenset[str]:
        key = (words, found.subject_id, found.application_id, found.department_id)
        if key not in self._named:
            person = await self._reviewers.person(unit, found.subject_id)
            matter = Matter(person, None, found.application_id, found.department_id)
            self._named[key] = await self._reviewers.named(unit, words, matter)
        return self._named[key]

    async def _concerned(self, unit: UnitOfWork, found: Found) -> frozenset[str]:
        group = found.evidence.get("group")
        if group is None:
            return frozenset({found.subject_id} if found.subject_id else ())
        rows: Iterable[Any] = await unit.fetch(store.GROUP_MEMBERS, unit.tenant, group)
        return frozenset(filter(None, (text_id(row["id"]) for row in rows)))


def months_later(moment: datetime, months: int) -> datetime:
    """The same day of a later month, or its last."""
    number = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(number, 12)
    following = datetime(year + (month + 1) // 12, (month + 1) % 12 + 1, 1, tzinfo=moment.tzinfo)
    last = (following - timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def unknown(identifier: str) -> UnknownReview:
    """The same for a campaign that is not there and for one that is not theirs to see."""
    message = f"There is no access review {identifier!r} that you may see."
    return UnknownReview(message)
