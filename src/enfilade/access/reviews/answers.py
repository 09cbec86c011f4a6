"""Answering, and letting answers take effect: each in a transaction of its own, so that what was interrupted goes on."""

from collections.abc import Sequence

import msgspec
import structlog

from enfilade.access.approvals.people import Reviewers
from enfilade.access.approvals.wishes import check_text
from enfilade.access.reviews import store
from enfilade.access.reviews.applying import Applier, is_final
from enfilade.access.reviews.campaigns import Campaigns
from enfilade.access.reviews.errors import (
    AlreadyAnswered,
    InvalidReview,
    NotItemReviewer,
    ReviewOver,
    ReviewUnanswered,
    UnknownReviewItem,
)
from enfilade.access.reviews.report import make_report, report_hash
from enfilade.access.reviews.rows import item_of
from enfilade.access.reviews.types import Item, Review
from enfilade.core.clock import Clock, to_datetime
from enfilade.core.errors import EnfiladeError
from enfilade.core.scope import Scope
from enfilade.identity.rows import START
from enfilade.identity.scopes import narrowed_to, system_scope
from enfilade.storage.unit_of_work import Storage, UnitOfWork

ANSWERS = ("keep", "revoke", "change")
AT_ONCE = 200

log = structlog.get_logger("enfilade.access.reviews")


class Answers:
    """The use cases of items."""

    def __init__(
        self, storage: Storage, clock: Clock, reviewers: Reviewers, campaigns: Campaigns, applier: Applier
    ) -> None:
        """What was answered is done by `applier`."""
        self._storage = storage
        self._clock = clock
        self._reviewers = reviewers
        self._campaigns = campaigns
        self._applier = applier

    async def page(
        self,
        unit: UnitOfWork,
        review: Review,
        after: str | None,
        limit: int,
        reviewer: str | None = None,
        answered: bool | None = None,  # noqa: FBT001
    ) -> list[Item]:
        """Items of a campaign in their order."""
        rows = await unit.fetch(store.LIST_ITEMS, after or START, limit, review.tenant, review.id, reviewer, answered)
        return [item_of(row) for row in rows]

    async def get(self, unit: UnitOfWork, review: str, identifier: str) -> Item:
        """An item. Raises UnknownReviewItem."""
        row = await unit.fetch_row(store.FIND_ITEM, unit.tenant, review, identifier)
        if row is None:
            message = f"There is no item {identifier!r} in this review that you may see."
            raise UnknownReviewItem(message)
        return item_of(row)

    async def answer(  # noqa: PLR0913 - what an answer is
        self,
        unit: UnitOfWork,
        reviewer: str | None,
        review: str,
        identifier: str,
        *,
        decision: str,
        reason: str,
        change: dict[str, str] | None = None,
    ) -> Item:
        """Say what is to become of it; `apply` does it.

        Raises NotAPerson, UnknownReview, UnknownReviewItem, NotItemReviewer, ReviewOver, AlreadyAnswered, InvalidReview.
        """
        person = await self._reviewers.require_person(unit, reviewer)
        campaign = await self._campaigns.get(unit, review)
        item = await self.get(unit, review, identifier)
        if person.id not in item.reviewers or person.id in await concerned_by(unit, item):
            message = "Somebody else answers this."
            raise NotItemReviewer(message)
        now = to_datetime(self._clock.now_ns())
        self._require_open(campaign)
        if item.applied_at is not None:
            message = "This was answered before."
            raise AlreadyAnswered(message)
        if decision not in ANSWERS or (decision == "change") != (change is not None):
            message = f"an answer is one of {', '.join(ANSWERS)}; with `change` it says what to"
            raise InvalidReview(message, param="decision")
        if change is not None:
            change = await self._applier.check_change(unit, item, change)
        changed = None if change is None else msgspec.json.encode(change).decode()
        values = (decision, changed, check_text(reason, "reason"), person.id, now)
        if not await unit.fetch_value(store.DECIDE_ITEM, unit.tenant, review, identifier, *values):
            message = "This was answered meanwhile."
            raise AlreadyAnswered(message)
        unit.record(
            "AccessReviewAnswered",
            id=review,
            item=identifier,
            kind=item.kind,
            subject=item.subject_id,
            reviewer=person.id,
            decision=decision,
        )
        return await self.get(unit, review, identifier)

    async def reassign(self, unit: UnitOfWork, review: str, identifier: str, emails: Sequence[str]) -> Item:
        """Let others answer. Raises UnknownReviewItem, InvalidApprovalRule, NotItemReviewer, ReviewOver, AlreadyAnswered."""
        self._require_open(await self._campaigns.get(unit, review))
        item = await self.get(unit, review, identifier)
        words = await self._reviewers.stored_words(unit, [f"user:{email}" for email in emails], "reviewers")
        people = sorted({word.partition(":")[2] for word in words})
        if not people or not (await concerned_by(unit, item)).isdisjoint(people):
            message = "Somebody other than whose access it is has to answer."
            raise NotItemReviewer(message)
        if not await unit.fetch_value(store.ASSIGN_REVIEWERS, unit.tenant, review, identifier, people):
            message = "This was answered before."
            raise AlreadyAnswered(message)
        unit.record("AccessReviewReassigned", id=review, item=identifier, reviewers=people)
        return await self.get(unit, review, identifier)

    def _require_open(self, campaign: Review) -> None:
        if campaign.closed_at is not None or campaign.due_at <= to_datetime(self._clock.now_ns()):
            message = "The review is closed, or its time is over."
            raise ReviewOver(message)

    async def apply(self, tenant: str, review: str) -> int:
        """Do what was answered and is not done yet; return how much that was.

        Each answer is done, and marked as done, in one transaction: who dies in between leaves it undone and unmarked.
        """
        applied = 0
        while True:
            async with self._storage.unit_of_work(_scope(tenant), readonly=True) as unit:
                rows = await unit.fetch(store.UNAPPLIED, tenant, review, AT_ONCE)
            done = [await self._apply_one(tenant, review, str(row["id"])) for row in rows]
            applied += sum(done)
            # Those that failed stay; who finds nothing else stops.
            if not any(done):
                return applied

    async def _apply_one(self, tenant: str, review: str, identifier: str) -> bool:
        try:
            async with self._storage.unit_of_work(_scope(tenant)) as unit:
                return await self._effect(unit, review, identifier, None)
        except EnfiladeError as error:
            if not is_final(error):
                log.warning("access_review_item_postponed", error=error.message)
                return False
            failure = f"not possible: {error.code}"
        async with self._storage.unit_of_work(_scope(tenant)) as unit:
            return await self._effect(unit, review, identifier, failure)

    async def _effect(self, unit: UnitOfWork, review: str, identifier: str, failure: str | None) -> bool:
        item = await self.get(unit, review, identifier)
        if item.applied_at is not None:
            return False
        outcome = failure or await self._applier.apply(unit, item)
        now = to_datetime(self._clock.now_ns())
        await unit.execute(store.APPLY_ITEM, unit.tenant, review, identifier, now, outcome)
        unit.record("AccessReviewApplied", id=review, item=identifier, kind=item.kind, decision=item.decision)
        return True

    async def answer_for_the_silent(self, unit: UnitOfWork, campaign: Review) -> int:
        """What nobody answered in time is revoked, where the campaign says so and somebody could have answered."""
        now = to_datetime(self._clock.now_ns())
        values = (unit.tenant, campaign.id, campaign.settings.revoke_unanswered, now)
        rows = await unit.fetch(store.ANSWER_FOR_THE_SILENT, *values)
        if rows:
            revoked = sum(row["decision"] == "revoke" for row in rows)
            unit.record("AccessReviewOverdue", id=campaign.id, name=campaign.name, items=len(rows), revoked=revoked)
        return len(rows)

    async def close(self, unit: UnitOfWork, identifier: str) -> Review:
        """Write the report; nothing changes any more. Raises UnknownReview, ReviewOver, ReviewUnanswered."""
        campaign = await self._campaigns.get(unit, identifier)
        if campaign.closed_at is not None:
            message = "The review is closed already."
            raise ReviewOver(message)
        if campaign.progress.applied < campaign.progress.items:
            missing = campaign.progress.items - campaign.progress.applied
            message = f"{missing} items are not answered, or what was answered is not done yet."
            raise ReviewUnanswered(message)
        now = to_datetime(self._clock.now_ns())
        report = await make_report(unit, campaign, now)
        digest = report_hash(report)
        if await unit.fetch_value(store.CLOSE_REVIEW, unit.tenant, identifier, now, report, digest):
            unit.record(
                "AccessReviewClosed",
                id=identifier,
                name=campaign.name,
                items=campaign.progress.items,
                report_sha256=digest,
            )
        return await self._campaigns.get(unit, identifier)


async def concerned_by(unit: UnitOfWork, item: Item) -> frozenset[str]:
    """Whose access an item is: a user's, or that of everybody who is in a group at this moment."""
    if item.evidence.get("group") is None:
        return frozenset({item.subject_id} if item.subject_id else ())
    rows = await unit.fetch(store.GROUP_MEMBERS, unit.tenant, item.evidence["group"])
    return frozenset(str(row["id"]) for row in rows)


def _scope(tenant: str) -> Scope:
    """What was decided by who may is done by the program, with all rights in this tenant."""
    return narrowed_to(system_scope("access_reviews"), tenant)
