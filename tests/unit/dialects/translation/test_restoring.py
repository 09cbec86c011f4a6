"""An answer as the caller's question was put: whole and as it arrives, the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Completion, Finish, Part, Reasoning, Sealed, Text, ToolCall
from enfilade.dialects.collecting import Collector
from enfilade.dialects.seals import MARK, carried, envelope, opened
from enfilade.dialects.translation.restoring import Restorer, restore
from enfilade.dialects.translation.types import Memo

CASES: list[tuple[Memo, Part, Finish, Part, Finish]] = [
    (Memo("mine"), Text("hi"), Finish.STOP, Text("hi"), Finish.STOP),
    (Memo("mine"), ToolCall("a", "f", "{}"), Finish.STOP, ToolCall("a", "f", "{}"), Finish.TOOL_CALLS),
    (
        Memo("mine", names={"t_f": "the f"}),
        ToolCall("a", "t_f", '{"x":1}'),
        Finish.TOOL_CALLS,
        ToolCall("a", "the f", '{"x":1}'),
        Finish.TOOL_CALLS,
    ),
    (
        Memo("mine", custom={"sql"}),
        ToolCall("a", "sql", '{"input":"SELECT \\"1\\""}'),
        Finish.TOOL_CALLS,
        ToolCall("a", "sql", 'SELECT "1"', custom=True),
        Finish.TOOL_CALLS,
    ),
    (
        Memo("mine", custom={"sql"}),
        ToolCall("a", "sql", "no json"),
        Finish.TOOL_CALLS,
        ToolCall("a", "sql", "no json", custom=True),
        Finish.TOOL_CALLS,
    ),
    (
        Memo("mine", forced="json_answer"),
        ToolCall("a", "json_answer", '{"n":1}'),
        Finish.TOOL_CALLS,
        Text('{"n":1}'),
        Finish.STOP,
    ),
    (
        Memo("mine", forced="json_answer", wrapped=True),
        ToolCall("a", "json_answer", '{"value":[1,2]}'),
        Finish.TOOL_CALLS,
        Text("[1,2]"),
        Finish.STOP,
    ),
    (
        Memo("mine", forced="json_answer", wrapped=True),
        ToolCall("a", "json_answer", '{"value":[1,'),
        Finish.LENGTH,
        Text('{"value":[1,'),
        Finish.LENGTH,
    ),
    (
        Memo("mine", forced="json_answer"),
        ToolCall("a", "weather", "{}"),
        Finish.TOOL_CALLS,
        ToolCall("a", "weather", "{}"),
        Finish.TOOL_CALLS,
    ),
    (
        Memo("mine"),
        Reasoning("hm", Sealed("other", "s")),
        Finish.STOP,
        Reasoning("hm", Sealed("mine", envelope(Sealed("other", "s")))),
        Finish.STOP,
    ),
]


@pytest.mark.parametrize(("memo", "part", "finish", "expected", "ended"), CASES)
@pytest.mark.parametrize("closed", [True, False])
def test_an_answer_is_restored_alike_whole_and_streamed(
    memo: Memo, part: Part, finish: Finish, expected: Part, ended: Finish, closed: bool
) -> None:
    whole = restore(Completion("i", "m", 0, (part,), finish, None), memo)
    assert (whole.parts, whole.finish) == ((expected,), ended)
    if isinstance(part, Reasoning) and not closed:
        return  # A seal comes with the part's end.
    collector = Collector()
    collector.take(Restorer(memo).restore(arriving(part, finish, closed=closed)))
    assert collector.completion() == whole


def arriving(part: Part, finish: Finish, *, closed: bool) -> list[Happening]:
    """The part in pieces of three characters."""
    last: Part | None = None
    empty: Part
    if isinstance(part, ToolCall):
        text, empty = part.arguments, ToolCall(part.id, part.name, "")
    elif isinstance(part, Reasoning):
        text, empty, last = part.text, Reasoning(), Reasoning(seal=part.seal)
    else:
        assert isinstance(part, Text)
        text, empty = part.text, Text("")
    pieces = [PartGrew(0, text[start : start + 3]) for start in range(0, len(text), 3)]
    end: list[Happening] = [PartEnded(0, last)] if closed else []
    return [Began("i", "m"), PartBegan(0, empty), *pieces, *end, Ended(finish)]


@given(st.text(), st.text())
def test_an_envelope_is_opened_as_it_was_closed_also_in_the_alphabet_of_addresses(origin: str, value: str) -> None:
    seal = Sealed(origin, value)
    text = envelope(seal)
    assert text.startswith(MARK)
    assert opened(text, "mine") == seal
    assert opened(text.replace("+", "-").replace("/", "_").rstrip("="), "mine") == seal
    assert carried(seal, origin) == seal


def test_a_damaged_envelope_is_no_seal() -> None:
    assert opened("c2ln", "mine") == Sealed("mine", "c2ln")
    for damaged in (MARK, MARK + "!", MARK + "AAAA", MARK + "x"):
        assert opened(damaged, "mine") is None
