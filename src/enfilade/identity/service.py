"""The face of this room."""

from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.identity.applications import Applications
from enfilade.identity.keys import Keys
from enfilade.identity.people import Departments, Users
from enfilade.identity.tenants import Tenants


class Identity:
    """The use cases around tenants, departments, users, applications and keys, one attribute each."""

    def __init__(self, ids: IdFactory, clock: Clock) -> None:
        """Name new things with `ids`."""
        self.tenants = Tenants(ids)
        self.departments = Departments(ids)
        self.users = Users(ids, self.departments)
        self.applications = Applications(ids, self.departments)
        self.keys = Keys(ids, clock, self.applications, self.users)
