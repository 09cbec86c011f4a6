"""The columns of FOCUS 1.2 in the specification's order of names, then our own, which begin with `x_`."""

from enfilade.costs.spend.exports.columns import Column, Kind

QUANTITY_SCALE = 6
PRICE_SCALE = 15
COST_SCALE = 18
"""Enough for a price to a millionth of a nano-dollar, times a quantity in millionths of a million tokens."""


def _column(name: str, meaning: str, kind: Kind = "text", scale: int = 0) -> Column:
    return Column(name, kind, meaning, scale, optional=False)


def _optional(name: str, meaning: str, kind: Kind = "text", scale: int = 0) -> Column:
    return Column(name, kind, meaning, scale)


NEVER = "Always empty: "
COLUMNS = (
    _optional("AvailabilityZone", NEVER + "no deployment names one."),
    _column("BilledCost", "What the tenant is charged. Its sum is the ledger's.", "decimal", 9),
    _column("BillingAccountId", "The tenant's id."),
    _column("BillingAccountName", "The tenant's name."),
    _column("BillingAccountType", "`Tenant`."),
    _column("BillingCurrency", "`USD`."),
    _column("BillingPeriodEnd", "The end of that month.", "second"),
    _column(
        "BillingPeriodStart",
        "The month of the calls, in UTC; of a correction, the month in which it was posted.",
        "second",
    ),
    _optional("CapacityReservationId", NEVER + "no capacity is reserved."),
    _optional("CapacityReservationStatus", NEVER + "no capacity is reserved."),
    _column("ChargeCategory", "`Usage`; `Adjustment` for what has no quantity and price."),
    _optional("ChargeClass", "`Correction` for a correction that was posted after the month of its call."),
    _column("ChargeDescription", "The kind, the model and its deployment in words."),
    _column("ChargeFrequency", "`Usage-Based`; `One-Time` for an adjustment."),
    _column("ChargePeriodEnd", "The end of that day or hour.", "second"),
    _column("ChargePeriodStart", "The day or hour of the calls, in UTC.", "second"),
    _optional("CommitmentDiscountCategory", NEVER + "there are no commitments."),
    _optional("CommitmentDiscountId", NEVER + "there are no commitments."),
    _optional("CommitmentDiscountName", NEVER + "there are no commitments."),
    _optional("CommitmentDiscountQuantity", NEVER + "there are no commitments.", "decimal", QUANTITY_SCALE),
    _optional("CommitmentDiscountStatus", NEVER + "there are no commitments."),
    _optional("CommitmentDiscountType", NEVER + "there are no commitments."),
    _optional("CommitmentDiscountUnit", NEVER + "there are no commitments."),
    _optional("ConsumedQuantity", "How many units were consumed.", "decimal", QUANTITY_SCALE),
    _optional("ConsumedUnit", "`Tokens`, `Requests`, `Searches`, `Characters`, `Pages` or `Seconds`."),
    _column("ContractedCost", "The contracted unit price times the quantity, exactly.", "decimal", COST_SCALE),
    _optional("ContractedUnitPrice", "The tenant's own price: after discounts and markups.", "decimal", PRICE_SCALE),
    _column("EffectiveCost", "As `BilledCost`: nothing is amortised.", "decimal", 9),
    _optional("InvoiceId", NEVER + "invoices are made from the ledger, not from exports."),
    _column("InvoiceIssuerName", "Who issues invoices here; `Enfilade` where nobody has said so."),
    _column("ListCost", "The list unit price times the quantity, exactly.", "decimal", COST_SCALE),
    _optional(
        "ListUnitPrice",
        "The published price. Where the tenant's differs, what the list price of the calls comes to for one unit.",
        "decimal",
        PRICE_SCALE,
    ),
    _optional("PricingCategory", "`Standard`."),
    _column("PricingCurrency", "`USD`."),
    _optional("PricingQuantity", "The quantity in pricing units.", "decimal", QUANTITY_SCALE),
    _optional("PricingUnit", "What the unit prices are for: `1000000 Tokens`, `Requests` and so on."),
    _column("ProviderName", "The provider, by its name in the configuration."),
    _column("PublisherName", "As `ProviderName`."),
    _optional("RegionId", "Where the deployment is."),
    _optional("RegionName", "As `RegionId`."),
    _optional("ResourceId", "The deployment: the provider and its own name of the model."),
    _optional("ResourceName", "The model, by the name that callers used."),
    _optional("ResourceType", "`Model Deployment`."),
    _column("ServiceCategory", "`AI and Machine Learning`."),
    _column("ServiceName", "`Model Calls`."),
    _column("ServiceSubcategory", "`Generative AI`."),
    _optional("SkuId", "The deployment and the kind."),
    _optional("SkuMeter", "The kind in words."),
    _optional("SkuPriceDetails", "The kind and the version of the price.", "json"),
    _optional("SkuPriceId", "The deployment, the kind and the version of the price."),
    _optional("SubAccountId", "The department's id, or the application's where it belongs to none."),
    _optional("SubAccountName", "Its name."),
    _optional("SubAccountType", "`Department` or `Application`."),
    _optional("Tags", "`enfilade/department`, `/application`, `/use_case` and `/prompt`.", "json"),
    _column("x_Estimated", "Whether the provider reported no usage.", "flag"),
    _column("x_LedgerLines", "How many lines of the ledger the row sums up.", "integer"),
    _optional("x_Model", "The model, by the name that callers used."),
    _optional("x_ProviderCost", "What the provider charges; shown to the platform alone.", "decimal", 9),
)
