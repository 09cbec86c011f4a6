"""Billing over HTTP: who may, in which forms, and what is said when it cannot be."""

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from enfilade.api.admin.billing import PaperView
from enfilade.cli.root import ROOT as CLI
from enfilade.core.clock import ManualClock
from tests.support.house import House, HouseOptions, open_house
from tests.support.postgres import TestServer
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_AUDITOR_KEY, ACME_KEY, GLOBEX_ADMIN_KEY, OWNER_KEY, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

MONTH = 30 * 86_400.0
ASKED = {"model": "chat", "messages": [{"role": "user", "content": "Good morning, and then some"}], "max_tokens": 50}


def document() -> dict[str, Any]:
    content = world()
    content["issuer"] = {"name": "The operator", "address": ["Main Street 1"], "payment": ["IBAN AT00"]}
    content["tenants"][0]["billing"] = {
        "name": "Acme & #panic() Söhne",
        "taxes": [{"name": "VAT", "rate": 20}, {"name": "Levy", "rate": "1.125"}],
        "reference": "PO 4711",
    }
    return content


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def billed(server: TestServer) -> AsyncIterator[House]:
    """A house in which both tenants called in November, and it is December."""
    clock = ManualClock()
    async with (
        server.database() as database,
        open_house(database, HouseOptions(clock=clock, document=document())) as house,
    ):
        for _ in range(3):
            assert (await house.client(ACME_KEY).post("/v1/chat/completions", json=ASKED)).status_code == 200
        clock.advance(MONTH)
        # What was posted counts when every older transaction has ended.
        await eventually(lambda: _counted(house, 3))
        yield house


async def _counted(house: House, calls: int) -> bool:
    reply = await house.admin().get("/api/v1/invoices/preview", params={"tenant": "acme"})
    return bool(reply.json()["calls"] == calls)


async def issued(house: House, **more: Any) -> dict[str, Any]:
    reply = await house.admin().post("/api/v1/invoices", json={"tenant": "acme"} | more)
    assert reply.status_code in {200, 201}, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def test_the_platform_issues_and_the_tenant_reads(billed: House) -> None:
    invoice = await issued(billed)
    assert await issued(billed, period="2026-11") == invoice
    for key in (ACME_ADMIN_KEY, ACME_AUDITOR_KEY):
        client = billed.admin(key)
        assert invoice in (await client.get("/api/v1/invoices")).json()["items"]
        reply = await client.get(f"/api/v1/invoices/{invoice['number']}")
        assert hashlib.sha256(reply.content).hexdigest() == invoice["sha256"] == reply.headers["etag"].strip('"')
        paper = PaperView.model_validate(reply.json())
        assert (paper.customer.name, paper.reference, paper.total) == (
            "Acme & #panic() Söhne",
            "PO 4711",
            invoice["total"],
        )
        refused = await client.post("/api/v1/invoices", json={"tenant": "acme"})
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_missing")


@pytest.mark.parametrize("part", ["", "/credit-notes"])
async def test_another_tenants_invoice_does_not_exist(billed: House, part: str) -> None:
    invoice = await issued(billed)
    for name in (invoice["number"], invoice["id"], "INV-1999-000001"):
        reply = await billed.admin(GLOBEX_ADMIN_KEY).get(f"/api/v1/invoices/{name}{part}")
        assert (reply.status_code, reply.json()["code"]) == (404, "invoice_not_found")
    assert (await billed.admin(GLOBEX_ADMIN_KEY).get("/api/v1/invoices")).json()["items"] == []


async def test_the_pdf_is_one_and_always_the_same(billed: House) -> None:
    invoice = await issued(billed)
    replies = [
        await billed.admin(ACME_ADMIN_KEY).get(f"/api/v1/invoices/{invoice['number']}", params={"format": "pdf"})
        for _ in range(2)
    ]
    assert replies[0].headers["content-type"] == "application/pdf"
    assert replies[0].headers["content-disposition"] == f'attachment; filename="{invoice["number"]}.pdf"'
    assert replies[0].content.startswith(b"%PDF-")
    assert replies[0].content == replies[1].content


async def test_the_csv_has_every_line_and_every_sum(billed: House) -> None:
    invoice = await issued(billed)
    path = f"/api/v1/invoices/{invoice['number']}"
    paper = (await billed.admin().get(path)).json()
    rows = list(csv.DictReader(io.StringIO((await billed.admin().get(path, params={"format": "csv"})).text)))
    assert [row["amount_usd"] for row in rows if row["line"]] == [line["amount_usd"] for line in paper["lines"]]
    sums = {row["section"]: row["amount"] for row in rows if not row["line"]}
    assert sums == {"subtotal": "0.00", "net": "0.00", "tax": "0.00", "total": "0.00"}


async def test_a_statement_is_made_of_any_days_in_every_form(billed: House) -> None:
    client = billed.admin(ACME_ADMIN_KEY)
    reply = await client.get("/api/v1/statements", params={"period": "2026-Q4", "department": "sales"})
    paper = PaperView.model_validate(reply.json())
    assert (paper.calls, paper.is_provisional, paper.subject, paper.number) == (3, True, "department:sales", None)
    spend = (await client.get("/api/v1/spend", params={"from": "2026-11-01", "to": "2026-11-30"})).json()
    assert paper.usage_usd == spend["total_usd"]
    forms = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}
    for form, media_type in forms.items():
        made = await client.get("/api/v1/statements", params={"from": "2026-11-01", "to": "2026-11-02", "format": form})
        assert (made.status_code, made.headers["content-type"]) == (200, media_type)
    euro = {"currency": "EUR", "rate": "0.5", "rate_date": "2026-11-30"}
    in_euro = (await client.get("/api/v1/statements", params={"period": "2026-11"} | euro)).json()
    assert (in_euro["currency"]["code"], in_euro["usage_usd"]) == ("EUR", paper.usage_usd)


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("POST", "/invoices", {"json": {"tenant": "acme", "period": "2026-12"}}, 409, "period_not_over"),
        ("POST", "/invoices", {"json": {"tenant": "acme", "period": "2026-Q3"}}, 409, "nothing_to_invoice"),
        ("POST", "/invoices", {"json": {"tenant": "globex"}}, 409, "billing_profile_missing"),
        ("POST", "/invoices", {"json": {"tenant": "nobody"}}, 404, "tenant_not_found"),
        ("POST", "/invoices", {"json": {"tenant": "platform"}}, 404, "tenant_not_found"),
        ("POST", "/invoices", {"json": {"tenant": "acme", "period": "soon"}}, 400, "invalid_period"),
        ("POST", "/invoices", {"json": {"tenant": "acme", "to": "2026-11-30"}}, 400, "invalid_period"),
        ("POST", "/invoices", {"json": {"tenant": "acme", "zreo": True}}, 422, "invalid_request"),
        ("GET", "/invoices/preview", {}, 400, "tenant_required"),
        ("GET", "/statements", {"params": {"tenant": "acme", "rate": "2"}}, 400, "invalid_request"),
        ("GET", "/statements", {"params": {"tenant": "acme", "department": "nothing"}}, 404, "department_not_found"),
        ("POST", "/credits", {"json": {"tenant": "acme", "amount_usd": 0, "reason": "x"}}, 422, "invalid_billing"),
        ("POST", "/credits", {"json": {"tenant": "acme", "amount_usd": -1, "reason": "x"}}, 422, "invalid_request"),
        ("GET", "/billing-profiles/globex", {}, 404, "billing_profile_not_found"),
        ("PUT", "/issuer", {"json": {"name": "x", "invoice_number": "{number}"}}, 422, "invalid_billing"),
        (
            "PUT",
            "/issuer",
            {"json": {"name": "x", "credit_note_number": "INV-{year}-{number}"}},
            422,
            "invalid_billing",
        ),
        (
            "PUT",
            "/billing-profiles/globex",
            {"json": {"name": "x", "taxes": [{"name": "VAT", "rate": 1}, {"name": "VAT", "rate": 2}]}},
            422,
            "invalid_billing",
        ),
    ],
)
async def test_what_cannot_be_done_is_told(
    billed: House, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    reply = await billed.admin().request(method, f"/api/v1{path}", **options)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert reply.json().get("remedy") or code == "invalid_request"


async def test_a_repeated_request_issues_one_credit_note(billed: House) -> None:
    invoice = await issued(billed, period="2026-11")
    path = f"/api/v1/invoices/{invoice['number']}/credit-notes"
    headers = {"idempotency-key": "credit-once"}
    replies = [await billed.admin().post(path, json={"reason": "A mistake"}, headers=headers) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[0].json() == replies[1].json()
    again = await billed.admin().post(path, json={"reason": "A mistake"})
    assert (again.status_code, again.json()["number"]) == (200, replies[0].json()["number"])
    listed = (await billed.admin(ACME_ADMIN_KEY).get(path)).json()["items"]
    assert [note["number"] for note in listed] == [replies[0].json()["number"]]
    events = (await billed.admin().get("/api/v1/events", params={"type": "CreditNoteIssued"})).json()["items"]
    assert [event["event"]["data"]["corrects"] for event in events].count(invoice["number"]) == 1


async def test_what_is_declared_comes_back_and_can_be_taken_back(billed: House) -> None:
    exported = (await billed.admin().get("/api/v1/configuration")).json()
    acme = next(tenant for tenant in exported["tenants"] if tenant["name"] == "acme")
    assert acme["billing"] == document()["tenants"][0]["billing"] | {
        "taxes": [{"name": "VAT", "rate": 20}, {"name": "Levy", "rate": 1.125}]
    }
    assert exported["issuer"] == document()["issuer"]
    plan = (await billed.admin().post("/api/v1/configuration/plan", json=exported)).json()
    assert plan["changes"] == []
    profile = {"name": "Globex", "currency": "EUR"}
    changed = await billed.admin().put("/api/v1/billing-profiles/globex", json=profile)
    assert (changed.status_code, changed.json()["currency"]) == (200, "EUR")
    assert (await billed.admin(GLOBEX_ADMIN_KEY).get("/api/v1/billing-profiles/globex")).json() == changed.json()
    assert (await billed.admin(ACME_ADMIN_KEY).get("/api/v1/billing-profiles/globex")).status_code == 404
    refused = await billed.admin().post("/api/v1/invoices", json={"tenant": "globex", "zero": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "exchange_rate_missing")
    rate = {"currency": "EUR", "rate": 0.9, "date": "2026-11-30", "source": "a bank"}
    done = await billed.admin().post("/api/v1/invoices", json={"tenant": "globex", "zero": True, "exchange_rate": rate})
    assert (done.status_code, done.json()["currency"], done.json()["total"]) == (201, "EUR", "0.00")
    pruned = await billed.admin().post("/api/v1/configuration/plan", params={"prune": "true"}, json=document())
    assert [(change["kind"], change["action"]) for change in pruned.json()["changes"]] == [
        ("billing profile", "remove")
    ]
    assert (await billed.admin().delete("/api/v1/billing-profiles/globex")).status_code == 204
    assert (await billed.admin().delete("/api/v1/billing-profiles/globex")).status_code == 404


async def test_the_published_form_is_the_stored_one(billed: House) -> None:
    invoice = await issued(billed, period="2026-11")
    async with billed.unit() as unit:
        body = await unit.fetch_value("SELECT body FROM invoices WHERE number = $1", invoice["number"])
    stored = json.loads(body)
    assert set(stored) == set(PaperView.model_fields)
    assert PaperView.model_validate(stored).model_dump(mode="json") == stored


async def test_the_commands_show_save_and_credit(billed: House, tmp_path: Path) -> None:
    invoice = await issued(billed, period="2026-11")
    asked = ["--url", billed.url, "--key", OWNER_KEY]

    async def run(*words: str, expecting: int = 0) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, CLI, [*words, *asked])
        assert done.exit_code == expecting, done.output
        return done.output

    number, pdf, table = invoice["number"], tmp_path / "x.pdf", tmp_path / "x.csv"
    assert "chat" in await run("invoice", "show", number)
    assert number in await run("invoice", "list", "--tenant", "acme")
    preview = json.loads(await run("invoice", "preview", "-t", "acme", "-p", "2026-12", "--json"))
    assert (preview["number"], preview["is_provisional"]) == (None, True)
    await run("invoice", "pdf", number, "--out", str(pdf))
    await run("statement", "-t", "acme", "-p", "2026-Q4", "--csv", str(table), "--rate", "EUR=0.5@2026-11-30:a bank")
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert "EUR" in table.read_text()
    assert "Credit granted" in await run("credit", "grant", "globex", "2.5", "--reason", "Welcome")
    assert "Welcome" in await run("credit", "list", "--tenant", "globex")
    await run("invoice", "issue", "acme", "-p", "2026-12", expecting=5)
    await run("invoice", "issue", "acme", "--rate", "half a euro", expecting=2)
    # A month of its own: what other tests look at stays as it is.
    october = (await run("invoice", "issue", "acme", "-p", "2026-10", "--zero")).split()[1].rstrip(":")
    await run("invoice", "credit-note", october, "--reason", "None", expecting=2)
    note = (await run("invoice", "credit-note", october, "--reason", "A mistake", "--yes")).split()[1].rstrip(":")
    assert october in await run("invoice", "show", note)
