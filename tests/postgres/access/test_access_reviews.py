"""Campaigns ask somebody else, answers take effect through the rooms, silence revokes, and the report does not change."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from enfilade.access.approvals.errors import GrantEnded
from enfilade.access.reviews.applying import Applier
from enfilade.access.reviews.campaigns import months_later
from enfilade.access.reviews.errors import (
    AlreadyAnswered,
    InvalidReview,
    NotItemReviewer,
    ReviewOver,
    ReviewUnanswered,
)
from enfilade.access.reviews.report import as_csv, as_markdown, find_report, report_hash
from enfilade.access.reviews.service import Reviews
from enfilade.access.reviews.types import Item, Review, ReviewSettings
from enfilade.core.clock import to_datetime
from enfilade.identity.roles.types import AssignmentSpec
from enfilade.identity.types import GroupSpec, KeySpec
from enfilade.storage.address import Address
from tests.postgres.access.approving import DAY, HOUR, Office, address_of, open_office, rule
from tests.support.parts import NOON, call_event, new_ids, unit_in

DAYS = 14
SETTINGS = ReviewSettings(days=DAYS)


@dataclass
class Campaign:
    """A campaign over Ana's roles, key and grant; Ben, her manager, answers. Ben's own role is Cleo's to answer."""

    office: Office
    reviews: Reviews
    review: Review

    async def items(self) -> dict[tuple[str, str], Item]:
        async with self.office.unit() as unit:
            found = await self.reviews.answers.page(unit, self.review, None, 500)
        return {(item.subject.partition("@")[0], item.label.partition(" ")[0]): item for item in found}

    async def answer(self, who: str, item: Item, decision: str, reason: str = "seen", **more: Any) -> Item:
        async with self.office.unit() as unit:
            answered = await self.reviews.answers.answer(
                unit, self.office.ids[who], self.review.id, item.id, decision=decision, reason=reason, **more
            )
        await self.reviews.answers.apply(self.office.tenant, self.review.id)
        async with self.office.unit() as unit:
            return await self.reviews.answers.get(unit, self.review.id, answered.id)

    async def roles(self, who: str) -> tuple[str, ...]:
        async with self.office.unit() as unit:
            return (await self.office.parts.identity.users.get(unit, address_of(who))).spec.roles

    async def reread(self) -> Review:
        async with self.office.unit() as unit:
            return await self.reviews.campaigns.get(unit, self.review.id)

    async def report(self) -> str:
        async with self.office.unit() as unit:
            return await find_report(unit, await self.reviews.campaigns.get(unit, self.review.id))


async def prepare(office: Office) -> Reviews:
    await office.put_user("cleo", roles=("admin",))
    await office.put_user("ben", roles=("operator",))
    await office.put_user("ana", manager=address_of("ben"), roles=("admin", "developer"))
    await office.put_rule(rule())
    await office.decide("ben", await office.ask("ana", duration_s=30 * DAY - HOUR))
    async with unit_in(office.parts, office.tenant) as unit:
        identity = office.parts.identity
        issued = await identity.keys.issue(unit, KeySpec("ana-key", user=address_of("ana")))
        await identity.departments.put(unit, "sales")
        await identity.assignments.put(unit, AssignmentSpec("operator", user=address_of("ana"), department="sales"))
    (call,) = new_ids(1)
    event = call_event(office.tenant, call, NOON - timedelta(days=1), user=office.ids["ana"], key=issued.key.id)
    await office.parts.writer.settle(call, event)
    return Reviews(office.parts.storage, office.clock, office.parts.ids, office.parts.identity, office.approvals)


@asynccontextmanager
async def campaign(database: Address, settings: ReviewSettings = SETTINGS) -> AsyncIterator[Campaign]:
    async with open_office(database) as office:
        reviews = await prepare(office)
        async with office.unit("owner") as unit:
            review = await reviews.campaigns.start(unit, "spring", settings)
        yield Campaign(office, reviews, review)


async def test_a_campaign_takes_down_who_may_do_what_with_evidence(database: Address) -> None:
    async with campaign(database) as running:
        items = await running.items()
        ids = running.office.ids
        assert {key: item.kind for key, item in items.items()}.items() >= {
            ("ana", "key"): "key",
            ("ana", "model"): "grant",
            ("ben", "role"): "role",
            ("cleo", "role"): "role",
        }.items()
        assert running.review.progress.items == 7
        # Ben answers for Ana; for Ben and Cleo, who have no manager, it is whoever is an administrator, but not oneself.
        assert set(items["ana", "key"].reviewers) == {ids["ben"]}
        assert set(items["ben", "role"].reviewers) == {ids["ana"], ids["cleo"]}
        assert set(items["cleo", "role"].reviewers) == {ids["ana"]}
        grant, key = items["ana", "model"].evidence, items["ana", "key"].evidence
        assert (grant["granted_by"], grant["calls"]) == ([f"user:{ids['ben']}"], 1)
        assert (key["granted_by"], key["calls"], key["last_used"]) == ("system:test", 1, None)
        role = items["cleo", "role"].evidence
        assert (role["granted_by"], role["calls"], role["last_sign_in"]) == ("system:test", 0, None)


async def test_answers_take_effect_at_once(database: Address) -> None:
    async with campaign(database) as running:
        async with running.office.unit() as unit:
            found = await running.reviews.answers.page(unit, running.review, None, 500)
        of_ana = {item.object: item for item in found if item.subject.startswith("ana")}
        items = await running.items()
        with pytest.raises(InvalidReview):
            await running.answer("ben", of_ana["developer"], "change", change={"role": "admin"})
        assert (await running.answer("ben", of_ana["admin"], "change", change={"role": "auditor"})).outcome == (
            "changed to auditor"
        )
        assert await running.roles("ana") == ("auditor", "developer")
        assert (await running.answer("ben", of_ana["developer"], "revoke")).outcome == "revoked"
        assert await running.roles("ana") == ("auditor",)
        assignment = next(item for item in of_ana.values() if item.kind == "assignment")
        assert (await running.answer("ben", assignment, "revoke")).outcome == "revoked"
        assert (await running.answer("ben", items["ana", "key"], "revoke")).outcome == "revoked"
        assert await running.office.active() != frozenset()
        assert (await running.answer("ben", items["ana", "model"], "revoke")).outcome == "revoked"
        assert await running.office.active() == frozenset()
        with pytest.raises(AlreadyAnswered):
            await running.answer("ben", items["ana", "model"], "keep")
        revoked = await running.office.events("KeyRevoked", "AccessGrantRevoked", "RoleUnassigned")
        assert len(revoked) == 3
        assert (await running.answer("cleo", items["ben", "role"], "keep", "Ben Smith is on duty")).outcome == "kept"
        assert "Smith" not in str(await running.office.events())


async def test_nobody_answers_about_themselves_or_for_others(database: Address) -> None:
    async with campaign(database) as running:
        items = await running.items()
        for who, item in (("ana", "ana"), ("dan", "ana"), ("cleo", "cleo"), ("ben", "ben")):
            key = (item, "key" if item == "ana" else "role")
            with pytest.raises(NotItemReviewer):
                await running.answer(who, items[key], "keep")
        async with running.office.unit() as unit:
            answers, asked = running.reviews.answers, items["ana", "key"]
            with pytest.raises(NotItemReviewer):
                await answers.reassign(unit, running.review.id, asked.id, [address_of("ana")])
            await answers.reassign(unit, running.review.id, asked.id, [address_of("dan")])
        assert (await running.answer("dan", items["ana", "key"], "keep")).outcome == "kept"


async def test_nobody_answers_about_what_their_group_has(database: Address) -> None:
    async with campaign(database) as running:
        identity = running.office.parts.identity
        async with unit_in(running.office.parts, running.office.tenant) as unit:
            await identity.groups.put(unit, GroupSpec("crew", (address_of("dan"), address_of("ben"))))
            await identity.assignments.put(unit, AssignmentSpec("operator", group="crew"))
        async with running.office.unit("owner") as unit:
            running.review = await running.reviews.campaigns.start(unit, "summer", SETTINGS)
            found = await running.reviews.answers.page(unit, running.review, None, 500)
        asked = next(item for item in found if item.subject == "group crew")
        assert set(asked.reviewers).isdisjoint({running.office.ids["dan"], running.office.ids["ben"]})
        answers = running.reviews.answers
        async with running.office.unit() as unit:
            with pytest.raises(NotItemReviewer):
                await answers.reassign(unit, running.review.id, asked.id, [address_of("dan")])
            await answers.reassign(unit, running.review.id, asked.id, [address_of("cleo")])
        # Who comes into the group meanwhile is concerned too.
        async with unit_in(running.office.parts, running.office.tenant) as unit:
            await identity.groups.put(unit, GroupSpec("crew", (address_of("dan"), address_of("cleo"))))
        with pytest.raises(NotItemReviewer):
            await running.answer("cleo", asked, "keep")


async def test_what_went_before_and_what_cannot_be_done_are_outcomes_too(database: Address) -> None:
    async with campaign(database) as running:
        items = await running.items()
        async with unit_in(running.office.parts, running.office.tenant) as unit:
            await running.office.parts.identity.keys.revoke(unit, "ana-key")
        (grant,) = await running.office.grants()
        await running.office.revoke(grant.id)
        with pytest.raises(GrantEnded):
            await running.office.revoke(grant.id)
        for label in ("key", "model"):
            assert (await running.answer("ben", items["ana", label], "revoke")).outcome == "gone before"


@pytest.mark.parametrize("revokes", [True, False])
async def test_silence_revokes_on_the_due_date_unless_the_campaign_says_otherwise(
    database: Address, revokes: bool
) -> None:
    settings = msgspec.structs.replace(SETTINGS, revoke_unanswered=revokes)
    async with campaign(database, settings) as running:
        keeper, items = running.reviews.keeper, await running.items()
        await running.answer("ben", items["ana", "key"], "keep")
        running.office.clock.advance((DAYS - 3) * DAY)
        await keeper.look()
        (reminder,) = await running.office.events("AccessReviewAwaitsAnswers")
        assert {each["user"]: each["items"] for each in reminder["reviewers"]} == {
            running.office.ids["ben"]: 4,
            running.office.ids["ana"]: 2,
            running.office.ids["cleo"]: 1,
        }
        assert (await running.reread()).closed_at is None
        running.office.clock.advance(3 * DAY)
        with pytest.raises(ReviewOver):
            await running.answer("ben", items["ana", "model"], "keep")
        await keeper.look()
        assert await keeper.look() == 0
        closed = await running.reread()
        assert closed.closed_at is not None
        assert await running.roles("ana") == (() if revokes else ("admin", "developer"))
        (told,) = await running.office.events("AccessReviewOverdue")
        assert (told["items"], told["revoked"]) == (6, 6 if revokes else 0)
        (end,) = await running.office.events("AccessReviewClosed")
        assert end["report_sha256"] == closed.report_hash == report_hash(await running.report())


async def test_the_last_who_could_review_is_not_locked_out_by_silence(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_user("cleo", roles=("admin",))
        reviews = Reviews(office.parts.storage, office.clock, office.parts.ids, office.parts.identity, office.approvals)
        async with office.unit() as unit:
            review = await reviews.campaigns.start(unit, "alone", SETTINGS)
        running = Campaign(office, reviews, review)
        office.clock.advance(DAYS * DAY)
        await reviews.keeper.look()
        assert await running.roles("cleo") == ("admin",)
        (item,) = msgspec.json.decode(await running.report())["items"]
        assert (item["decision"], item["reason"], item["reviewers"]) == ("keep", "nobody could review this", [])


async def test_a_closed_review_does_not_change_and_its_report_holds_the_evidence(database: Address) -> None:
    async with campaign(database) as running:
        async with running.office.unit() as unit:
            with pytest.raises(ReviewUnanswered):
                await running.reviews.answers.close(unit, running.review.id)
        with pytest.raises(ReviewUnanswered):
            await running.report()
        items = await running.items()
        await running.answer("ben", items["ana", "key"], "keep", '=HYPERLINK("x")|y')
        running.office.clock.advance(DAYS * DAY)
        await running.reviews.keeper.look()
        report = await running.report()
        for statement in (
            "UPDATE access_reviews SET name = 'x' WHERE id = $1",
            "UPDATE access_review_items SET reason = 'x' WHERE review_id = $1",
        ):
            with pytest.raises(asyncpg.PostgresError, match="does not change"):
                async with running.office.unit() as unit:
                    await unit.execute(statement, running.review.id)
        assert await running.report() == report
        rows = list(csv.DictReader(io.StringIO(as_csv(report))))
        assert len(rows) == 7
        answered = next(row for row in rows if row["decided_by"])
        assert (answered["decided_by"], answered["calls"]) == (address_of("ben"), "1")
        assert answered["reason"].startswith("'=HYPERLINK")
        text = as_markdown(report)
        assert report_hash(report) in text
        assert all(line.count("|") - line.count("\\|") == 14 for line in text.splitlines() if line.startswith("| "))


async def test_a_death_between_steps_doubles_nothing(database: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    async with campaign(database) as running:
        running.office.clock.advance(DAYS * DAY)
        real, left = Applier.apply, 3

        async def dies(self: Applier, unit: Any, item: Item) -> str:
            nonlocal left
            outcome = await real(self, unit, item)
            left -= 1
            if left == 0:
                raise KilledHere
            return outcome

        monkeypatch.setattr(Applier, "apply", dies)
        with pytest.raises(KilledHere):
            await running.reviews.keeper.look()
        monkeypatch.undo()
        assert (await running.reread()).progress.applied == 2
        await asyncio.gather(*(running.reviews.keeper.look() for _ in range(3)))
        review = await running.reread()
        assert (review.progress.applied, review.closed_at is None) == (7, False)
        applied = [event["item"] for event in await running.office.events("AccessReviewApplied")]
        assert len(applied) == len(set(applied)) == 7
        for once in ("AccessReviewOverdue", "AccessReviewClosed", "KeyRevoked", "AccessGrantRevoked", "RoleUnassigned"):
            assert len(await running.office.events(once)) == 1, once


async def test_a_schedule_starts_one_campaign_for_each_time_it_looks_late(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_user("cleo", roles=("admin",))
        reviews = Reviews(office.parts.storage, office.clock, office.parts.ids, office.parts.identity, office.approvals)
        async with office.unit() as unit:
            start = to_datetime(office.clock.now_ns())
            schedule, _ = await reviews.campaigns.put_schedule(unit, "quarterly", SETTINGS, "quarter", start)
        await asyncio.gather(reviews.keeper.look(), reviews.keeper.look())
        office.clock.advance(200 * DAY)
        await asyncio.gather(reviews.keeper.look(), reviews.keeper.look())
        async with office.unit() as unit:
            names = [review.name for review in await reviews.campaigns.page(unit, None, 10, office.tenant)]
            after = await reviews.campaigns.get_schedule(unit, schedule.id)
        assert names == ["quarterly 2026-11-02", "quarterly 2027-02-02"]
        assert after.next_at == months_later(start, 9)


def test_months_end_where_they_end() -> None:
    day = NOON.replace(month=1, day=31)
    assert [months_later(day, months).day for months in (1, 2, 3, 12, 25)] == [28, 31, 30, 31, 29]


class KilledHere(BaseException):
    """Nothing catches it."""
