"""Puts together what decides about access."""

from collections.abc import Collection

from enfilade.access.examiner import Known
from enfilade.access.overdue import ReviewWatch
from enfilade.access.service import Access
from enfilade.access.use_cases import UseCases
from enfilade.access.versions import Versions
from enfilade.configuration.listing import everything
from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.gateway.catalogue import Catalogue
from enfilade.gateway.gate import Finder, Gate
from enfilade.gateway.inquiry import Inquiry
from enfilade.identity.permissions import TENANT_ROLES
from enfilade.identity.principals import Principals
from enfilade.identity.roles.book import RoleBook
from enfilade.identity.service import Identity
from enfilade.providers.service import Providers
from enfilade.storage.unit_of_work import Storage, UnitOfWork


class AccessParts:
    """Policies, the register of use cases, and the gate on the line."""

    def __init__(self, storage: Storage, identity: Identity, clock: Clock, ids: IdFactory) -> None:
        """Build what needs no upper room."""
        self._identity = identity
        self._clock = clock
        self._roles = RoleBook(ids)
        self.service = Access()
        self.use_cases = UseCases(ids, clock, identity.departments)
        self.review_watch = ReviewWatch(storage, clock, self.service, self.use_cases)

    def finish(self, find: Finder, catalogue: Catalogue, providers: Providers, principals: Principals) -> None:
        """Build the rest, when the gateway's rooms are there."""
        self._catalogue = catalogue
        self._providers = providers
        self.versions = Versions(self._clock, self.known)
        self.gate = Gate(find, self.service, principals, catalogue, self._clock)
        self.inquiry = Inquiry(self.service, self._identity, principals, catalogue, self._clock)

    async def known(self, unit: UnitOfWork, kinds: Collection[str]) -> Known:
        """What policies of the current tenant may name. People and keys may be many: only when they are spoken of."""
        identity, tenant = self._identity, unit.tenant
        models, aliases = self._catalogue.model_names(), self._catalogue.alias_names()
        providers = [spec.name for spec in self._providers.specs()]
        if unit.scope.is_platform and not unit.is_away:
            # A document may declare them in this very transaction. Tenants cannot read the catalogue's tables.
            models = [m.spec.name for m in await everything(lambda a, n: self._catalogue.page_models(unit, a, n))]
            aliases = [m.spec.name for m in await everything(lambda a, n: self._catalogue.page_aliases(unit, a, n))]
            providers = [p.spec.name for p in await everything(lambda a, n: self._providers.page(unit, a, n))]
        departments = await everything(lambda a, n: identity.departments.page(unit, a, n, tenant))
        applications = await everything(lambda a, n: identity.applications.page(unit, a, n, tenant))
        roles = await everything(lambda a, n: self._roles.page(unit, a, n, tenant))
        use_cases = await everything(lambda a, n: self.use_cases.page(unit, a, n, tenant))
        users = await everything(lambda a, n: identity.users.page(unit, a, n, tenant)) if "User" in kinds else []
        keys = await everything(lambda a, n: identity.keys.page(unit, a, n, tenant)) if "Key" in kinds else []
        return Known(
            models=frozenset(models),
            aliases=frozenset(aliases),
            providers=frozenset(providers),
            departments=frozenset(department.name for department in departments),
            applications=frozenset(application.spec.name for application in applications),
            keys=frozenset(key.spec.name for key in keys),
            roles=frozenset({*TENANT_ROLES, *(role.spec.name for role in roles)}),
            users=frozenset(user.spec.email for user in users),
            use_cases=frozenset(use_case.spec.name for use_case in use_cases),
        )
