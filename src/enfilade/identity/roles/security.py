"""What a tenant's owners demand of keys, and of the platform's people."""

from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.errors import InvalidSpecification
from enfilade.identity.roles import store
from enfilade.identity.roles.granting import check_standing, settings_in
from enfilade.identity.roles.types import SecuritySettings
from enfilade.identity.rows import check_version
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

SHORTEST_KEY_LIFETIME_S = 3_600
LONGEST_KEY_LIFETIME_S = 366 * 86_400


class SecurityBook:
    """The use cases of security settings."""

    async def get(self, unit: UnitOfWork, tenant: str | None = None) -> SecuritySettings:
        """A tenant's, or without one the current one's."""
        return await settings_in(unit, tenant)

    async def put(
        self, unit: UnitOfWork, settings: SecuritySettings, expected: int | None = None
    ) -> tuple[SecuritySettings, Outcome]:
        """Make them so. Raises InvalidSpecification, VersionMismatch, BreakGlassRequired."""
        lifetime = settings.max_key_lifetime_s
        if unit.tenant == PLATFORM_ID:
            message = "security settings belong to a tenant"
            raise InvalidSpecification(message, param="tenant")
        if lifetime is not None and not SHORTEST_KEY_LIFETIME_S <= lifetime <= LONGEST_KEY_LIFETIME_S:
            message = "the longest lifetime of keys is between an hour and a year"
            raise InvalidSpecification(message, param="max_key_lifetime")
        present = await settings_in(unit)
        check_version(expected, present.version)
        wanted = (settings.operator_access, lifetime)
        if wanted == (present.operator_access, present.max_key_lifetime_s):
            return present, Outcome.UNCHANGED
        await check_standing(unit)
        await unit.execute(store.PUT_SETTINGS, unit.tenant, *wanted)
        unit.record("SecuritySettingsChanged", operator_access=wanted[0], max_key_lifetime_s=lifetime)
        unit.changed()
        return await settings_in(unit), Outcome.CHANGED
