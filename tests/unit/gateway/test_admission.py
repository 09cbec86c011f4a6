"""The two ends of a call: a hold that is taken once, and a settlement that is posted once, however the call ends."""

import asyncio

import pytest

from enfilade.core.clock import ManualClock
from enfilade.core.usage import Usage
from enfilade.costs.errors import BudgetExhausted
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.types import Action, BudgetRule, LimitRule, Measure, Subject
from enfilade.dialects.types import ReplyFacts, StreamFacts
from enfilade.gateway.admission import Admission, admit, record_refusal
from enfilade.gateway.outcomes import answered
from enfilade.providers.errors import ProviderTimeout
from enfilade.providers.types import Outgoing
from tests.unit.gateway.parts import Provider, call, desk_of, target

SIZE = call().request.size
INPUT, OUTPUT = 1000, 2000
WORST = SIZE * INPUT + 100 * OUTPUT


def budget(limit: int, action: Action = Action.BLOCK) -> BudgetRule:
    return BudgetRule("budget", "acme", Subject("tenant"), None, "month", limit, (), action)


CONCURRENCY = LimitRule("running", "acme", Subject("tenant"), None, Measure.CONCURRENCY, 5, None)


class Bank:
    """A desk with one budget and one concurrency limit."""

    def __init__(self, limit: int, action: Action = Action.BLOCK) -> None:
        self.clock = ManualClock()
        self.desk, self.writer, self.book = desk_of(self.clock, budget(limit, action), CONCURRENCY)

    @property
    def figures(self) -> tuple[int, int, int]:
        """Held and spent, and how many calls run."""
        meter, running = self.book.find("budget", "acme"), self.book.find("running", "acme")
        assert isinstance(meter, BudgetMeter)
        return meter.held, meter.spent, running.active  # type: ignore[union-attr]


def send(admission: Admission, *, sent: bool = True) -> None:
    """The call has an attempt under way."""
    candidate = admission.candidates[0]
    admission.answered_by = candidate
    admission.in_flight = Outgoing("call-1", admission.call.dialect, admission.call.request, b"", "m", sent=sent)


async def test_an_answered_call_is_settled_once_and_lets_go_of_the_rest() -> None:
    bank = Bank(WORST)
    async with await admit(bank.desk, call(), [target()]) as admission:
        assert bank.figures == (WORST, 0, 1)
        assert "call-1" in bank.writer.intents
        send(admission)
        facts = ReplyFacts(Usage(10, output_tokens=20))
        await admission.settle(answered(admission.call, admission.candidates[0], facts))

    assert bank.figures == (0, 50_000, 0)
    assert [record["cost_nano"] for record in bank.writer.records] == [50_000]
    assert bank.writer.intents == {}


async def test_a_call_whose_usage_cannot_be_told_is_charged_its_worst_case() -> None:
    """Whatever goes wrong on the way: a hold that never ends would lock a budget until the next start."""
    bank = Bank(WORST)
    async with await admit(bank.desk, call(), [target()]) as admission:
        send(admission)
        admission.stream_facts = StreamFacts(usage="nonsense")  # type: ignore[arg-type]

    assert bank.figures == (0, WORST, 0)
    assert [(record["cost_nano"], record["estimated"]) for record in bank.writer.records] == [(WORST, True)]


async def test_settling_twice_is_a_bug_that_shows() -> None:
    bank = Bank(WORST)
    async with await admit(bank.desk, call(), [target()]) as admission:
        outcome = answered(admission.call, admission.candidates[0], ReplyFacts(Usage(1)))
        await admission.settle(outcome)
        with pytest.raises(AssertionError):
            await admission.settle(outcome)

    assert len(bank.writer.records) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(ProviderTimeout("late"), "failed"), (asyncio.CancelledError(), "abandoned"), (KeyError("bug"), "failed")],
)
@pytest.mark.parametrize("stage", ["nothing sent", "connecting", "sent", "streaming"])
async def test_however_a_call_ends_its_hold_ends_with_it(error: BaseException, status: str, stage: str) -> None:
    bank = Bank(WORST)
    with pytest.raises(type(error)):  # noqa: PT012 - leaving the admission is what is tested
        async with await admit(bank.desk, call(), [target()]) as admission:
            if stage != "nothing sent":
                send(admission, sent=stage != "connecting")
            if stage == "streaming":
                admission.stream_facts = StreamFacts(usage=Usage(10), events=3)
            raise error

    expected = {"nothing sent": 0, "connecting": 0, "sent": WORST, "streaming": 16_000}[stage]
    assert bank.figures == (0, expected, 0)
    (record,) = bank.writer.records
    assert (record["status"], record["cost_nano"], record["estimated"]) == (status, expected, expected > 0)


async def test_a_call_that_does_not_fit_by_its_bytes_is_counted_exactly() -> None:
    provider = Provider(exact=3)
    bank = Bank(3 * INPUT + 100 * OUTPUT)

    admission = await admit(bank.desk, call(), [target(provider)])

    assert admission.hold.nano == 3 * INPUT + 100 * OUTPUT


async def test_a_call_that_does_not_fit_is_refused_and_recorded() -> None:
    bank = Bank(WORST - 200_000)
    asked = call()
    with pytest.raises(BudgetExhausted) as refusal:
        await admit(bank.desk, asked, [target()])
    for _ in range(2):
        await record_refusal(bank.desk, asked, refusal.value)

    assert bank.figures == (0, 0, 0)
    assert [(r["status"], r["http_status"], r["cost_nano"]) for r in bank.writer.records] == [("refused", 402, 0)] * 2
    assert [event.type for event in bank.writer.alerts] == ["BudgetExhausted"], "told once in a window"


async def test_a_lost_attempt_stays_charged_beside_the_one_that_answers() -> None:
    bank = Bank(3 * WORST)
    async with await admit(bank.desk, call(), [target()]) as admission:
        admission.charge_lost_attempt(admission.candidates[0])
        assert bank.figures == (2 * WORST, 0, 1)
        send(admission)
        await admission.settle(answered(admission.call, admission.candidates[0], ReplyFacts(Usage(10))))

    assert bank.figures == (0, WORST + 10_000, 0)
    (record,) = bank.writer.records
    assert (record["cost_nano"], record["estimated"], record["overrun_nano"]) == (WORST + 10_000, True, 0)


async def test_without_room_for_another_attempt_the_first_stays_charged() -> None:
    bank = Bank(2 * WORST - 1)
    with pytest.raises(BudgetExhausted):  # noqa: PT012 - leaving the admission is what is tested
        async with await admit(bank.desk, call(), [target()]) as admission:
            send(admission)
            admission.charge_lost_attempt(admission.candidates[0])

    assert bank.figures == (0, WORST, 0)


@pytest.mark.parametrize("left", [SIZE * INPUT + OUTPUT, SIZE * INPUT + 41 * OUTPUT + 7])
@pytest.mark.parametrize("lost", [False, True])
async def test_a_call_that_a_budget_shortens_never_costs_more_than_is_left(left: int, lost: bool) -> None:
    bank = Bank(left, Action.CUT)
    with pytest.raises((ProviderTimeout, BudgetExhausted)):  # noqa: PT012 - leaving the admission is what is tested
        async with await admit(bank.desk, call(), [target()]) as admission:
            assert admission.hold.is_cut
            (candidate,) = admission.candidates
            most = admission.max_output(candidate)
            assert most is not None
            assert candidate.sheet.cost(Usage(candidate.input_bound, output_tokens=most)) <= left
            send(admission)
            if lost:
                admission.charge_lost_attempt(candidate)
            message = "nothing came back"
            raise ProviderTimeout(message)

    held, spent, running = bank.figures
    assert (held, running) == (0, 0)
    assert left - OUTPUT < spent <= left


async def test_a_shortened_call_with_several_choices_has_money_for_a_token_of_each() -> None:
    asked = call(n=4)
    worst_input = asked.request.size * INPUT
    counted = target(Provider(exact=asked.request.size))
    bank = Bank(worst_input + 4 * OUTPUT - 1, Action.CUT)
    with pytest.raises(BudgetExhausted):
        await admit(bank.desk, asked, [counted])

    bank = Bank(worst_input + 11 * OUTPUT, Action.CUT)
    admission = await admit(bank.desk, asked, [counted])

    assert admission.max_output(admission.candidates[0]) == 2
    assert admission.max_events(admission.candidates[0]) == 8


async def test_an_overrun_is_charged_and_shown() -> None:
    bank = Bank(WORST)
    async with await admit(bank.desk, call(), [target()]) as admission:
        send(admission)
        usage = Usage(SIZE, output_tokens=130)
        await admission.settle(answered(admission.call, admission.candidates[0], ReplyFacts(usage)))

    assert bank.figures == (0, WORST + 30 * OUTPUT, 0)
    assert bank.writer.records[0]["overrun_nano"] == 30 * OUTPUT
