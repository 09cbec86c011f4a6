"""What the admin API's routes work with."""

from collections.abc import Sequence
from dataclasses import dataclass

from enfilade.access.approvals.service import Approvals
from enfilade.access.reviews.service import Reviews
from enfilade.access.service import Access
from enfilade.api.headers import Network
from enfilade.audit.service import Audit
from enfilade.configuration.rooms import Rooms
from enfilade.configuration.service import ConfigurationService
from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.costs.billing.service import Billing
from enfilade.costs.billing.typesetting import Typesetter
from enfilade.costs.reconciliation.booking import Bookings
from enfilade.costs.reconciliation.service import Reconciliations
from enfilade.costs.service import Costs
from enfilade.costs.spend.exports.service import Exports
from enfilade.gateway.inquiry import Inquiry
from enfilade.gateway.stored.service import Stored
from enfilade.identity.accounts.service import Accounts
from enfilade.identity.directory import Directory
from enfilade.identity.entrance import Entrance
from enfilade.identity.principals import Principals
from enfilade.identity.provisioning.service import Provisioning
from enfilade.identity.sign_in.service import SignIn
from enfilade.identity.sign_in.sessions import Sessions
from enfilade.identity.tenant_archives import TenantArchives
from enfilade.identity.tenant_imports import TenantImports
from enfilade.providers.key_rotation import KeyRotation
from enfilade.sealing.service import Encryption
from enfilade.storage.database import Database
from enfilade.storage.unit_of_work import Storage

IN_SCOPE = "enfilade.context"
"""Where a request's ASGI scope has it."""


@dataclass(frozen=True, slots=True)
class AdminContext:
    """The rooms, by their faces."""

    storage: Storage
    database: Database
    principals: Principals
    entrance: Entrance
    sessions: Sessions
    accounts: Accounts
    provisioning: Provisioning
    sign_in: SignIn
    public_url: str | None
    rooms: Rooms
    configuration: ConfigurationService
    key_rotation: KeyRotation
    costs: Costs
    billing: Billing
    typesetter: Typesetter
    exports: Exports
    reconciliations: Reconciliations
    bookings: Bookings
    audit: Audit
    encryption: Encryption
    stored: Stored
    access: Access
    inquiry: Inquiry
    approvals: Approvals
    reviews: Reviews
    archives: TenantArchives
    imports: TenantImports
    directory: Directory
    clock: Clock
    ids: IdFactory
    trusted_proxies: Sequence[Network]
    replica: str
