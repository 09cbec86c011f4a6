"""Credit notes and credits: what is given back, once, and to the smallest unit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from enfilade.costs.billing.paper import read_paper
from enfilade.costs.billing.types import Profile, Tax
from enfilade.costs.errors import (
    CreditNoteRefused,
    NothingToInvoice,
)
from tests.postgres.costs.bills import (
    DAY,
    LINES,
    NANO,
    OCTOBER,
    clock,
    correct,
    credit,
    declare,
    events,
    grant,
    issue,
    large,
)
from tests.postgres.costs.conftest import Company
from tests.support.parts import NOON, unit_in


async def test_lines_are_credited_once_and_a_full_credit_note_takes_the_rest(billed: Company) -> None:
    for model in ("alpha", "beta"):
        await billed.spend(NANO * 1000, OCTOBER, model=model, **large())
    invoice = await issue(billed)
    some = await credit(billed, invoice, "lines", (1, 4))
    with pytest.raises(CreditNoteRefused, match="Line 4 is credited already"):
        await credit(billed, invoice, "lines", (4,))
    with pytest.raises(CreditNoteRefused, match="Line 9 is none of"):
        await credit(billed, invoice, "lines", (9,))
    rest = await credit(billed, invoice)
    assert await credit(billed, invoice) == rest
    with pytest.raises(CreditNoteRefused, match="credited in full"):
        await credit(billed, invoice, "lines", (2,))
    with pytest.raises(CreditNoteRefused, match="is a credit note"):
        await credit(billed, rest)
    notes = [read_paper(note.body) for note in (some, rest)]
    assert [note.number for note in notes] == ["CN-2026-000001", "CN-2026-000002"]
    for sum_of in ("subtotal", "net", "total"):
        assert sum(Decimal(getattr(note, sum_of)) for note in notes) == Decimal(
            getattr(read_paper(invoice.body), sum_of)
        )
    assert [line.n for note in notes for line in note.lines] == [1, 4, 2, 3]
    assert [event["scope"] for event in await events(billed, "CreditNoteIssued")] == ["lines", "full"]


async def test_an_invoice_that_was_credited_in_full_is_billed_again_from_the_same_entries(billed: Company) -> None:
    call = await billed.spend(NANO, OCTOBER, **LINES)
    first = await issue(billed)
    await correct(billed, call, -1_000_000)
    await credit(billed, first)
    assert await issue(billed) == first
    await declare(billed.parts, billed.tenant, Profile("Acme renamed", taxes=(Tax("VAT", "10"),)))
    again = await issue(billed, again=True)
    old, new = read_paper(first.body), read_paper(again.body)
    assert (again.replaces, new.replaces, again.number) == (first.id, first.number, "INV-2026-000002")
    assert (new.lines, new.usage_usd, new.ledger) == (old.lines, old.usage_usd, old.ledger)
    assert (new.customer.name, new.taxes[0].rate) == ("Acme renamed", "10")
    assert await issue(billed, again=True) == again
    clock(billed).advance(30 * DAY)
    late = read_paper((await issue(billed, "2026-11")).body)
    assert [line.amount for line in late.lines] == ["-0.001000000"]
    assert (late.total, late.lines[0].section) == ("0.00", "earlier")


async def test_corrections_in_the_customers_favour_may_be_credited_at_once(billed: Company) -> None:
    call = await billed.spend(NANO * 1000, OCTOBER, **large())
    invoice = await issue(billed)
    with pytest.raises(CreditNoteRefused, match="Nothing was corrected"):
        await credit(billed, invoice, "late")
    await correct(billed, call, -2_000_000_000)
    note = read_paper((await credit(billed, invoice, "late")).body)
    assert (note.net, note.total, note.lines[0].amount) == ("2.00", "2.40", "2.000000000")
    with pytest.raises(CreditNoteRefused, match="Nothing was corrected"):
        await credit(billed, invoice, "late")
    clock(billed).advance(30 * DAY)
    with pytest.raises(NothingToInvoice):
        await issue(billed, "2026-11")


async def test_credits_are_taken_oldest_first_until_they_expire_and_come_back(billed: Company) -> None:
    await grant(billed, "4", "old")
    await grant(billed, "5", "for November alone", datetime(2026, 12, 1, tzinfo=UTC))
    await grant(billed, "100", "new")
    for at in (OCTOBER, NOON, NOON + timedelta(days=30)):
        await billed.spend(NANO * 1000, at, **large())
    october = await issue(billed)
    clock(billed).advance(60 * DAY)
    taken = {"october": read_paper(october.body)}
    taken["december"] = read_paper((await issue(billed, "2026-12")).body)
    taken["november"] = read_paper((await issue(billed, "2026-11")).body)
    reasons = {month: [(part.reason, part.amount) for part in paper.credits] for month, paper in taken.items()}
    assert reasons == {
        "october": [("old", "4.00"), ("for November alone", "5.00"), ("new", "1.50")],
        "december": [("new", "10.50")],
        "november": [("new", "10.50")],
    }
    assert {paper.total for paper in taken.values()} == {"0.00"}
    await credit(billed, october)
    async with unit_in(billed.parts, billed.tenant) as unit:
        left = {c.reason: c.left_nano for c in await billed.parts.billing.credits.page(unit, None, 10, billed.tenant)}
    assert left == {"old": 4 * 10**9, "for November alone": 5 * 10**9, "new": 79 * 10**9}
    assert (await events(billed, "CreditGranted"))[0]["amount_usd"] == "4.000000000"
