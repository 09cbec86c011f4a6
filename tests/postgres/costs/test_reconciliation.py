"""Exports beside a real ledger: import, comparison, supersession, and bookings that are exact and happen once."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.ids import PLATFORM_ID
from enfilade.costs.errors import NotBookable, UnknownReconciliation
from enfilade.costs.reconciliation.booking import Booked, BookingOrder
from enfilade.costs.reconciliation.reading import ReadingOptions
from enfilade.costs.reconciliation.records import Report
from enfilade.costs.reconciliation.service import Imported
from enfilade.costs.reconciliation.types import Entry, Reading
from enfilade.identity.scopes import system_scope
from tests.postgres.costs.conftest import Company, make_company
from tests.support.ledger import rows
from tests.support.parts import NOON, call_event, new_ids, unit_in

DAY = NOON.date()
UNTIL = DAY + timedelta(days=1)


@dataclass
class Books:
    """Two tenants with calls, and exports beside them."""

    parts: Parts
    acme: Company
    globex: Company
    calls: list[str] = field(default_factory=list)

    async def call(self, company: Company, tokens: int, rate: int = 1_000, at: datetime = NOON, **changes: Any) -> str:
        """A settled call of so many tokens of input, at nano-dollars each."""
        (identifier,) = new_ids(1, at)
        scope = company.scope(changes.pop("application", "copilot"))
        event = json.loads(call_event(company.tenant, identifier, at))
        nano = tokens * rate
        event["data"] |= {
            "department": scope.department,
            "application": scope.application,
            "user": scope.user,
            "key": scope.key,
            "provider": "openai",
            "deployment": "openai/gpt-4o",
            "upstream_model": "gpt-4o-2024-08-06",
            "input_tokens": tokens,
            "output_tokens": 0,
            "kinds": ["input"],
            "quantities": [tokens],
            "rates": [rate * 1_000_000],
            "amounts": [nano],
            "cost_nano": nano,
            "provider_nano": nano,
            "list_nano": nano,
            "flags": [],
        } | changes
        await self.parts.writer.settle(identifier, json.dumps(event))
        self.calls.append(identifier)
        return identifier

    async def keep(self, *entries: Entry, tolerance: int = 0, **options: Any) -> Imported:
        """An export with these sums is imported."""
        days = [entry.day for entry in entries]
        reading = Reading(
            options.pop("start", min(days)),
            options.pop("end", max(days) + timedelta(days=1)),
            ["made here"],
            ["export.json"],
            len(entries),
            places=9,
            entries=list(entries),
        )
        async with unit_in(self.parts) as unit:
            return await self.parts.reconciliations.keep(
                unit, reading, ReadingOptions(provider="openai", **options), tolerance
            )

    async def report(self, identifier: str) -> Report:
        """As it is now."""
        async with unit_in(self.parts) as unit:
            return await self.parts.reconciliations.report(unit, identifier)

    async def book(self, identifier: str, **order: Any) -> Booked:
        """Differences are booked."""
        async with self.parts.storage.unit_of_work(system_scope("test"), alone=False) as unit:
            return await self.parts.bookings.book(unit, identifier, BookingOrder(reason="invoice 7", **order))

    async def corrections(self) -> list[Any]:
        """The ledger's corrections, as they were posted."""
        return await rows(
            self.parts,
            "SELECT tenant_id::text AS tenant, call_id::text AS call, corrects, amount_nano, provider_nano, source, reason, "
            "application_id, started_at FROM ledger WHERE source IS NOT NULL ORDER BY provider_nano, call_id",
        )

    async def facts(self, kind: str) -> list[dict[str, Any]]:
        """What the platform's log says of a kind of event."""
        found = await rows(
            self.parts, "SELECT body FROM events WHERE type = $1 AND tenant_id = $2 ORDER BY seq", kind, PLATFORM_ID
        )
        return [json.loads(row["body"])["data"] for row in found]


@pytest.fixture
async def books(parts: Parts) -> Books:
    """Two tenants."""
    return Books(parts, await make_company(parts), await make_company(parts, "globex"))


def said(tokens: int | None, nano: int | None, model: str = "gpt-4o-2024-08-06", **more: Any) -> Entry:
    """What the export says of a day's input."""
    return Entry(
        more.get("day", DAY), model, more.get("provider", "openai"), more.get("kind", "input"), tokens, nano, 1
    )


async def test_an_export_that_agrees_matches_and_raises_no_alert(books: Books) -> None:
    await books.call(books.acme, 300)
    await books.call(books.globex, 700)
    await books.call(books.acme, 50, provider="other", deployment="other/gpt-4o")
    await books.call(books.acme, 50, cached=True)
    imported = await books.keep(said(1000, 1_000_000))
    (group,) = imported.report.groups
    assert (group.entries, group.verdict.difference_nano, group.verdict.matches) == (2, 0, True)
    assert await books.facts("ReconciliationDifference") == []
    (told,) = await books.facts("CostExportImported")
    assert (told["provider"], told["from"], told["to"], told["total_usd"]) == (
        *("openai", "2026-11-02", "2026-11-02"),
        "0.001000000",
    )


async def test_days_are_the_providers_in_utc(books: Books) -> None:
    before, after = datetime(2026, 11, 2, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)
    await books.call(books.acme, 1, at=before)
    await books.call(books.acme, 10, at=after)
    imported = await books.keep(said(1, 1_000), said(10, 10_000, day=after.date()))
    assert [group.verdict.matches for group in imported.report.groups] == [True, True]


async def test_differences_are_told_by_cause(books: Books) -> None:
    await books.call(books.acme, 1000)
    await books.call(books.acme, 400, deployment="openai/gpt-5", upstream_model="gpt-5", estimated=True)
    await books.call(books.acme, 70, deployment="openai/o3", upstream_model=None)
    imported = await books.keep(
        said(1000, 1_100_000), said(300, 300_000, model="gpt-5"), said(9, 9_000, model="whisper-1")
    )
    report = imported.report
    assert report.by_cause() == {
        "missing_here": 9_000,
        "missing_there": -70_000,
        "price": 100_000,
        "estimate": -100_000,
    }
    assert sum(report.by_cause().values()) == sum(group.verdict.difference_nano for group in report.groups)
    (alert,) = await books.facts("ReconciliationDifference")
    assert alert["groups"] == 4
    assert alert["causes"]["price"] == "0.000100000"
    assert alert["difference_usd"] == "-0.000061000"


async def test_a_discount_of_ours_is_divided_among_the_kinds(books: Books) -> None:
    kinds: dict[str, Any] = {
        "kinds": ["input", "output"],
        "quantities": [100, 10],
        "rates": [1_000_000_000, 3_000_000_000],
    }
    await books.call(books.acme, 110, amounts=[100_000, 30_000], cost_nano=130_000, provider_nano=65_000, **kinds)
    imported = await books.keep(said(100, 50_000), said(10, 15_000, kind="output"))
    (group,) = imported.report.groups
    assert group.verdict.matches
    assert [part.here.nano for part in group.verdict.kinds] == [50_000, 15_000]


async def test_lost_attempts_count_as_their_own_deployments(books: Books) -> None:
    lost = {
        "attempt": 1,
        "model": "chat",
        "provider": "openai",
        "deployment": "openai/gpt-5",
        "tokens": 10,
        "kinds": ["input"],
        "quantities": [10],
        "rates": [1_000_000_000],
        "amounts": [10_000],
        "cost_nano": 10_000,
    }
    await books.call(books.acme, 100, cost_nano=110_000, provider_nano=100_000, lost=[lost], lost_nano=10_000)
    report = (await books.keep(said(100, 100_000), said(8, 8_000, model="gpt-5"))).report
    assert {group.model: group.verdict.causes for group in report.groups} == {
        "gpt-5": {"estimate": -2_000},
        "gpt-4o-2024-08-06": {},
    }


async def test_the_same_export_twice_changes_nothing(books: Books) -> None:
    await books.call(books.acme, 1000)
    first = await books.keep(said(1000, 1_100_000))
    again = await books.keep(said(1000, 1_100_000))
    assert (first.is_new, again.is_new) == (True, False)
    assert again.report.record == first.report.record
    assert len(await rows(books.parts, "SELECT FROM reconciliations")) == 1
    assert len(await rows(books.parts, "SELECT FROM reconciliation_items")) == 1
    assert len(await books.facts("CostExportImported")) == 1
    assert len(await books.facts("ReconciliationDifference")) == 1


async def test_a_newer_export_takes_the_place_of_those_within_its_period(books: Books) -> None:
    await books.call(books.acme, 1000)
    old = await books.keep(said(900, 900_000))
    other = await books.keep(said(1, 1, day=DAY - timedelta(days=40)))
    new = await books.keep(said(1000, 1_000_000), start=date(2026, 11, 1), end=date(2026, 12, 1))
    assert new.superseded == [old.report.record.id]
    kept = (await books.report(old.report.record.id)).record
    assert kept.superseded_by == new.report.record.id
    assert (await books.report(other.report.record.id)).record.superseded_by is None
    with pytest.raises(NotBookable, match=f"took its place: {new.report.record.id}"):
        await books.book(old.report.record.id)


async def test_a_difference_is_divided_among_those_whose_calls_it_concerns(books: Books) -> None:
    dear = await books.call(books.acme, 200)
    await books.call(books.acme, 100)
    other = await books.call(books.acme, 300, application="review")
    theirs = await books.call(books.globex, 400)
    imported = await books.keep(said(1000, 1_000_007))
    booked = await books.book(imported.report.record.id)
    assert (booked.provider_nano, booked.amount_nano, booked.corrections, booked.differences) == (7, 0, 3, 1)
    assert booked.tenants == {books.acme.tenant: 4, books.globex.tenant: 3}
    found = await books.corrections()
    assert {row["call"]: row["provider_nano"] for row in found} == {dear: 2, other: 2, theirs: 3}
    assert {row["amount_nano"] for row in found} == {0}
    assert {row["reason"] for row in found} == {"price: invoice 7"}
    assert {row["source"] for row in found} == {f"reconciliation:{imported.report.record.id}"}
    assert {row["corrects"] for row in found} == {0}
    assert {row["started_at"] for row in found} == {NOON}


async def test_what_is_booked_once_is_not_booked_again(books: Books) -> None:
    await books.call(books.acme, 1000)
    identifier = (await books.keep(said(1200, 1_440_000))).report.record.id
    first = await books.book(identifier, causes=["quantity"])
    assert first.provider_nano == 240_000
    again = await books.book(identifier, causes=["quantity"])
    assert (again.provider_nano, again.corrections, again.differences) == (0, 0, 0)
    rest = await books.book(identifier)
    assert rest.provider_nano == 200_000
    assert (await books.book(identifier)).corrections == 0
    report = await books.report(identifier)
    assert report.by_cause() == {"price": 200_000, "quantity": 240_000}
    assert sum(report.booked.values()) == 440_000
    total = await rows(books.parts, "SELECT sum(provider_nano)::bigint AS nano FROM ledger")
    assert total[0]["nano"] == 1_440_000


async def test_two_bookings_at_once_book_once(books: Books) -> None:
    await books.call(books.acme, 1000)
    identifier = (await books.keep(said(1000, 1_500_000))).report.record.id
    outcomes = await asyncio.gather(*(books.book(identifier) for _ in range(4)))
    assert sorted(booked.provider_nano for booked in outcomes) == [0, 0, 0, 500_000]


async def test_a_later_export_of_a_booked_period_finds_it_booked(books: Books) -> None:
    await books.call(books.acme, 1000)
    await books.call(
        books.globex, 500, kinds=["input", "output"], quantities=[400, 100], rates=[1, 1], amounts=[400_000, 100_000]
    )
    first = await books.keep(said(1400, 1_700_000), said(100, 100_000, kind="output"))
    await books.book(first.report.record.id)
    final = await books.keep(said(1400, 1_700_000), said(100, 100_000, kind="output"), end=UNTIL + timedelta(days=3))
    assert [group.verdict.matches for group in final.report.groups] == [True]
    assert (await books.book(final.report.record.id)).corrections == 0


async def test_tenants_are_charged_on_request_and_on_the_terms_of_their_calls(books: Books) -> None:
    await books.call(books.acme, 1000, cost_nano=1_200_000, amounts=[1_200_000])
    await books.call(books.globex, 1000)
    identifier = (await books.keep(said(2000, 2_200_000))).report.record.id
    booked = await books.book(identifier, bill=True)
    assert (booked.provider_nano, booked.amount_nano) == (200_000, 220_000)
    charged = {row["tenant"]: row["amount_nano"] for row in await books.corrections()}
    assert charged == {books.acme.tenant: 120_000, books.globex.tenant: 100_000}


async def test_what_no_call_stands_behind_is_left_unless_a_tenant_is_named(books: Books) -> None:
    await books.call(books.acme, 1000)
    identifier = (await books.keep(said(1000, 1_000_000), said(9, 9_000, model="whisper-1"))).report.record.id
    booked = await books.book(identifier)
    assert [(group.model, cause, nano) for group, cause, nano in booked.left] == [("whisper-1", "missing_here", 9_000)]
    assert (await books.corrections()) == []
    named = await books.book(identifier, tenant=books.globex.tenant)
    assert (named.tenants, named.left) == ({books.globex.tenant: 9_000}, [])
    (entry,) = await rows(books.parts, "SELECT * FROM ledger WHERE source IS NOT NULL")
    assert (entry["model"], entry["deployment"], entry["corrects"]) == ("whisper-1", "openai/whisper-1", None)
    assert (await books.book(identifier, tenant=books.globex.tenant)).corrections == 0


async def test_what_is_missing_there_is_taken_back(books: Books) -> None:
    await books.call(books.acme, 1000)
    await books.call(books.acme, 3, deployment="openai/gpt-5", upstream_model="gpt-5")
    identifier = (await books.keep(said(1000, 1_000_000))).report.record.id
    assert (await books.book(identifier)).provider_nano == -3_000
    (entry,) = await books.corrections()
    assert (entry["provider_nano"], entry["reason"]) == (-3_000, "missing_there: invoice 7")


async def test_quantities_alone_are_compared_and_not_booked(books: Books) -> None:
    await books.call(books.acme, 1000)
    imported = await books.keep(said(1100, None))
    (group,) = imported.report.groups
    assert (group.verdict.is_valued, group.verdict.causes) == (True, {"quantity": 100_000})
    with pytest.raises(NotBookable, match="counts and does not price"):
        await books.book(imported.report.record.id)


async def test_a_tolerance_keeps_small_differences_quiet(books: Books) -> None:
    await books.call(books.acme, 1000)
    imported = await books.keep(said(1000, 1_000_500), tolerance=1_000)
    assert imported.report.differing == []
    assert imported.report.by_cause() == {"price": 500}
    assert await books.facts("ReconciliationDifference") == []
    assert (await books.book(imported.report.record.id)).corrections == 0
    assert (await books.book(imported.report.record.id, causes=["price"])).provider_nano == 500


async def test_every_booking_stands_in_the_logs(books: Books) -> None:
    await books.call(books.acme, 1000)
    identifier = (await books.keep(said(1000, 1_500_000))).report.record.id
    await books.book(identifier)
    (told,) = await books.facts("ReconciliationBooked")
    assert (told["reconciliation"], told["provider_usd"], told["corrections"]) == (identifier, "0.000500000", 1)
    corrected = await rows(books.parts, "SELECT tenant_id::text AS tenant FROM events WHERE type = 'LedgerCorrected'")
    assert [row["tenant"] for row in corrected] == [books.acme.tenant]


async def test_an_unknown_reconciliation_is_not_found(books: Books) -> None:
    with pytest.raises(UnknownReconciliation):
        await books.report("00000000-0000-7000-8000-000000000000")
