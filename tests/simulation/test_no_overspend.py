"""However many calls come at once, and however they end, a budget is never overspent, by not one nano-dollar."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.core.money import format_usd, parse_usd
from enfilade.storage.address import Address
from tests.simulation.books import balanced_books, quiet
from tests.simulation.calls import Answer, Ask, make
from tests.support.house import House, HouseOptions, open_house
from tests.support.waiting import eventually
from tests.support.world import ACME_KEY, ACME_USER_KEY, GLOBEX_KEY, world

CALLERS = 500
PAID_FOR = 40
OUTPUT_TOKENS = 20
OUTPUT_NANO = OUTPUT_TOKENS * 2000
ANA = "ana@acme.example"
SCOPES = ("tenant", "department:sales", "application:copilot", f"user:{ANA}", "key:copilot-key")


def house_with(
    *, budgets: list[dict[str, Any]], limits: list[dict[str, Any]] | None = None, input_price: float = 0
) -> HouseOptions:
    document = world()
    document["models"][0]["price"]["input"] = input_price
    document["tenants"][0] |= {"budgets": budgets, "limits": limits or []}
    return HouseOptions(document=document, clock=ManualClock())


def budget(scope: str, nano: int, **more: Any) -> dict[str, Any]:
    return {"scope": scope, "window": "month", "limit_usd": format_usd(nano)} | more


async def crowd(house: House, asks: list[Ask]) -> list[Answer]:
    """All of them at once; time passes only when every call is either waiting for its provider or refused."""
    clock = house.parts.clock
    assert isinstance(clock, ManualClock)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(make(house, ask)) for ask in asks]

        async def everybody_waits() -> None:
            await eventually(
                lambda: len(house.parts.meter_book.holds) + sum(task.done() for task in tasks) >= len(tasks), within=60
            )

        await everybody_waits()
        while not all(task.done() for task in tasks):
            clock.advance(5)
            await asyncio.sleep(0.002)
    return [task.result() for task in tasks]


async def budgets_of(house: House) -> list[dict[str, Any]]:
    reply = await house.admin().get("/api/v1/budgets", params={"tenant": "acme"})
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


@pytest.mark.parametrize("pace", ["", "+slow-2s"], ids=["as-they-come", "all-at-the-same-time"])
@pytest.mark.parametrize("dialect", ["chat", "messages"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_of_500_calls_exactly_the_40_that_are_paid_for_are_answered(
    database: Address, pace: str, dialect: str, stream: bool
) -> None:
    limit = PAID_FOR * OUTPUT_NANO
    async with open_house(database, house_with(budgets=[budget("tenant", limit)])) as house:
        ask = Ask(ACME_KEY, f"simulated/text-{OUTPUT_TOKENS}{pace}", dialect, stream, max_tokens=OUTPUT_TOKENS)
        answers = await crowd(house, [ask] * CALLERS)
        books = await balanced_books(house)
        (shown,) = await budgets_of(house)

    assert Counter(answer.status for answer in answers) == {200: PAID_FOR, 402: CALLERS - PAID_FOR}
    assert sum(answer.is_answered for answer in answers) == PAID_FOR
    assert books.spent == limit
    assert (shown["spent_usd"], shown["held_usd"]) == (format_usd(limit), format_usd(0))
    assert len(books.calls) == CALLERS
    for answer in answers:
        if answer.status == 402:
            assert_explained(answer, "tenant", limit)


def assert_explained(answer: Answer, scope: str, limit: int) -> None:
    """A refusal tells everything that its reader has to know."""
    error = answer.error
    assert error["code"] == "budget_exhausted"
    details = error["details"]
    assert (details["scope"], details["window"]) == (scope, "month")
    assert parse_usd(details["limit_usd"]) == limit
    spent, held = parse_usd(details["spent_usd"]), parse_usd(details["held_usd"])
    assert spent + held + parse_usd(details["needed_usd"]) > limit >= spent + held
    # From the clock's noon of 2 November to the first of December.
    assert details["resets_in_s"] == pytest.approx(28.5 * 86_400, abs=3600)
    assert int(answer.headers["retry-after"]) == pytest.approx(details["resets_in_s"], abs=1)
    assert details["limit_usd"] in error["message"]
    assert details["spent_usd"] in error["message"]
    assert details["held_usd"] in error["message"]


async def test_where_the_input_is_bounded_by_its_bytes_the_budget_is_used_up_in_the_end(database: Address) -> None:
    """Holds are larger than costs here, so fewer fit at once; what they leave pays for later calls, 40 in all."""
    ask = Ask(ACME_KEY, f"simulated/text-{OUTPUT_TOKENS}", max_tokens=OUTPUT_TOKENS)
    async with open_house(database, house_with(budgets=[], input_price=1)) as house:
        measured = await make(house, replace(ask, key=GLOBEX_KEY))
        cost = parse_usd(measured.headers["x-enfilade-cost-usd"])
        await house.admin().post("/api/v1/budgets", params={"tenant": "acme"}, json=budget("tenant", PAID_FOR * cost))
        await house.parts.directory.refresh()
        at_once = await crowd(house, [replace(ask, model=ask.model + "+slow-1s")] * CALLERS)
        answered = sum(answer.is_answered for answer in at_once)
        assert 0 < answered < PAID_FOR
        while (await make(house, ask)).is_answered:
            answered += 1
        assert answered == PAID_FOR
        books = await balanced_books(house)
        (shown,) = await budgets_of(house)
    assert shown["spent_usd"] == shown["limit_usd"] == format_usd(PAID_FOR * cost)
    assert books.spent == (PAID_FOR + 1) * cost  # And the one of globex that was measured.


@pytest.mark.parametrize("tightest", SCOPES)
async def test_of_five_nested_budgets_the_tightest_decides(database: Address, tightest: str) -> None:
    paid_for = {scope: PAID_FOR + 7 * (index + 1) for index, scope in enumerate(SCOPES)} | {tightest: PAID_FOR}
    budgets = [budget(scope, calls * OUTPUT_NANO) for scope, calls in paid_for.items()]
    async with open_house(database, house_with(budgets=budgets)) as house:
        ask = Ask(ACME_KEY, f"simulated/text-{OUTPUT_TOKENS}+slow-1s", max_tokens=OUTPUT_TOKENS, user=ANA)
        answers = await crowd(house, [ask] * CALLERS)
        books = await balanced_books(house)
        shown = await budgets_of(house)
    assert Counter(answer.status for answer in answers) == {200: PAID_FOR, 402: CALLERS - PAID_FOR}
    for answer in answers:
        if answer.status == 402:
            assert_explained(answer, tightest.partition(":")[0], PAID_FOR * OUTPUT_NANO)
    assert len(shown) == len(SCOPES)
    assert {item["spent_usd"] for item in shown} == {format_usd(PAID_FOR * OUTPUT_NANO)}
    assert {item["held_usd"] for item in shown} == {format_usd(0)}
    assert books.spent == PAID_FOR * OUTPUT_NANO


async def test_nested_budgets_of_callers_that_overlap_all_hold(database: Address) -> None:
    """Two users, two keys and two models share a tenant's budget; each has one of its own beside it."""
    paid_for = {"tenant": 60, "application:copilot": 33, f"user:{ANA}": 25, "key:ana-key": 20}
    budgets = [budget(scope, calls * OUTPUT_NANO) for scope, calls in paid_for.items()]
    model = f"simulated/text-{OUTPUT_TOKENS}+slow-1s"
    budgets.append(budget("user:*", 30 * OUTPUT_NANO, window="day"))
    budgets.append(budget("tenant", 45 * OUTPUT_NANO, model=model))
    async with open_house(database, house_with(budgets=budgets)) as house:
        common = Ask(ACME_KEY, model, max_tokens=OUTPUT_TOKENS)
        kinds = [
            replace(common, user=ANA),
            replace(common, user="ben@acme.example"),
            replace(common, key=ACME_USER_KEY),
            replace(common, key=ACME_USER_KEY, model="simulated/text-20+slow-1500ms"),
            common,
        ]
        answers = await crowd(house, [kinds[number % len(kinds)] for number in range(CALLERS)])
        books = await balanced_books(house)
        shown = await budgets_of(house)
    assert len(shown) == len(budgets)
    for item in shown:
        assert parse_usd(item["held_usd"]) == 0
        for spent in [subject["spent_usd"] for subject in item["subjects"] or []] or [item["spent_usd"]]:
            assert parse_usd(spent) <= parse_usd(item["limit_usd"]), item
    assert {answer.status for answer in answers} == {200, 402}
    assert books.spent == sum(answer.is_answered for answer in answers) * OUTPUT_NANO
    assert books.spent <= paid_for["tenant"] * OUTPUT_NANO
    # Each kind that no other blocks got something, and a single call more would break one of the budgets.
    assert sum(answer.is_answered for answer in answers) in range(45, 61)


BAD_ENDINGS = (
    Ask(ACME_KEY, "simulated/text-20"),
    Ask(ACME_KEY, "simulated/text-20", stream=True),
    Ask(ACME_KEY, "simulated/text-20", "messages", stream=True),
    Ask(ACME_KEY, "simulated/text-20+no-usage", stream=True),
    Ask(ACME_KEY, "simulated/echo", "embeddings"),
    Ask(ACME_KEY, "simulated/fail-500"),
    Ask(ACME_KEY, "simulated/fail-429"),
    Ask(ACME_KEY, "simulated/text-20+fail-503-then-ok"),
    Ask(ACME_KEY, "simulated/text-20+fail-503-then-ok-2", stream=True),
    Ask(ACME_KEY, "simulated/text-20+cut-after-3", stream=True),
    Ask(ACME_KEY, "simulated/text-20+cut-after-3"),
    Ask(ACME_KEY, "simulated/text-20+error-after-2", "messages", stream=True),
    Ask(ACME_KEY, "simulated/hang"),
    Ask(ACME_KEY, "simulated/text-20+hang-after-2", stream=True),
    Ask(ACME_KEY, "simulated/garbage"),
    Ask(ACME_KEY, "simulated/garbage", stream=True),
    Ask(ACME_KEY, "simulated/unreachable"),
    Ask(ACME_KEY, "simulated/text-20+slow-1s", leaves="unanswered"),
    Ask(ACME_KEY, "simulated/text-20+pace-100ms", stream=True, leaves="amid"),
    Ask(ACME_KEY, "simulated/text-20+pace-100ms", "messages", stream=True, leaves="amid"),
)


@pytest.mark.parametrize("action", ["block", "cut"])
async def test_calls_that_fail_hang_or_are_abandoned_spend_no_more_than_the_budget_and_hold_nothing(
    database: Address, action: str
) -> None:
    chance = random.Random(7)
    asks = [replace(ending, max_tokens=chance.randint(5, 20)) for ending in BAD_ENDINGS for _ in range(15)]
    chance.shuffle(asks)
    limit = 100 * OUTPUT_NANO
    options = house_with(
        budgets=[budget("tenant", limit, action=action), budget("application:copilot", limit + 1, action=action)],
        limits=[{"scope": "tenant", "concurrency": 250}, {"scope": "user:*", "concurrency": 3}],
        input_price=1,
    )
    async with open_house(database, options) as house:
        answers = await crowd(house, asks)
        books = await balanced_books(house)
        shown = await budgets_of(house)
        metrics = (await house.client(None).get("/metrics")).text

    statuses = {row["status"] for row in books.calls}
    assert {"ok", "failed", "abandoned", "refused"} <= statuses
    assert 0 < books.spent <= limit
    assert {parse_usd(item["spent_usd"]) for item in shown} == {books.spent}
    assert {parse_usd(item["held_usd"]) for item in shown} == {0}
    assert all(row["overrun_nano"] == 0 for row in books.ledger)
    assert "enfilade_running_calls 0.0\n" in metrics
    answered = {answer.id for answer in answers if answer.is_answered}
    assert answered <= {row["id"] for row in books.calls if row["status"] in {"ok", "cut"}}


async def test_streams_under_a_budget_that_cuts_use_it_up_and_no_more(database: Address) -> None:
    limit = PAID_FOR * OUTPUT_NANO + 12_345
    options = house_with(budgets=[budget("tenant", limit, action="cut")])
    async with open_house(database, options) as house:
        ask = Ask(ACME_KEY, f"simulated/text-{OUTPUT_TOKENS}+slow-1s", stream=True, max_tokens=OUTPUT_TOKENS)
        answers = await crowd(house, [ask] * CALLERS)
        books = await balanced_books(house)
        (shown,) = await budgets_of(house)
    assert Counter(answer.status for answer in answers) == {200: PAID_FOR + 1, 402: CALLERS - PAID_FOR - 1}
    # The last one got the six tokens that 12,345 nano-dollars pay for.
    assert books.spent == PAID_FOR * OUTPUT_NANO + 12_000
    assert shown["held_usd"] == format_usd(0)


async def test_a_call_that_waits_keeps_its_hold_and_no_other_takes_it(database: Address) -> None:
    async with open_house(database, house_with(budgets=[budget("tenant", OUTPUT_NANO)])) as house:
        clock = house.parts.clock
        assert isinstance(clock, ManualClock)
        ask = Ask(ACME_KEY, f"simulated/text-{OUTPUT_TOKENS}+slow-2s", max_tokens=OUTPUT_TOKENS)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(make(house, ask))
            await eventually(lambda: len(house.parts.meter_book.holds) == 1)
            (shown,) = await budgets_of(house)
            assert shown["held_usd"] == format_usd(OUTPUT_NANO)
            refused = await make(house, ask)
            clock.advance(2)
        assert first.result().is_answered
        assert refused.error["details"]["held_usd"] == format_usd(OUTPUT_NANO)
        assert refused.error["details"]["spent_usd"] == format_usd(0)
        again = await make(house, ask)
        assert again.error["details"]["held_usd"] == format_usd(0)
        assert again.error["details"]["spent_usd"] == format_usd(OUTPUT_NANO)
        await quiet(house)


@pytest.mark.parametrize(
    "script", ["hang", "cut-after-3", "garbage", "no-usage", "fail-500", "text-20", "hang-after-2"]
)
@pytest.mark.parametrize(("stream", "choices"), [(False, 1), (False, 3), (True, 1)], ids=["one", "three", "streamed"])
async def test_a_call_for_which_only_a_part_was_left_costs_no_more_than_that_however_it_ends(
    database: Address, script: str, stream: bool, choices: int
) -> None:
    limit = 5 * 2000 + 1_000
    model = f"simulated/text-{OUTPUT_TOKENS}" + ("" if script.startswith("text") else f"+{script}")
    async with open_house(database, house_with(budgets=[budget("tenant", limit, action="cut")])) as house:
        await crowd(house, [Ask(ACME_KEY, model, stream=stream, choices=choices, max_tokens=OUTPUT_TOKENS)])
        books = await balanced_books(house)
    assert books.spent <= limit
    assert [row["overrun_nano"] for row in books.ledger] == [0]


async def test_attempts_after_the_end_of_a_window_are_not_paid_from_the_next(database: Address) -> None:
    """A call's cost belongs to the window in which it began; when that has passed, there is nothing left to take."""
    options = house_with(budgets=[budget("tenant", OUTPUT_NANO, window="minute")])
    assert options.document is not None
    deployments = [{"provider": "sim", "model": name} for name in ("hang", "text-20")]
    price = {"input": 0, "output": 2}
    options.document["models"].append(
        {"name": "two", "deployments": deployments, "strategy": "ordered", "price": price}
    )
    async with open_house(database, options) as house:
        await crowd(house, [Ask(ACME_KEY, "two", max_tokens=OUTPUT_TOKENS)])
        books = await balanced_books(house)
    assert [row["attempts"] for row in books.calls] == [1]
    assert books.spent == OUTPUT_NANO
