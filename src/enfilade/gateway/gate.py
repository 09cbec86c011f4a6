"""The decision whether a call is allowed, after it is known who could answer it and before anything is held for it.

Each candidate deployment is asked about by itself, fallbacks too: what may not be used is left out, so that nothing
later on the line can fall back to it. For tenants without policies this is one look-up.
"""

from collections.abc import Callable, Iterable

from enfilade.access.decisions import TenantAccess
from enfilade.access.errors import AccessDenied, UseCaseNotRegistered, UseCaseRequired
from enfilade.access.explain import refusal_of
from enfilade.access.near import MOST_TRIED, usual_use_cases
from enfilade.access.seats import Place, Seat
from enfilade.access.service import Access
from enfilade.access.types import ActionName, Caller, Circumstances, Decision, Resource, ResourceKind
from enfilade.core.clock import Clock
from enfilade.core.scope import Scope
from enfilade.gateway.catalogue import Catalogue
from enfilade.gateway.resolve import is_allowed
from enfilade.gateway.types import Call, Hints, Target
from enfilade.identity.principal import Principal
from enfilade.identity.principals import Principals
from enfilade.identity.types import Application

Finder = Callable[[Call], list[Target]]
MOST_MODELS = 5


class Gate:
    """Finds deployments for a call, and leaves out those that it may not use."""

    def __init__(
        self, find: Finder, access: Access, principals: Principals, catalogue: Catalogue, clock: Clock
    ) -> None:
        """Ask `access` about what `find` finds."""
        self._find = find
        self._access = access
        self._principals = principals
        self._catalogue = catalogue
        self._clock = clock

    def __call__(self, call: Call) -> list[Target]:
        """The deployments that may answer the call. Raises what finding raises, AccessDenied, UseCaseRequired,
        UseCaseNotRegistered.
        """
        targets = self._find(call)
        application = call.principal.application
        if application is not None and application.spec.settings.use_cases:
            settle_use_case(call, application)
        guard = self._access.guard(call.scope.tenant)
        return targets if guard is None else self._allowed(guard, call, targets)

    def _allowed(self, guard: TenantAccess, call: Call, targets: list[Target]) -> list[Target]:
        require_use_case(guard, call.hints.use_case)
        seat = self.seat(guard, call.scope)
        decisions: dict[str, Decision] = {}
        allowed = []
        for target in targets:
            context = self.context(guard, seat, target.model, call.hints.use_case, call.address)
            decision = guard.decide(seat, ActionName.CALL, place_of(guard, target), context)
            decisions[target.label] = decision
            if decision.allowed:
                allowed.append(target)
        if not allowed:
            first = targets[0]
            call.decisions = {first.label: decisions[first.label]}
            raise self._refusal(guard, seat, call, first, decisions[first.label])
        call.decisions = decisions
        return allowed

    def _refusal(self, guard: TenantAccess, seat: Seat, call: Call, target: Target, decision: Decision) -> AccessDenied:
        context = self.context(guard, seat, target.model, call.hints.use_case, call.address)
        place = place_of(guard, target)
        key = (seat.number, place.number, context.use_case)
        models = guard.helped.get(key)
        if models is None and context.use_case not in usual_use_cases(guard):
            models = ()  # Callers can think of use cases without end: looking for help must not be what keeps us busy.
        elif models is None:
            models = guard.helped[key] = tuple(self._other_models(guard, call, seat))
        return refusal_of(guard, seat, place, context, decision, models)

    def _other_models(self, guard: TenantAccess, call: Call, seat: Seat) -> Iterable[str]:
        """Some models that the same caller could call just so."""
        found = 0
        for name in self._catalogue.model_names()[:MOST_TRIED]:
            if name.endswith("*") or not is_allowed(call.principal, name):
                continue
            if self._may(guard, seat, name, call.hints.use_case, call.address):
                yield name
                found += 1
                if found == MOST_MODELS:
                    return

    def may_call(self, principal: Principal, name: str) -> bool:
        """Whether the key may call the model for any use case that is known of."""
        guard = self._access.guard(principal.scope.tenant)
        if guard is None or not guard.has_policies:
            return True
        seat = self.seat(guard, principal.scope)
        return any(self._may(guard, seat, name, use_case, None) for use_case in usual_use_cases(guard))

    def _may(self, guard: TenantAccess, seat: Seat, name: str, use_case: str | None, address: str | None) -> bool:
        entry = self._catalogue.resolve(name, 0, Hints())
        if entry is None:
            return False
        context = self.context(guard, seat, entry.name, use_case, address)
        return any(
            guard.decide(seat, ActionName.CALL, place_of(guard, target), context).allowed for target in entry.targets
        )

    def seat(self, guard: TenantAccess, scope: Scope) -> Seat:
        """The caller of a scope."""
        key = (scope.key, scope.user, scope.application, scope.department, scope.roles)
        return guard.find_seat(key) or guard.seat(key, caller_of(self._principals, scope))

    def context(
        self, guard: TenantAccess, seat: Seat, model: str, use_case: str | None, address: str | None
    ) -> Circumstances:
        """What holds now."""
        now_ns = self._clock.now_ns()
        approvals: frozenset[str] = frozenset()
        if guard.needs_approvals:
            caller = seat.caller
            approvals = self._access.approvals.active(
                guard.tenant, caller.user_id, caller.application_id, model, use_case, now_ns
            )
            data_class = guard.data_class(Circumstances(use_case))
            approvals |= self._access.approvals.of_data_class(guard.tenant, use_case, data_class, now_ns)
        return Circumstances(use_case, None, address, now_ns, approvals, bool(approvals))


def require_use_case(guard: TenantAccess, use_case: str | None) -> None:
    """Raise UseCaseRequired or UseCaseNotRegistered where the tenant wants one that it knows."""
    mode = guard.content.use_cases
    if mode == "free" or (use_case is None and mode == "known"):
        return
    if use_case is None:
        message = "Calls of this tenant name what they are for, and this one does not."
        raise UseCaseRequired(message, param="x-enfilade-use-case")
    if use_case not in guard.use_cases:
        message = f"The use case {use_case!r} is not in the register."
        raise UseCaseNotRegistered(message, param="x-enfilade-use-case")


def settle_use_case(call: Call, application: Application) -> None:
    """Hold the call to what its application may be used for. Raises AccessDenied, UseCaseRequired."""
    allowed = application.spec.settings.use_cases
    if call.hints.use_case is None and len(allowed) == 1:
        call.hints.use_case = allowed[0]
    if call.hints.use_case in allowed:
        return
    if call.hints.use_case is None:
        message = f"The application {application.spec.name!r} is used for {', '.join(allowed)}: say for which."
        raise UseCaseRequired(message, param="x-enfilade-use-case")
    call.decisions = {"": Decision(allowed=False, reason="application")}
    message = (
        f"The application {application.spec.name!r} may be used for {', '.join(allowed)}, "
        f"not for {call.hints.use_case!r}."
    )
    details = {"reason": "application", "policies": [], "missing": [], "use_cases": list(allowed), "models": []}
    raise AccessDenied(message, param="x-enfilade-use-case", details=details)


def caller_of(principals: Principals, scope: Scope) -> Caller:
    """Who asks, by name. The department is the one that pays: an application's own before its user's."""
    tenant = scope.tenant

    def name(kind: str, identifier: str | None) -> str | None:
        return None if identifier is None else principals.subject_name(tenant, kind, identifier)

    person = principals.person(tenant, scope.user) if scope.user is not None else None
    roles = scope.roles
    if person is not None and scope.application is None:
        roles |= frozenset(person.spec.roles)
    attributes = person.spec.attributes if person is not None else {}
    return Caller(
        user=name("user", scope.user),
        application=name("application", scope.application),
        key=name("key", scope.key),
        department=name("department", scope.department),
        roles=roles,
        attributes=tuple(
            (word, tuple(value) if isinstance(value, list) else value) for word, value in sorted(attributes.items())
        ),
        user_id=scope.user,
        application_id=scope.application,
        key_id=scope.key,
    )


def place_of(guard: TenantAccess, target: Target) -> Place:
    """A deployment, as policies see it."""
    spec = target.provider.spec
    key = (target.model, target.label, spec.zone, target.region)
    return guard.find_place(key) or guard.place(key, resource_of(target))


def resource_of(target: Target) -> Resource:
    """The same, for questions."""
    spec = target.provider.spec
    return Resource(ResourceKind.DEPLOYMENT, target.label, target.model, spec.name, spec.zone, target.region)
