"""Tables of usage: whatever is reported comes to a usage, to none, or to one that is not plausible."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.usage import MAX_TOKENS, Usage
from enfilade.costs.prices.kinds import INPUT_KINDS, OUTPUT_KINDS
from enfilade.dialects.bedrock.usage import CONVERSE, CONVERSE_OPENAI, INVOKED
from enfilade.dialects.gemini.usage import EMBED, GENERATE
from enfilade.dialects.members.anthropic_messages.usage import MESSAGES
from enfilade.dialects.members.openai_responses.usage import RESPONSES
from enfilade.dialects.openai.usage import CHAT, EMBEDDINGS
from enfilade.dialects.usage import IMPOSSIBLE, Table
from tests.support.properties import examples

TABLES = {
    "openai_chat": CHAT,
    "openai_embeddings": EMBEDDINGS,
    "openai_responses": RESPONSES,
    "anthropic_messages": MESSAGES,
    "gemini_generate": GENERATE,
    "gemini_embed": EMBED,
    "bedrock_converse": CONVERSE,
    "bedrock_converse of OpenAI's models": CONVERSE_OPENAI,
    "bedrock embeddings": INVOKED,
}
TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
FAULTS: dict[str, Any] = {
    "negative": -1,
    "fractional": 0.5,
    "a text": "12",
    "an empty text": "",
    "a truth value": True,
    "no truth": False,
    "a list": [12],
    "an object": {"value": 12},
    "absurd": MAX_TOKENS + 1,
    "beyond all integers": 10**40,
    "minus zero point five": -0.5,
}
RAW_FAULTS = {"beyond all floats": b"1e999", "NaN": b"NaN", "infinite": b"Infinity", "cut": b'{"'}


def report_of(table: Table, figures: dict[str, Any]) -> dict[str, Any]:
    """A report with these figures at the paths of the table's rows."""
    report: dict[str, Any] = {}
    for row in table.rows:
        if row.field not in figures:
            continue
        if row.place in table.lists:
            key, figure = table.lists[row.place]
            report.setdefault(row.place, []).append({key: row.name, figure: figures[row.field]})
        else:
            group = report.setdefault(row.place, {}) if row.place else report
            group[row.name] = figures[row.field]
    return report


def read(table: Table, figures: dict[str, Any]) -> Usage | None:
    return table.read(json.dumps(report_of(table, figures)).encode())


def totals(table: Table) -> dict[str, Any]:
    return dict.fromkeys((*table.inputs, *table.outputs), 1000)


@TABLE
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_any_figure_that_cannot_be_true_makes_the_usage_implausible(table: Table, fault: Any) -> None:
    for row in table.rows:
        usage = read(table, totals(table) | {row.field: fault})
        assert usage is not None, row
        assert not usage.is_plausible(), row


@TABLE
@pytest.mark.parametrize("fault", RAW_FAULTS.values(), ids=RAW_FAULTS)
def test_what_is_no_figure_of_json_makes_the_usage_implausible(table: Table, fault: bytes) -> None:
    for row in table.rows:
        report = json.dumps(report_of(table, totals(table) | {row.field: "here"})).encode()
        usage = table.read(report.replace(b'"here"', fault))
        assert usage is not None, row
        assert not usage.is_plausible(), row


@TABLE
@pytest.mark.parametrize("report", [b"12", b'"much"', b"true", b"[1]", b'[{"input_tokens":1}]', b"{", b"\xff"])
def test_what_is_no_report_is_impossible(table: Table, report: bytes) -> None:
    assert table.read(report) == IMPOSSIBLE
    assert not IMPOSSIBLE.is_plausible()


@TABLE
@pytest.mark.parametrize("report", [b"", b"null", b"{}", b"[]", b'{"unheard_of":7}'])
def test_what_reports_nothing_is_missing(table: Table, report: bytes) -> None:
    assert table.read(report) is None


@TABLE
def test_a_total_that_is_null_is_missing(table: Table) -> None:
    assert read(table, dict.fromkeys(table.inputs) | dict.fromkeys(table.outputs, 1)) is None
    if table.needs_output:
        assert read(table, dict.fromkeys(table.inputs, 1) | dict.fromkeys(table.outputs)) is None
    else:
        assert read(table, dict.fromkeys(table.inputs, 1) | dict.fromkeys(table.outputs)) is not None


@TABLE
def test_parts_that_are_null_or_empty_are_nothing(table: Table) -> None:
    plain = read(table, totals(table))
    places = {row.place for row in table.rows if row.place}
    nothings: tuple[Any, ...] = (None, {}, [])
    for nothing in nothings:
        report = report_of(table, totals(table)) | dict.fromkeys(places, nothing)
        assert table.read(json.dumps(report).encode()) == plain
    parts = {row.field: None for row in table.rows if row.field not in totals(table)}
    assert read(table, totals(table) | parts) == plain


@TABLE
def test_whole_numbers_may_be_written_as_floats(table: Table) -> None:
    written = dict.fromkeys(totals(table), 1000.0)
    assert read(table, written) == read(table, totals(table))


@pytest.mark.parametrize(
    ("table", "figures"),
    [
        (CHAT, {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details.cached_tokens": 11}),
        (CHAT, {"prompt_tokens": 10, "completion_tokens": 1, "completion_tokens_details.reasoning_tokens": 2}),
        (CHAT, {"prompt_tokens": 10, "completion_tokens": 1, "prompt_cache_hit_tokens": 11}),
        (CHAT, {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details.audio_tokens": 11}),
        (RESPONSES, {"input_tokens": 10, "output_tokens": 1, "input_tokens_details.cached_tokens": 11}),
        (RESPONSES, {"input_tokens": 10, "output_tokens": 1, "output_tokens_details.reasoning_tokens": 2}),
        (MESSAGES, {"input_tokens": 10, "output_tokens": 1, "output_tokens_details.thinking_tokens": 2}),
        (GENERATE, {"promptTokenCount": 10, "cachedContentTokenCount": 11}),
        (GENERATE, {"promptTokenCount": 10, "promptTokensDetails[AUDIO]": 11}),
        (GENERATE, {"promptTokenCount": 10, "candidatesTokenCount": 1, "candidatesTokensDetails[IMAGE]": 2}),
        (EMBED, {"promptTokenCount": 10, "promptTokenDetails[IMAGE]": 11}),
    ],
)
def test_a_part_larger_than_its_total_is_impossible(table: Table, figures: dict[str, int]) -> None:
    usage = read(table, figures)
    assert usage is not None
    assert not usage.is_plausible()


def test_cached_media_are_told_apart_when_parts_overlap() -> None:
    figures = {"prompt_tokens": 100, "completion_tokens": 1}
    parts = {"prompt_tokens_details.cached_tokens": 90, "prompt_tokens_details.image_tokens": 60}
    usage = read(CHAT, figures | parts)
    assert usage == Usage(100, 40, output_tokens=1, image_input_tokens=10, cached_image_input_tokens=50)


def test_a_total_beyond_both_parts_is_reasoning_and_one_below_is_nothing() -> None:
    figures = {"prompt_tokens": 35, "completion_tokens": 12}
    for total, expected in ((109, Usage(35, output_tokens=74, reasoning_tokens=62)), (40, Usage(35, output_tokens=12))):
        assert CHAT.read(json.dumps(figures | {"total_tokens": total}).encode()) == expected
    wrong: tuple[Any, ...] = (-1, "109", 10**30, 47.5)
    for total in wrong:
        usage = CHAT.read(json.dumps(figures | {"total_tokens": total}).encode())
        assert usage is not None
        assert not usage.is_plausible()


@pytest.mark.parametrize(
    "iterations", [7, "many", [7], {"type": "compaction"}, [{"type": "compaction", "input_tokens": -7}]]
)
def test_further_reports_that_cannot_be_read_are_impossible(iterations: Any) -> None:
    report = {"input_tokens": 1, "output_tokens": 1, "iterations": iterations}
    assert MESSAGES.usage(report) == IMPOSSIBLE


FIGURES = st.integers(0, 40) | st.sampled_from([0, 0, None, MAX_TOKENS])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**12) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def reports(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> tuple[Table, dict[str, Any]]:
    table = draw(st.sampled_from(list(TABLES.values())))
    figures = {row.field: draw(values) for row in table.rows if row.field in totals(table) or draw(st.booleans())}
    report = report_of(table, figures)
    if table.total is not None and draw(st.booleans()):
        report[table.total] = draw(values)
    return table, report


@examples(120)
@given(reports(FIGURES))
def test_kinds_are_disjoint_add_up_and_are_never_negative(given_report: tuple[Table, dict[str, Any]]) -> None:
    table, report = given_report
    usage = table.read(json.dumps(report).encode())
    if usage is None or not usage.is_plausible():
        return
    quantities = usage.quantities()
    assert all(quantity > 0 for _, quantity in quantities)
    assert len({number for number, _ in quantities}) == len(quantities)
    for numbers, total in ((INPUT_KINDS, usage.input_tokens), (OUTPUT_KINDS, usage.output_tokens)):
        assert sum(quantity for number, quantity in quantities if number in numbers) == total


@examples(120)
@given(reports(FIGURES | JUNK))
def test_the_quick_way_of_reading_says_what_the_careful_one_says(given_report: tuple[Table, dict[str, Any]]) -> None:
    table, report = given_report
    quick = table.quick.read(json.dumps(report).encode())
    careful = table.usage(json.loads(json.dumps(report)))
    if quick is not None and (quick.is_plausible() or (careful is not None and careful.is_plausible())):
        assert quick == careful
    if quick is not None and not quick.is_plausible():
        assert careful is not None
        assert not careful.is_plausible()


@examples(80)
@given(st.sampled_from(list(TABLES.values())), JUNK | st.dictionaries(st.sampled_from(["usage", "input_tokens"]), JUNK))
def test_nothing_raises(table: Table, report: Any) -> None:
    for usage in (table.usage(report), table.read(json.dumps(report).encode())):
        assert usage is None or isinstance(usage, Usage)


@examples(80)
@given(st.sampled_from(list(TABLES.values())), st.binary(max_size=40))
def test_no_bytes_raise(table: Table, raw: bytes) -> None:
    usage = table.read(raw)
    assert usage is None or isinstance(usage, Usage)
