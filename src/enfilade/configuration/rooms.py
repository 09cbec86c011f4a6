"""The rooms that a document concerns."""

from dataclasses import dataclass

from enfilade.access.approvals.rules import RuleBook as ApprovalRuleBook
from enfilade.access.use_cases import UseCases
from enfilade.access.versions import Versions
from enfilade.costs.billing.profiles import BillingProfiles
from enfilade.costs.holds.budgets import Budgets
from enfilade.costs.holds.limits import Limits
from enfilade.costs.outlook.rules import AnomalyRuleBook
from enfilade.costs.prices.catalogue import PriceCatalogue
from enfilade.gateway.catalogue import Catalogue
from enfilade.identity.accounts.rules import AccountRuleBook
from enfilade.identity.service import Identity
from enfilade.identity.tokens.issuers import Issuers
from enfilade.providers.service import Providers
from enfilade.storage.unit_of_work import Storage


@dataclass(frozen=True, slots=True)
class Rooms:
    """What plans, applications and exports work with."""

    storage: Storage
    identity: Identity
    limits: Limits
    budgets: Budgets
    prices: PriceCatalogue
    providers: Providers
    catalogue: Catalogue
    billing: BillingProfiles
    anomalies: AnomalyRuleBook
    account_rules: AccountRuleBook
    use_cases: UseCases
    policies: Versions
    issuers: Issuers
    approval_rules: ApprovalRuleBook
