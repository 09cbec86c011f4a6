"""Provisioning: a directory elsewhere says who there is (SCIM 2.0, RFC 7643 and 7644)."""

from enfilade.identity.people import Departments, Users
from enfilade.identity.provisioning.group_resources import GroupResources
from enfilade.identity.provisioning.groups import Groups
from enfilade.identity.provisioning.resources import Resources
from enfilade.identity.provisioning.user_resources import UserResources


class Provisioning:
    """The kinds of resources that a directory changes."""

    def __init__(self, users: Users, groups: Groups, departments: Departments) -> None:
        """Change people and groups by the rules of their own rooms."""
        self.users: Resources = UserResources(users, departments)
        self.groups: Resources = GroupResources(groups)
