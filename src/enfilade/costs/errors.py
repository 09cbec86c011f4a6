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


class RuleExists(Conflict):
    """There is a limit or budget for the same subject, model and window already."""

    code = "rule_exists"
    remedy = "Change the one that is there."


class InvalidCorrection(InvalidRequest):
    """A correction of the ledger does not fit."""

    code = "invalid_correction"
    status = 422
