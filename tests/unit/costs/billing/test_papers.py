"""Documents: made from sums, kept as canonical JSON, written as CSV."""

import csv
import io
import json
from decimal import Decimal

import pytest
import rfc8785

from enfilade.core.money import NANO_PER_USD
from enfilade.costs.billing.drafting import negated
from enfilade.costs.billing.paper import read_paper
from enfilade.costs.billing.profiles import number_text
from enfilade.costs.billing.spreadsheet import plain, spreadsheet
from tests.unit.costs.billing.papers import invoice, usage_of


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
def test_lines_and_models_add_up_to_the_exact_sum(currency: str) -> None:
    paper = invoice(currency, ("chat", "other", None))
    exact = Decimal(paper.usage_usd)
    assert exact == Decimal(usage_of(("chat", "other", None)).nano) / NANO_PER_USD
    assert sum(Decimal(line.amount_usd) for line in paper.lines) == exact
    assert [line.n for line in paper.lines] == list(range(1, len(paper.lines) + 1))
    per_usd = Decimal(paper.currency.per_usd)
    # What is shown in another currency is rounded for each line, to nine places; what is owed is not made of it.
    assert abs(sum(Decimal(model.amount) for model in paper.models) - exact * per_usd) < Decimal("1e-8")
    for model in paper.models:
        assert abs(Decimal(model.list_price) + Decimal(model.adjustment) - Decimal(model.amount)) <= Decimal("2e-9")


def test_lines_say_what_they_are() -> None:
    sections = [(line.section, line.period, line.kind, line.per, line.unit_price) for line in invoice().lines]
    assert sections == [
        ("usage", None, "input", 1_000_000, "3.00"),
        ("usage", None, "web_searches", 1, "0.01"),
        ("correction", None, "input", 1_000_000, "3.00"),
        ("usage", None, None, 1, None),
        ("earlier", "2026-10-01", "output", 1_000_000, "15.00"),
    ]


def test_stretches_that_hold_nothing_are_left_out_but_for_the_first() -> None:
    whole = usage_of()
    without = type(whole)(whole.stretches[1:] + whole.stretches, whole.sums[:0], whole.models[-1:]).without_idle()
    assert [stretch.from_xact for stretch in without.stretches] == [5, 0]
    assert without.models[0].stretch == 1


def test_the_stored_form_is_canonical_and_reads_back() -> None:
    paper = invoice("EUR", name='株式会社 \u2028 \\ " \x7f Ωμέγα')
    body = paper.encoded()
    assert read_paper(body) == paper
    assert body.encode() == rfc8785.dumps(json.loads(body))


def test_what_is_credited_turns_its_sign() -> None:
    lines = invoice().lines
    turned = negated(lines)
    assert [Decimal(line.amount) for line in turned] == [-Decimal(line.amount) for line in lines]
    assert negated(turned) == lines


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\t=1", "'\t=1"),
        (" =1", "' =1"),
        ("a=1", "a=1"),
    ],
)
def test_no_name_is_a_formula_in_a_spreadsheet(text: str, safe: str) -> None:
    assert plain(text) == safe


def test_a_spreadsheet_quotes_what_it_must() -> None:
    name = 'a "model", with\nlines'
    rows = list(csv.DictReader(io.StringIO(spreadsheet(invoice(models=(name, "=cmd()"))), newline="")))
    assert {row["model"] for row in rows if row["line"]} == {name, "'=cmd()"}
    assert rows[-1]["section"] == "total"


def test_numbers_have_six_places_and_more_when_they_are_used_up() -> None:
    assert number_text("INV-{year}-{number}", 2026, 7) == "INV-2026-000007"
    assert number_text("{number}.{year}", 2026, 1_234_567) == "1234567.2026"
