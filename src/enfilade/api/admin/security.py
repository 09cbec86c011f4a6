"""Who may call a route. Each declares a permission, or that it is public; one that does neither keeps the server from
starting.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from enfilade.api.admin.context import IN_SCOPE, AdminContext
from enfilade.api.admin.cookies import read_cookie
from enfilade.api.admin.glass import glass_of
from enfilade.api.admin.views import hide_tenants
from enfilade.api.headers import CREDENTIALS, client_address, collect, credential
from enfilade.core.errors import InternalError, InvalidRequest
from enfilade.core.scope import EVERYWHERE, Extent, Scope
from enfilade.identity.errors import PermissionMissing, UnknownTenant
from enfilade.identity.permissions import AUDIT_READ, CALLS_READ, STANDING_RIGHTS
from enfilade.identity.principal import Principal
from enfilade.identity.roles.granting import require_standing
from enfilade.identity.roles.narrowing import UNBOUND
from enfilade.identity.scopes import narrowed_to
from enfilade.identity.sign_in.errors import CsrfRefused
from enfilade.identity.sign_in.sessions import csrf_of
from enfilade.identity.sign_in.types import Session

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing: the browser's cookie alone is enough for them."""
CSRF_HEADER = b"x-csrf-token"

UNDER_GLASS = frozenset({CALLS_READ, AUDIT_READ})
"""What the platform's people cannot read of all tenants at once where one of them lets them in by glass only."""

Confinement = Literal["list", "object", "filter"]
"""How a route keeps to a part of the tenant: it lists what belongs there, checks the one thing that it touches, or has
its filters name one department or application."""

Reach = Literal["one", "any", "platform"]
"""Whom a route concerns: one tenant (the platform says which), any that the caller sees, or the platform alone."""


class TenantRequired(InvalidRequest):
    """The platform's operator must say which tenant is meant."""

    code = "tenant_required"
    remedy = "Add `?tenant=NAME`."


@dataclass(frozen=True, slots=True)
class Actor:
    """Who calls, and for whom."""

    principal: Principal
    scope: Scope
    """The rights under which the route works: already confined to the tenant, where there is one."""
    tenant: str | None
    """The tenant's id; None when the platform asks about all of them."""
    within: Extent = EVERYWHERE
    """Where in the tenant the permission holds that the route needs."""
    session: Session | None = None
    """The session by which they came in, if it was one."""


class Public:
    """A dependency that does nothing: it declares that a route is for everybody, and why."""

    def __init__(self, because: str) -> None:
        """Say why nobody has to be known here."""
        self.because = because

    def __call__(self) -> None:
        """Let everybody pass."""


class Needs:
    """A dependency: the caller holds the permission, and the tenant is one that they may see."""

    def __init__(
        self,
        permission: str | None,
        reach: Reach = "any",
        *,
        confined_by: Confinement | None = None,
        platform_too: bool = False,
    ) -> None:
        """Require `permission`, or with None no more than a valid key.

        Who has it for a part of the tenant only is refused unless the route says how it keeps to `Actor.within`.
        With `platform_too`, the platform itself may be named where a tenant is: it has people of its own.
        """
        self.permission = permission
        self.reach = reach
        self.confined_by = confined_by
        self.platform_too = platform_too

    async def __call__(
        self,
        request: Request,
        tenant: Annotated[
            str | None, Query(max_length=100, description="The tenant's name or id; for the platform's keys only.")
        ] = None,
    ) -> Actor:
        """Authenticate and authorise. Raises Unauthenticated, Forbidden, UnknownTenant, TenantRequired."""
        context: AdminContext = request.scope[IN_SCOPE]
        principal, session = await authenticate(context, request.scope)
        scope = principal.scope
        hide_tenants(frozenset())
        if self.permission is None and request.method not in SAFE and principal.narrowing is not UNBOUND:
            # What people do as themselves (ask, decide, end sessions) is in no scope.
            message = "The key's scopes leave nothing of this: use a session, or a key without scopes."
            raise PermissionMissing(message)
        if not scope.is_platform:
            within = self.require(scope)
            if self.reach == "platform":
                message = "This belongs to the platform; a tenant's key cannot reach it."
                raise PermissionMissing(message, details={"permission": self.permission})
            return Actor(principal, scope, _own_tenant(principal, tenant), within, session)
        if tenant is None or self.reach == "platform":
            self.require(scope)
            if self.reach == "one":
                message = "Say which tenant is meant."
                raise TenantRequired(message, param="tenant")
            if self.permission in UNDER_GLASS and self.reach == "any" and context.principals.closed():
                message = "Some tenant lets nobody read this without breaking the glass: say which tenant is meant."
                raise TenantRequired(message, param="tenant")
            if self.permission not in STANDING_RIGHTS:
                hide_tenants(context.principals.closed())
            return Actor(principal, scope, None, session=session)
        return await self._in_tenant(context, request, principal, tenant, session)

    async def _in_tenant(
        self, context: AdminContext, request: Request, principal: Principal, tenant: str, session: Session | None
    ) -> Actor:
        """One of the platform's people in a tenant: by their standing rights, or because they broke the glass."""
        scope = principal.scope
        found = context.principals.tenant_named(tenant)
        glass = await glass_of(context, request, scope, found.id, self.permission) if found else None
        if glass is not None and found is not None:
            return Actor(principal, glass, found.id, session=session)
        self.require(scope)
        if found is not None and found.id == scope.tenant and self.platform_too:
            return Actor(principal, scope, found.id, session=session)
        if found is None or found.id == scope.tenant:
            raise _unknown(tenant)
        settings = context.principals.settings(found.id)
        if self.permission is not None and self.permission not in STANDING_RIGHTS:
            require_standing(settings)
        # What a route asks for besides, or instead, is not to be had there either.
        held = STANDING_RIGHTS if settings.operator_access == "break_glass" else None
        return Actor(principal, narrowed_to(scope, found.id, held), found.id, session=session)

    def require(self, scope: Scope) -> Extent:
        """Where the scope has the permission. Raises PermissionMissing."""
        if self.permission is None:
            return EVERYWHERE
        within = scope.extent(self.permission)
        if within.is_nowhere:
            message = f"The key's roles do not include `{self.permission}`."
            raise PermissionMissing(message, details={"permission": self.permission})
        if not within.everywhere and self.confined_by is None:
            message = f"Your right to `{self.permission}` holds in a part of the tenant only; this concerns all of it."
            raise PermissionMissing(message, details={"permission": self.permission})
        return within


def _context(request: Request) -> AdminContext:
    context: AdminContext = request.scope[IN_SCOPE]
    return context


Context = Annotated[AdminContext, Depends(_context)]
"""The rooms, for a route that asks for them."""


async def authenticate(context: AdminContext, scope: Any) -> tuple[Principal, Session | None]:
    """The principal behind a request, and their session if they came by one.

    Raises Unauthenticated, AddressRefused, CsrfRefused.
    """
    found = collect(scope["headers"])
    if (token := _cookie_token(scope, found)) is not None:
        if scope["method"] not in SAFE:
            _check_csrf(token, found.get(CSRF_HEADER, b""))
        return await context.entrance.by_session(token)
    given = credential(found)
    if context.entrance.is_session(given):
        return await context.entrance.by_session(given)
    address = client_address(scope.get("client"), found, context.trusted_proxies)
    return await context.entrance.by_credential(given, address), None


def session_csrf(scope: Any) -> str:
    """What goes with the session's token that a request carries."""
    found = collect(scope["headers"])
    return csrf_of(_cookie_token(scope, found) or credential(found))


def _cookie_token(scope: Any, found: dict[bytes, bytes]) -> bytes | None:
    """The session's token in the browser's cookie. A credential in a header goes before: no page can make one come."""
    if any(name in found for name in CREDENTIALS):
        return None
    token = read_cookie(scope)
    return None if token is None else token.encode("latin-1")


def _check_csrf(token: bytes, given: bytes) -> None:
    if not hmac.compare_digest(csrf_of(token).encode(), given):
        message = "A change by a browser's session needs the session's `x-csrf-token`."
        raise CsrfRefused(message)


def _own_tenant(principal: Principal, asked: str | None) -> str:
    own = principal.tenant
    if asked is not None and asked not in {own.id, own.name}:
        # The same answer as for a tenant that does not exist.
        raise _unknown(asked)
    return own.id


def _unknown(name: str) -> UnknownTenant:
    message = f"There is no tenant {name!r}."
    return UnknownTenant(message, param="tenant")


def require_permission(route: APIRoute) -> None:
    """Refuse to start with a route that declares no permission. Raises InternalError naming it."""
    if permission_of(route) is None and not is_public(route):
        message = f"The route {route.path} declares no permission."
        raise InternalError(message)


def permission_of(route: APIRoute) -> Needs | None:
    """The permission that a route declares."""
    return next((found for found in _declared(route.dependant) if isinstance(found, Needs)), None)


def is_public(route: APIRoute) -> bool:
    """Whether a route declares that it is for everybody."""
    return any(isinstance(found, Public) for found in _declared(route.dependant))


def _declared(dependant: Dependant) -> Iterable[Needs | Public]:
    for child in dependant.dependencies:
        if isinstance(child.call, Needs | Public):
            yield child.call
        yield from _declared(child)
