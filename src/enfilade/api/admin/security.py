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

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.cookies import read_cookie
from enfilade.api.headers import CREDENTIALS, client_address, collect, credential
from enfilade.core.errors import InternalError, InvalidRequest
from enfilade.core.scope import Scope
from enfilade.identity.errors import PermissionMissing, UnknownTenant
from enfilade.identity.principals import Principal
from enfilade.identity.scopes import narrowed_to
from enfilade.identity.sign_in.errors import CsrfRefused
from enfilade.identity.sign_in.sessions import csrf_of
from enfilade.identity.sign_in.types import Session

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing: the browser's cookie alone is enough for them."""
CSRF_HEADER = b"x-csrf-token"

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

    def __init__(self, permission: str | None, reach: Reach = "any") -> None:
        """Require `permission`, or with None no more than a valid key."""
        self.permission = permission
        self.reach = reach

    async def __call__(
        self,
        request: Request,
        tenant: Annotated[
            str | None, Query(max_length=100, description="The tenant's name or id; for the platform's keys only.")
        ] = None,
    ) -> Actor:
        """Authenticate and authorise. Raises Unauthenticated, Forbidden, UnknownTenant, TenantRequired."""
        context: AdminContext = request.app.state.context
        principal, session = await authenticate(context, request.scope)
        if self.permission is not None and not principal.scope.may(self.permission):
            message = f"The key's roles do not include `{self.permission}`."
            raise PermissionMissing(message, details={"permission": self.permission})
        if not principal.scope.is_platform:
            if self.reach == "platform":
                message = "This belongs to the platform; a tenant's key cannot reach it."
                raise PermissionMissing(message, details={"permission": self.permission})
            return Actor(principal, principal.scope, _own_tenant(principal, tenant), session)
        if tenant is None or self.reach == "platform":
            if self.reach == "one":
                message = "Say which tenant is meant."
                raise TenantRequired(message, param="tenant")
            return Actor(principal, principal.scope, None, session)
        found = context.principals.tenant_named(tenant)
        if found is None or found.id == principal.scope.tenant:
            raise _unknown(tenant)
        return Actor(principal, narrowed_to(principal.scope, found.id), found.id, session)


def _context(request: Request) -> AdminContext:
    context: AdminContext = request.app.state.context
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
