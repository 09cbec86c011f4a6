"""What a credential stands for."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

from enfilade.core.scope import Scope
from enfilade.identity.errors import AddressRefused, ExpiredKey, UnknownUser
from enfilade.identity.roles.narrowing import UNBOUND, Narrowing
from enfilade.identity.scopes import with_user
from enfilade.identity.types import Application, Tenant, User

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True, eq=False)
class Principal:
    """What a valid key stands for, ready for the request path."""

    scope: Scope
    tenant: Tenant
    key_name: str
    application: Application | None
    expires_ns: int
    networks: tuple[Network, ...]
    users: dict[str, User]
    """The tenant's users by address, shared by all of its keys."""
    named: dict[str, Scope] = field(default_factory=dict)
    """Scopes of this key for end users that it named before."""
    narrowing: Narrowing = UNBOUND
    """What the key's scopes leave of its calls."""
    widened: "Callable[[frozenset[str]], Principal] | None" = None
    """The same key with further scopes for a time; None for one that has no scopes, and so cannot have more."""
    log_prefix: str | None = None
    """The beginning of this key's log lines, made when the first is written."""

    @property
    def is_strict(self) -> bool:
        """Whether nothing of a call may be left out when it is translated."""
        return self.application is not None and self.application.spec.settings.strict

    def check(self, address: str | None, now_ns: int) -> None:
        """Raise ExpiredKey or AddressRefused when the key may not be used now, or from there."""
        if now_ns >= self.expires_ns:
            message = "The key has expired."
            raise ExpiredKey(message)
        if self.networks and not self._is_allowed(address):
            message = "The key may not be used from this network address."
            raise AddressRefused(message)

    def _is_allowed(self, address: str | None) -> bool:
        try:
            client = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped:
            client = client.ipv4_mapped
        return any(client.version == network.version and client in network for network in self.networks)

    def for_user(self, email: str) -> Scope:
        """The scope with the end user that the request names. Raises UnknownUser."""
        email = email.lower()
        scope = self.named.get(email)
        if scope is None:
            user = self.users.get(email)
            if user is None or self.scope.application is None:
                # One answer for both: whether an address is known is nobody's business who may not name users.
                message = "The key may not name this end user, or the tenant has no such user."
                raise UnknownUser(message, param="x-enfilade-user")
            scope = self.named[email] = with_user(self.scope, user.id, user.department_id)
        return scope
