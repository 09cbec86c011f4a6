"""Exports of the ledger: they add up to it in every format, hold together, and end when they are left."""

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytest_asyncio

from enfilade.core.clock import ManualClock
from enfilade.core.money import format_usd
from enfilade.core.scope import Scope
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.spend.exports.service import FORMATS, ExportOrder
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.identity.types import ApplicationSpec
from tests.postgres.costs.conftest import Company, make_company
from tests.support.entries import lines, post_call, post_correction
from tests.support.focus_rules import faults
from tests.support.ledger import rows as read
from tests.support.parts import NOON, open_parts, unit_in
from tests.support.postgres import TestServer

NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
DECEMBER_DAY = datetime(2026, 12, 5, tzinfo=UTC)
ALL = [(form.name, table) for form in FORMATS.values() for table in form.tables]
PLATFORM = system_scope("test")
AMOUNT = {"lines": "amount_usd", "daily": "amount_usd", "focus": "BilledCost"}
PROVIDER = {"lines": "provider_usd", "daily": "provider_usd", "focus": "x_ProviderCost"}
FORMULA = '=HYPERLINK("http://x","y"), and a comma'


def order(
    form: str, table: str | None = None, period: tuple[datetime, datetime] = NOVEMBER, **more: Any
) -> ExportOrder:
    return ExportOrder(form, *period, table=table, **more)


async def exported(company: Company, wanted: ExportOrder, scope: Scope = PLATFORM) -> bytes:
    export = await company.parts.exports.open(scope, wanted)
    return b"".join([chunk async for chunk in export.chunks()])


def texts(data: bytes, form: str) -> list[dict[str, str | None]]:
    """A file's rows as texts, whatever its format."""
    if "csv" in form:
        return [{k: v or None for k, v in row.items()} for row in csv.DictReader(io.StringIO(data.decode()))]
    if form == "ndjson":
        found = [json.loads(line) for line in data.splitlines()]
    else:
        found = pq.read_table(io.BytesIO(data)).to_pylist()
    return [{name: _text(value) for name, value in row.items()} for row in found]


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S" + ("Z" if not value.microsecond else ".%fZ"))
    return None if value is None else str(value)


def total(rows: list[dict[str, str | None]], column: str) -> Decimal:
    return sum((Decimal(row[column] or 0) for row in rows), Decimal(0))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spender(server: TestServer) -> AsyncIterator[Company]:
    """A company with everything that the ledger can hold in November, and something in December; nobody changes it."""
    async with server.database() as database, open_parts(database, ManualClock()) as parts:
        company = await make_company(parts)
        await _spend(company)
        await (await make_company(parts, "globex")).spend(9)
        yield company


async def _spend(company: Company) -> None:
    parts, tenant, ids = company.parts, company.tenant, company.ids
    async with unit_in(parts, tenant) as unit:
        lone, _ = await parts.identity.applications.put(unit, ApplicationSpec("lone"))
    own: dict[str, Any] = {
        "department": ids["department:sales"],
        "application": ids["application:copilot"],
        "key": ids["key:copilot-key"],
    }
    every = {kind: (1_000 + 7 * number, 123_457 * 10**number % 10**12 + 1) for number, kind in enumerate(KINDS)}
    await post_call(
        parts, tenant, **lines(**every), **own, price="book/1:m", region="eu", user=ids["user:ana@acme.example"]
    )
    for number in range(5):  # Each rounds its own third of a nano-dollar: the sum is not the product.
        await post_call(parts, tenant, NOON + timedelta(minutes=number), **lines(input=(1, 1_333_333)), **own)
    # A markup, another price for us, and a published price apart from both; a free model with a price; a lump sum.
    await post_call(
        parts, tenant, **lines(input=(999, 7 * 10**9), output=(1, 3)), provider_nano=4_000_001, list_nano=5_000_007
    )
    await post_call(parts, tenant, **lines(input=(10, 0)), list_nano=55, application=lone.id, use_case=FORMULA)
    await post_call(
        parts, tenant, cost_nano=77, estimated=True, flags=["estimated_usage"], deployment=None, provider=None
    )
    lost = {"attempt": 1, "model": "m", "provider": "p", "deployment": "p/m", "tokens": 4, "cost_nano": 6}
    lost |= {"kinds": ["input"], "quantities": [4], "rates": [1_500_000], "amounts": [6]}
    call = await post_call(
        parts, tenant, **lines(output=(3, 10**9)) | {"cost_nano": 3_006}, lost=[lost], lost_nano=6, attempts=2
    )
    await post_correction(parts, tenant, call, -2)
    less: dict[str, Any] = {"kinds": ["output"], "quantities": [-1], "rates": [10**9], "amounts": [-1_000]}
    await post_correction(parts, tenant, call, -1_000, **less)
    await post_correction(parts, tenant, call, 5, posted_at=DECEMBER_DAY, list_nano=0)
    await post_call(parts, tenant, DECEMBER_DAY, cost_nano=10**12)


async def in_ledger(company: Company, tenant: str | None = None) -> Mapping[str, Decimal]:
    statement = """SELECT sum(amount_nano) AS amount, sum(provider_nano) AS provider FROM ledger
                   WHERE started_at >= $1 AND started_at < $2 AND ($3::uuid IS NULL OR tenant_id = $3)"""
    (sums,) = await read(company.parts, statement, *NOVEMBER, tenant)
    return {name: Decimal(format_usd(int(value))) for name, value in dict(sums).items()}


@pytest.mark.asyncio(loop_scope="module")
async def test_every_format_adds_up_to_the_ledger_to_the_last_nano_dollar(spender: Company) -> None:
    everybody, own = await in_ledger(spender), await in_ledger(spender, spender.tenant)
    assert everybody["amount"] != everybody["provider"] > own["provider"] > 0
    for form, table in ALL:
        rows = texts(await exported(spender, order(form, table)), form)
        assert total(rows, AMOUNT[table]) == everybody["amount"], (form, table)
        if table != "focus":  # There the provider's share of a group is rounded.
            assert total(rows, PROVIDER[table]) == everybody["provider"], (form, table)
        if "parquet" not in form:
            rows = texts(await exported(spender, order(form, table, tenant=spender.tenant)), form)
            assert total(rows, AMOUNT[table]) == own["amount"], (form, table)


@pytest.mark.asyncio(loop_scope="module")
async def test_focus_conforms_in_text_and_parquet_by_day_and_hour(spender: Company) -> None:
    rows: list[dict[str, str | None]] = []
    for granularity in ("day", "hour"):
        data = await exported(spender, order("focus_csv", granularity=granularity))
        rows = texts(data, "csv")
        assert faults(data.decode().splitlines()[0].split(","), rows) == []
        packed = await exported(spender, order("focus_parquet", granularity=granularity))
        assert faults(pq.read_schema(io.BytesIO(packed)).names, texts(packed, "parquet")) == []
        assert texts(packed, "parquet") == rows
        assert pq.read_schema(io.BytesIO(packed)).metadata[b"FocusVersion"] == b"1.2"
    categories = {(row["ChargeCategory"], row["ChargeClass"]) for row in rows}
    assert categories == {("Usage", None), ("Adjustment", None), ("Adjustment", "Correction")}
    late = [row for row in rows if row["ChargeClass"]]
    assert [row["BillingPeriodStart"] for row in late] == ["2026-12-01T00:00:00Z"]
    assert [row["ChargePeriodStart"] for row in late] == ["2026-11-02T12:00:00Z"]


@pytest.mark.asyncio(loop_scope="module")
async def test_focus_sums_up_what_is_alike_at_the_prices_that_were_paid(spender: Company) -> None:
    rows = texts(await exported(spender, order("focus_csv", tenant=spender.tenant)), "csv")
    # Five calls of one token at 1.333333 nano-dollars, rounded each: five in the ledger, 6.7 by the price.
    (five,) = [row for row in rows if row["x_LedgerLines"] == "5"]
    assert (five["BilledCost"], five["ContractedCost"]) == ("0.000000005", "0.000000006666665")
    assert (five["ContractedUnitPrice"], five["PricingQuantity"]) == ("0.001333333", "0.000005")
    assert (five["SubAccountName"], five["SubAccountType"]) == ("sales", "Department")
    marked = next(row for row in rows if row["ContractedUnitPrice"] == "7")
    assert (marked["BilledCost"], marked["ListCost"]) == ("0.006993", "0.005000006999999988")
    free = next(row for row in rows if row["ConsumedQuantity"] == "10")
    assert (free["BilledCost"], free["ContractedUnitPrice"], free["ListUnitPrice"]) == ("0", "0", "0.0055")
    assert (free["SubAccountType"], free["SubAccountName"]) == ("Application", "lone")
    assert json.loads(free["Tags"] or "")["enfilade/use_case"] == FORMULA
    kinds = {json.loads(row["SkuPriceDetails"] or "{}").get("x_Kind") for row in rows}
    assert kinds == {*KINDS, "tokens", None}


@pytest.mark.asyncio(loop_scope="module")
async def test_text_that_a_spreadsheet_would_compute_is_guarded_in_csv_alone(spender: Company) -> None:
    rows = texts(await exported(spender, order("csv")), "csv")
    assert {row["use_case"] for row in rows} == {f"'{FORMULA}", None}
    assert "-0.000000002" in {row["amount_usd"] for row in rows}  # A number is no formula.
    assert FORMULA in {row["use_case"] for row in texts(await exported(spender, order("ndjson")), "ndjson")}


@pytest.mark.asyncio(loop_scope="module")
async def test_what_providers_charge_is_the_platforms_business_alone(spender: Company) -> None:
    tenant = tenant_scope(spender.tenant, "test")
    for form, table in (("csv", "lines"), ("csv", "daily"), ("focus_csv", "focus")):
        rows = texts(await exported(spender, order(form, table), tenant), form)
        assert rows
        assert {row[PROVIDER[table]] for row in rows} == {None}, (form, table)
        assert "globex" not in {row.get("tenant") for row in rows}


@pytest.mark.asyncio(loop_scope="module")
async def test_parquet_has_exact_types(spender: Company) -> None:
    schema = pq.read_schema(io.BytesIO(await exported(spender, order("parquet"))))
    assert schema.field("amount_usd").type == pa.decimal128(38, 9)
    assert schema.field("started_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("quantity").type == pa.int64()
    assert schema.field("estimated").type == pa.bool_()
    assert not schema.field("call_id").nullable
