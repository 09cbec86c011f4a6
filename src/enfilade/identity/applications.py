"""Applications of a tenant."""

from enfilade.core.canonical import canonical_text
from enfilade.core.ids import IdFactory
from enfilade.identity import store
from enfilade.identity.errors import UnknownApplication
from enfilade.identity.people import Departments
from enfilade.identity.roles.book import drop_assignments
from enfilade.identity.rows import START, application_of, check_models, check_name, check_version
from enfilade.identity.types import Application, ApplicationSpec, Outcome
from enfilade.storage.unit_of_work import UnitOfWork


class Applications:
    """The use cases of applications."""

    def __init__(self, ids: IdFactory, departments: Departments) -> None:
        """Name new applications with `ids`."""
        self._ids = ids
        self._departments = departments

    async def page(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None
    ) -> list[Application]:
        """Applications in the order of their making."""
        rows = await unit.fetch_listed(store.LIST_APPLICATIONS, after or START, limit, tenant)
        return [application_of(row) for row in rows]

    async def find(self, unit: UnitOfWork, name: str) -> Application | None:
        """The current tenant's application of that name or id."""
        row = await unit.fetch_row(store.FIND_APPLICATION, name, unit.tenant)
        return None if row is None else application_of(row)

    async def get(self, unit: UnitOfWork, name: str) -> Application:
        """Like `find`; raises UnknownApplication."""
        application = await self.find(unit, name)
        if application is None:
            message = f"There is no application {name!r} in this tenant."
            raise UnknownApplication(message, param="application")
        return application

    async def put(
        self, unit: UnitOfWork, spec: ApplicationSpec, expected: int | None = None
    ) -> tuple[Application, Outcome]:
        """Make the application as specified, or change it to be so.

        Raises InvalidSpecification, UnknownDepartment, VersionMismatch.
        """
        check_name(spec.name)
        check_models(spec.allowed_models)
        present = await self.find(unit, spec.name)
        department = await self._departments.id_of(unit, spec.department)
        values = (department, list(spec.allowed_models), canonical_text(spec.settings))
        if present is None:
            identifier = self._ids.new_id()
            await unit.execute(store.INSERT_APPLICATION, unit.tenant, identifier, spec.name, *values)
            outcome = Outcome.CREATED
        else:
            identifier = present.id
            check_version(expected, present.version)
            if present.spec == spec:
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_APPLICATION, unit.tenant, identifier, *values)
            outcome = Outcome.CHANGED
        event = "ApplicationCreated" if outcome is Outcome.CREATED else "ApplicationChanged"
        unit.record(
            event,
            id=identifier,
            name=spec.name,
            department=department,
            allowed_models=list(spec.allowed_models),
        )
        unit.changed()
        return await self.get(unit, spec.name), outcome

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove an application and revoke its keys."""
        application = await self.get(unit, name)
        check_version(expected, application.version)
        for row in await unit.fetch(store.REVOKE_KEYS_OF_APPLICATION, unit.tenant, application.id):
            unit.record("KeyRevoked", id=str(row["id"]), because="application_removed")
        await drop_assignments(unit, "application", application.id)
        await unit.execute(store.REMOVE_APPLICATION, unit.tenant, application.id)
        unit.record("ApplicationRemoved", id=application.id, name=application.spec.name)
        unit.changed()
