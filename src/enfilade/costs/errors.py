"""What can be wrong with prices, limits, budgets and reports."""

from enfilade.core.errors import (
    BudgetReached,
    Conflict,
    EnfiladeError,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NotFound,
)


class RequestLimitReached(LimitReached):
    """Too many requests in the window."""

    code = "request_limit_reached"


class TokenLimitReached(LimitReached):
    """Too many tokens, counted at their worst case, in the window."""

    code = "token_limit_reached"
    remedy = "Wait as long as `retry-after` says, or lower `max_tokens`."


class ConcurrencyLimitReached(LimitReached):
    """Too many calls at the same time."""

    code = "concurrency_limit_reached"
    remedy = "Wait until one of the running calls has ended."


class HoldExpired(LimitReached):
    """The call has run for so long that what was held for it was given back, so it cannot be tried again."""

    code = "hold_expired"
    remedy = "Send the request again."


class BudgetExhausted(BudgetReached):
    """A budget does not cover the worst case of this call."""

    code = "budget_exhausted"


class UnpricedModel(Forbidden):
    """Nobody has said what this model costs, so it cannot be paid for."""

    code = "unpriced_model"
    remedy = "Have an administrator set its price (`enfilade price set`) or mark the model as free."


class UnpricedServiceTier(InvalidRequest):
    """The model has no price for the service tier that was asked for."""

    code = "unpriced_service_tier"
    remedy = "Leave `service_tier` out, or have a price set for it."


class PriceBookFault(EnfiladeError):
    """The price data that this version carries cannot be read."""

    code = "price_book_fault"
    remedy = "Reinstall the locked dependencies; the last good price book stays in use."


class InvalidRule(InvalidRequest):
    """A price, limit or budget does not fit."""

    code = "invalid_rule"
    status = 422


class UnknownLimit(NotFound):
    """There is no such limit in the tenant."""

    code = "limit_not_found"


class UnknownBudget(NotFound):
    """There is no such budget in the tenant."""

    code = "budget_not_found"


class UnknownRaise(NotFound):
    """The budget has no such raise."""

    code = "raise_not_found"


class RaiseEnded(Conflict):
    """The raise has passed, or somebody ended it."""

    code = "raise_ended"
    remedy = "Make a new raise."


class RuleExists(Conflict):
    """There is a limit or budget for the same subject, model and window already."""

    code = "rule_exists"
    remedy = "Change the one that is there."


class InvalidCorrection(InvalidRequest):
    """A correction of the ledger does not fit."""

    code = "invalid_correction"
    status = 422


class BillingProfileMissing(Conflict):
    """Nobody has said how this tenant is billed."""

    code = "billing_profile_missing"
    remedy = "Declare `billing` for the tenant in the configuration, or PUT it to the admin API."


class CreditNoteRefused(Conflict):
    """The invoice does not leave that to be credited."""

    code = "credit_note_refused"
    remedy = "Look at the invoice and at its earlier credit notes."


class ExchangeRateMissing(Conflict):
    """The document is in another currency, and there is no rate for it."""

    code = "exchange_rate_missing"
    remedy = "Declare one (`enfilade currency set`), or give it: units of the currency for one US dollar, its date, its source."


class InvalidBilling(InvalidRequest):
    """A billing profile, an issuer, a credit or a rate does not fit."""

    code = "invalid_billing"
    status = 422


class InvalidPeriod(InvalidRequest):
    """This is no period that can be billed."""

    code = "invalid_period"
    remedy = "Use a month (2026-11), a quarter (2026-Q4), a year (2026), or a first and a last day."


class IssuerMissing(Conflict):
    """Nobody has said who issues the invoices."""

    code = "issuer_missing"
    remedy = "Declare `issuer` in the configuration, or PUT it to the admin API."


class NothingToInvoice(Conflict):
    """Nothing was spent in the period."""

    code = "nothing_to_invoice"
    remedy = "Nothing needs to be done; ask with `zero` for an invoice of nothing."


class PeriodNotOver(Conflict):
    """A period can be invoiced once it is over."""

    code = "period_not_over"
    remedy = "Look at the preview, or at a statement, until then."


class PeriodOverlaps(Conflict):
    """A part of the period is invoiced already."""

    code = "period_overlaps"
    remedy = "Choose a period that touches no invoiced one; late entries come with the next invoice."


class TypesettingFailed(EnfiladeError):
    """The document could not be typeset."""

    code = "typesetting_failed"
    remedy = "The document is safe, and its JSON and CSV can be had; report the request id to your platform team."


class UnknownBillingProfile(NotFound):
    """Nobody has said how this tenant is billed, or there is no such tenant that the key may see."""

    code = "billing_profile_not_found"


class UnknownInvoice(NotFound):
    """There is no such invoice or credit note that the key may see."""

    code = "invoice_not_found"


class EmptyExport(InvalidRequest):
    """An export holds no costs of models for its period."""

    code = "empty_export"
    status = 422
    remedy = "Check the period, the filters and the grouping of the export; if nothing was charged, nothing needs to be done."


class ExportCurrency(InvalidRequest):
    """An export's amounts are not in US dollars."""

    code = "export_currency"
    status = 422
    remedy = "Export in USD: nothing is converted, because a rate would be a difference of its own."


class ExportTooLarge(InvalidRequest):
    """An export is larger than one import may be."""

    code = "export_too_large"
    status = 413
    remedy = "Pack it with gzip, or export fewer days at a time."


class NotBookable(Conflict):
    """The differences of a reconciliation cannot be booked."""

    code = "not_bookable"
    remedy = "Look at the newest reconciliation of the period: `enfilade reconcile list`."


class UnknownReconciliation(NotFound):
    """There is no such reconciliation."""

    code = "reconciliation_not_found"


class UnreadableExport(InvalidRequest):
    """An export cannot be read: it is cut, damaged, or of a format that is not known. Nothing of it was stored."""

    code = "unreadable_export"
    status = 422
    remedy = "The message says where and what was expected; the how-to on reconciliation lists the formats."


# Exports


class ExportBroken(EnfiladeError):
    """An export could not be written to its end."""

    code = "export_broken"
    remedy = "Throw away what has come, and export again; report the request id to your platform team if it recurs."


class TooManyExports(LimitReached):
    """As many exports are running in this process as may run at a time."""

    code = "too_many_exports"
    remedy = "Wait until one of them has ended."


class UnknownExport(InvalidRequest):
    """There is no such format or table, or the one cannot be written as the other."""

    code = "unknown_export"
    status = 422
    remedy = "Use one of the formats and tables that the message names."


# Prices


class OverlappingPrices(Conflict):
    """Two prices, or two adjustments, of one source would hold at the same time."""

    code = "overlapping_prices"
    status = 422
    remedy = "Change the dates, or end the other one first."


class UnknownCurrency(InvalidRequest):
    """There is no exchange rate for this currency on that day."""

    code = "unknown_currency"
    status = 422
    remedy = "Have an administrator declare one (`enfilade currency set`), or use USD."


class UnknownPriceList(NotFound):
    """There is no price list or price book of that name and version."""

    code = "price_list_not_found"


# Outlook


class InvalidAlertQuery(InvalidRequest):
    """There is no such alert, or the cursor is none of this list."""

    code = "invalid_alert_query"
