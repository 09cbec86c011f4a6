"""Everything of one tenant that the directory keeps of people and keys."""

import ipaddress
from dataclasses import dataclass, field, replace
from typing import Any

from enfilade.core.clock import to_ns
from enfilade.core.scope import Scope
from enfilade.identity.principal import Principal
from enfilade.identity.roles.narrowing import narrowing_of
from enfilade.identity.roles.standing import Standing, key_rights, place_of_key
from enfilade.identity.roles.temporary import NEVER_NS
from enfilade.identity.rows import text_id
from enfilade.identity.scopes import rights_scope
from enfilade.identity.types import Application, Department, Tenant, User


@dataclass(slots=True)
class TenantEntry:
    """Everything of one tenant, replaced as a whole."""

    tenant: Tenant
    standing: Standing
    departments: dict[str, Department] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    users_by_email: dict[str, User] = field(default_factory=dict)
    inactive_emails: dict[str, str] = field(default_factory=dict)
    """The addresses by id of users who may not come in: reports name them still, and nothing else finds them."""
    principals: dict[bytes, Principal] = field(default_factory=dict)
    key_names: dict[str, str] = field(default_factory=dict)
    key_places: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """The department and the application to which each key belongs."""

    def add_user(self, user: User) -> None:
        """Let a user be found, unless they may not come in."""
        if user.spec.active:
            self.users[user.id] = self.users_by_email[user.spec.email] = user
        else:
            self.inactive_emails[user.id] = user.spec.email

    def add_key(self, row: Any) -> None:
        """Let a key be found by one of its secrets, unless what it stands for was removed."""
        key, application_id, user_id = str(row["id"]), text_id(row["application_id"]), text_id(row["user_id"])
        application = self.applications.get(application_id) if application_id else None
        user = self.users.get(user_id) if user_id else None
        if (application_id and application is None) or (user_id and user is None):
            return
        department = application.department_id if application else user.department_id if user else None
        only = place_of_key(row)
        held = self.standing.of_user(user.id, user.spec.roles) if user else None
        scopes, roles = frozenset(row["scopes"]), tuple(row["roles"])

        def scope_with(scopes: frozenset[str]) -> Scope:
            rights = key_rights(self.standing, roles, scopes, only, held)
            return rights_scope(
                self.tenant.id, key, rights, department=department, application=application_id, user=user_id
            )

        def widened(further: frozenset[str]) -> Principal:
            scope = replace(scope_with(scopes | further), lasting=principal.scope)
            return replace(principal, scope=scope, narrowing=narrowing_of(scopes | further), named={})

        ends = [to_ns(moment) for moment in (row["expires_at"], row["valid_until"]) if moment is not None]
        networks = tuple(ipaddress.ip_network(network) for network in row["allowed_ips"])
        self.key_names[key] = row["name"]
        self.key_places[key] = (department, application_id)
        if only is not None and not (application_id or user_id):
            within = self.applications.get(only[1])
            self.key_places[key] = (only[1], None) if within is None else (within.department_id, only[1])
        principal = self.principals[bytes(row["digest"])] = Principal(
            scope=scope_with(scopes),
            tenant=self.tenant,
            key_name=row["name"],
            application=application,
            expires_ns=min(ends, default=NEVER_NS),
            networks=networks,
            users=self.users_by_email,
            narrowing=narrowing_of(scopes),
            widened=widened if scopes else None,
        )
