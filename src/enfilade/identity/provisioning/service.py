"""Provisioning: a directory elsewhere says who there is (SCIM 2.0, RFC 7643 and 7644)."""

from enfilade.identity.people import Departments, Users
from enfilade.identity.provisioning.group_resources import GroupResources
from enfilade.identity.provisioning.groups import Groups
from enfilade.identity.provisioning.resources import Resources
from enfilade.identity.provisioning.user_resources import UserResources
from enfilade.identity.sign_in.sessions import Sessions


class Provisioning:
    """The kinds of resources that a directory changes."""

    def __init__(self, users: Users, groups: Groups, departments: Departments, sessions: Sessions) -> None:
        """Change people and groups by the rules of their own rooms."""
        self.users: Resources = UserResources(users, departments, sessions)
        self.groups: Resources = GroupResources(groups)
