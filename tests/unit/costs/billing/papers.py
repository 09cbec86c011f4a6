"""A document to test with."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from enfilade.costs.billing.amounts import Currency, total_up
from enfilade.costs.billing.drafting import Heading, draft_invoice
from enfilade.costs.billing.paper import Paper
from enfilade.costs.billing.periods import BillingPeriod
from enfilade.costs.billing.types import Credit, ExchangeRate, Issuer, Profile, Tax
from enfilade.costs.billing.usage import ModelSum, Stretch, Sum, UsageOf

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
PERIOD = BillingPeriod(date(2026, 11, 1), date(2026, 11, 30), "Europe/Vienna")
ISSUER = Issuer("The operator", ("Ringstraße 1",), "ATU1", "a@b.example", ("IBAN AT00",), "A note.", "Europe/Vienna")


def usage_of(models: tuple[str | None, ...] = ("chat",)) -> UsageOf:
    """Some lines for each model, with a correction and something late."""
    stretches = (
        Stretch(PERIOD.start, PERIOD.end, 0, 9),
        Stretch(datetime(2026, 10, 1, tzinfo=UTC), PERIOD.start, 5, 9),
    )
    sums = []
    for model in models:
        sums += [
            Sum(0, False, model, "input", 3_000_000_000, 1000, 3_000_000),
            Sum(0, False, model, "web_searches", 10_000_000 * 10**6, 2, 20_000_000),
            Sum(0, True, model, "input", 3_000_000_000, -100, -300_000),
            Sum(0, False, model, None, None, 0, 7),
        ]
    sums.append(Sum(1, True, models[0], "output", 15_000_000_000, -10, -150_000))
    totals = [ModelSum(0, False, model, 9, 8, 1000, 23_000_007, 24_000_000) for model in models]
    totals += [ModelSum(0, True, model, 1, 0, 0, -300_000, -300_000) for model in models]
    totals.append(ModelSum(1, True, models[0], 1, 0, 0, -150_000, -150_000))
    return UsageOf(stretches, tuple(sums), tuple(totals))


def invoice(currency: str = "USD", models: tuple[str | None, ...] = ("chat",), **profile: Any) -> Paper:
    """An invoice with a credit, a tax and a discount."""
    rate = None if currency == "USD" else ExchangeRate(currency, Decimal("0.9234"), date(2026, 11, 30), "a bank")
    chosen = Currency(currency, rate)
    who = Profile(**({"name": "Müller & Söhne", "taxes": (Tax("VAT", "20"),)} | profile))
    usage = usage_of(models)
    credit = Credit("c", "t", 10**9, 1_000_000, "Welcome", NOW, None)
    heading = Heading("acme", ISSUER, who, PERIOD, chosen, NOW, "an-id", "INV-2026-000042")
    return draft_invoice(heading, usage, total_up(usage.nano, chosen, [credit], who.taxes))
