"""Requests are decided by those who have the right to, at the moment when it counts, and grants last as long as they say."""

from dataclasses import replace

import msgspec
import pytest

from enfilade.access.approvals.errors import (
    AlreadyReviewed,
    DurationExceeded,
    EmergencyNotAllowed,
    GrantEnded,
    InvalidAccessRequest,
    NoReviewers,
    NotAPerson,
    NotReviewer,
    OwnRequest,
    RequestClosed,
    RequestPending,
    ReviewClosed,
)
from enfilade.access.approvals.types import Asked, Stage, Wish
from enfilade.core.clock import NANOSECONDS, to_datetime
from enfilade.storage.address import Address
from tests.postgres.access.approving import DAY, HOUR, MODEL, address_of, open_office, rule

GROUP = ("group:reviewers",)


async def test_an_approved_request_is_a_grant_for_its_time_to_the_nanosecond(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(Stage(("manager",))))
        request = await office.ask()
        assert await office.active() == frozenset()
        approved = await office.decide("ben", request)
        (grant,) = await office.grants()
        assert (approved.stored_state, grant.request, grant.ends_ns) == (
            "approved",
            request.id,
            grant.starts_ns + HOUR * NANOSECONDS,
        )
        assert await office.active() == {grant.id}
        assert office.active_now(model="another") == office.active_now("ben") == frozenset()
        book, now = office.approvals.book, grant.ends_ns
        ana = office.ids["ana"]
        assert book.active(office.tenant, ana, None, "chat", None, now - 1) == {grant.id}
        assert book.active(office.tenant, ana, None, "chat", None, now) == frozenset()
        assert book.active(office.tenant, ana, None, "chat", None, grant.starts_ns - 1) == frozenset()
        assert book.next_turn(office.tenant, grant.starts_ns) == grant.ends_ns
        office.clock.jump(-1)
        assert office.active_now() == frozenset()
        office.clock.jump(HOUR)
        assert office.active_now() == {grant.id}
        office.clock.jump(1)
        assert office.active_now() == frozenset()


async def test_a_grant_may_begin_later_and_then_lasts_as_long(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule())
        starts_ns = office.clock.now_ns() + DAY * NANOSECONDS
        await office.decide("ben", await office.ask(starts_ns=starts_ns))
        (grant,) = await office.grants()
        assert (grant.starts_ns, grant.ends_ns) == (starts_ns, starts_ns + HOUR * NANOSECONDS)
        assert await office.active() == frozenset()
        office.clock.advance(DAY)
        assert office.active_now() == {grant.id}


async def test_n_of_m_in_stages_by_different_people(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(Stage(("manager",)), Stage(GROUP, needs=2)))
        request = await office.ask()
        with pytest.raises(NotReviewer):
            await office.decide("cleo", request)
        await office.decide("ben", request)
        with pytest.raises(AlreadyReviewed):
            await office.decide("ben", request)
        assert (await office.decide("cleo", request)).stored_state == "pending"
        with pytest.raises(NotReviewer):
            await office.decide("eve", request)
        assert await office.grants() == []
        assert (await office.decide("dan", request)).stored_state == "approved"
        assert len(await office.grants()) == 1
        with pytest.raises(RequestClosed):
            await office.decide("eve", request)


async def test_one_refusal_ends_a_request_for_good(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(Stage(GROUP, needs=2)))
        request = await office.ask()
        await office.decide("ben", request)
        refused = await office.decide("cleo", request, approves=False, comment="Ana Smith has no need of it")
        assert (refused.stored_state, refused.decisions[-1].comment) == ("refused", "Ana Smith has no need of it")
        with pytest.raises(RequestClosed):
            await office.decide("dan", request)
        assert await office.grants() == []
        assert "Smith" not in str(await office.events())


async def test_nobody_decides_about_their_own_nor_through_a_delegate(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule())
        async with office.unit() as unit:
            ends = to_datetime(office.clock.now_ns() + DAY * NANOSECONDS)
            await office.approvals.delegations.put(unit, office.ids["ben"], address_of("eve"), None, ends)
        request = await office.ask("ben")
        with pytest.raises(OwnRequest):
            await office.decide("ben", request)
        with pytest.raises(NotReviewer):
            await office.decide("eve", request)
        other = await office.ask("ana")
        decided = await office.decide("eve", other)
        assert (decided.decisions[0].reviewer, decided.decisions[0].seat) == (office.ids["eve"], office.ids["ben"])
        third = await office.ask("ana", Asked("model", model="other"))
        async with office.unit() as unit:
            await office.approvals.delegations.end(unit, office.ids["ben"], address_of("eve"))
        with pytest.raises(NotReviewer):
            await office.decide("eve", third)


async def test_a_delegate_and_whom_they_stand_in_for_count_once(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(Stage(GROUP, needs=2)))
        async with office.unit() as unit:
            ends = to_datetime(office.clock.now_ns() + DAY * NANOSECONDS)
            await office.approvals.delegations.put(unit, office.ids["ben"], address_of("eve"), None, ends)
        request = await office.ask()
        assert (await office.decide("eve", request)).stored_state == "pending"
        with pytest.raises(AlreadyReviewed):
            await office.decide("ben", request)
        assert (await office.decide("cleo", request)).stored_state == "approved"


@pytest.mark.parametrize("loss", ["left the group", "inactive"])
async def test_who_lost_the_right_meanwhile_has_not_decided(database: Address, loss: str) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(Stage(GROUP, needs=2)))
        request = await office.ask()
        await office.decide("ben", request)
        if loss == "inactive":
            await office.put_user("ben", active=False)
        else:
            await office.put_group("cleo", "dan")
        assert (await office.decide("cleo", request)).stored_state == "pending"
        assert (await office.decide("dan", request)).stored_state == "approved"


async def test_the_fallback_decides_where_there_is_no_manager(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(Stage(("manager",))))
        with pytest.raises(NoReviewers):
            await office.ask("cleo")
        await office.put_rule(rule(Stage(("manager",), fallback=("user:dan@acme.example",))))
        request = await office.ask("cleo")
        assert (await office.decide("dan", request)).stored_state == "approved"
        with pytest.raises(NotReviewer):
            await office.decide("dan", await office.ask("ana"))


async def test_what_cannot_be_asked_for_is_refused(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(max_duration_s=2 * HOUR))
        with pytest.raises(DurationExceeded):
            await office.ask(duration_s=2 * HOUR + 1)
        for asked in (
            Asked("model"),
            Asked("model", model="chat", role="admin"),
            Asked("role", role="no-such"),
            Asked("data_class", use_case="hr", data_class="odd"),
        ):
            with pytest.raises(InvalidAccessRequest):
                await office.ask(asked=asked)
        with pytest.raises(InvalidAccessRequest):
            await office.ask(starts_ns=office.clock.now_ns() - NANOSECONDS)
        await office.ask()
        with pytest.raises(RequestPending):
            await office.ask()
        await office.put_user("eve", active=False)
        with pytest.raises(NotAPerson):
            await office.ask("eve")


async def test_an_unanswered_request_has_expired_by_the_clock_alone(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(expires_after_s=DAY))
        request = await office.ask()
        office.clock.advance(DAY)
        with pytest.raises(RequestClosed, match="expired"):
            await office.decide("ben", request)
        assert (await office.requests())[0].state_at(office.clock.now_ns()) == "expired"
        await office.ask()


async def test_a_change_of_rules_does_not_change_requests_that_are_made(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(Stage(GROUP, needs=2)))
        request = await office.ask()
        await office.put_rule(rule(Stage(GROUP)))
        assert (await office.decide("ben", request)).stored_state == "pending"


async def test_a_pattern_is_not_a_way_around_a_stricter_rule(database: Address) -> None:
    async with open_office(database) as office:
        strict = rule(Stage(GROUP, needs=3), models=("claude-*",), position=10)
        await office.put_rule(msgspec.structs.replace(strict, name="strict"))
        await office.put_rule(rule())
        for model in ("*", "c*", "*-4"):
            with pytest.raises(InvalidAccessRequest, match="only a part"):
                await office.ask(asked=Asked("model", model=model))
        assert (await office.ask(asked=Asked("model", model="claude-s*"))).rule.name == "strict"
        assert (await office.ask(asked=Asked("model", model="gpt-*"))).rule.name == "reviewed"


async def test_a_revoked_grant_stays_revoked(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule())
        await office.decide("ben", await office.ask())
        (grant,) = await office.grants()
        assert await office.active() == {grant.id}
        await office.revoke(grant.id, "Ana Smith left the project")
        assert await office.active() == frozenset()
        with pytest.raises(GrantEnded):
            await office.revoke(grant.id)
        assert "Smith" not in str(await office.events())


async def test_emergency_access_begins_at_once_and_somebody_else_reviews_it(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(rule(emergency=("user:ana@acme.example",), emergency_max_s=HOUR))
        emergency = office.approvals.emergency
        wish = Wish(MODEL, "production of Ana Smith is down", HOUR)
        async with office.unit() as unit:
            taken = await emergency.take(unit, office.ids["ana"], wish)
            with pytest.raises(EmergencyNotAllowed):
                await emergency.take(unit, office.ids["eve"], wish)
            with pytest.raises(DurationExceeded):
                await emergency.take(unit, office.ids["ana"], replace(wish, duration_s=HOUR + 1))
        assert await office.active() == {taken.id}
        (told,) = await office.events("EmergencyAccessTaken")
        assert (told["id"], told["user"]) == (taken.id, office.ids["ana"])
        async with office.unit() as unit:
            with pytest.raises(OwnRequest):
                await emergency.review(unit, office.ids["ana"], taken.id, justified=True, note="it was")
            reviewed = await emergency.review(unit, office.ids["dan"], taken.id, justified=False, note="it was not")
            assert reviewed.review is not None
            assert (reviewed.review.reviewer, reviewed.review.justified) == (office.ids["dan"], False)
            with pytest.raises(ReviewClosed):
                await emergency.review(unit, office.ids["cleo"], taken.id, justified=True, note="it was")
        assert await office.active() == frozenset()
        assert "Smith" not in str(await office.events())


async def test_what_waits_is_told_once_and_in_time(database: Address) -> None:
    async with open_office(database) as office:
        await office.put_rule(
            rule(
                expires_after_s=2 * DAY,
                remind_before_s=DAY,
                max_duration_s=4 * DAY,
                emergency=("user:dan@acme.example",),
                emergency_review_s=DAY,
            )
        )
        keeper = office.approvals.keeper
        waiting = await office.ask("ana")
        granted = await office.ask("cleo", duration_s=3 * DAY)
        await office.decide("ben", granted)
        async with office.unit() as unit:
            wish = Wish(MODEL, "it burns", HOUR)
            taken = await office.approvals.emergency.take(unit, office.ids["dan"], wish)
        assert await keeper.look() == 0
        told: list[tuple[int, list[str]]] = []
        for day in range(1, 5):
            office.clock.advance(DAY)
            before = len(await office.events())
            await keeper.look()
            assert await keeper.look() == 0
            told.append((day, sorted(entry["id"] for entry in (await office.events())[before:])))
        (grant,) = [entry for entry in await office.grants() if not entry.emergency]
        # On the first day the reviewers of one are reminded, and the emergency is over and overdue; on the second the
        # request expires, and the holder of the other is reminded, who loses it on the third.
        assert told == [
            (1, sorted([waiting.id, taken.id, taken.id])),
            (2, sorted([waiting.id, grant.id])),
            (3, [grant.id]),
            (4, []),
        ]
        (reminder,) = await office.events("AccessRequestAwaitsReview")
        assert reminder["reviewers"] == sorted(office.ids[name] for name in ("ben", "cleo", "dan"))
