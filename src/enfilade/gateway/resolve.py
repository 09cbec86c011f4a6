"""Which deployments may answer a call, in which order."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from enfilade.dialects.codec import Operation
from enfilade.dialects.translation.passage import Translator
from enfilade.gateway.capabilities.check import able
from enfilade.gateway.catalogue import Catalogue
from enfilade.gateway.errors import (
    DialectNotServed,
    KeyCannotCall,
    ModelNotAllowed,
    ModelNotFound,
    NoDeployment,
    OutOfScope,
)
from enfilade.gateway.types import Call, Target
from enfilade.identity.principal import Principal
from enfilade.identity.roles.narrowing import UNBOUND


def resolve(catalogue: Catalogue, translator: Translator, call: Call) -> list[Target]:
    """The deployments of the model that the call asks for, then those of its fallbacks.

    Raises KeyCannotCall, OutOfScope, ModelNotFound, ModelNotAllowed, NoDeployment, DialectNotServed,
    CapabilityMissing.
    """
    if call.scope.application is None and call.scope.user is None:
        message = "This key stands for no application and no user."
        raise KeyCannotCall(message)
    require_in_scope(call.principal, call.dialect.operation, call.dialect.name)
    name = call.request.model
    entry = catalogue.resolve(name, call.request.size, call.hints)
    if entry is None:
        message = f"There is no model {name!r}."
        raise ModelNotFound(message, param="model")
    if not (is_allowed(call.principal, name) or is_allowed(call.principal, entry.name)):
        message = f"The model {name!r} may not be used with this key."
        raise ModelNotAllowed(message, param="model")
    targets = catalogue.order(entry)
    for fallback in entry.spec.fallbacks:
        other = catalogue.entry(fallback)
        if other is not None and is_allowed(call.principal, fallback):
            targets = targets + catalogue.order(other)
    return able(call, _speaking(translator, call, targets))


def _speaking(translator: Translator, call: Call, targets: Sequence[Target]) -> list[Target]:
    """Those that speak the caller's dialect, or one into which it can be translated."""
    if not targets:
        message = f"The model {call.request.model!r} has no deployment whose provider is usable."
        raise NoDeployment(message, retry_after=5)
    speaking = [target for target in targets if translator.ways(call.dialect, target.dialects)]
    if not speaking and call.dialect.operation is Operation.COUNT:
        return list(targets)  # Where no provider counts, we estimate.
    if not speaking:
        spoken = sorted({name for target in targets for name in target.dialects})
        message = (
            f"The model {call.request.model!r} is served in {', '.join(spoken) or 'no dialect'} only, into which "
            f"{call.dialect.name} is not translated."
        )
        raise DialectNotServed(message, param="model")
    return speaking


def is_allowed(principal: Principal, model: str) -> bool:
    """Whether the tenant, the application and the key may use a model."""
    application = principal.application
    models = principal.narrowing.models
    return (
        matches(principal.tenant.spec.allowed_models, model)
        and (application is None or matches(application.spec.allowed_models, model))
        and (models is None or matches(models, model))
    )


def require_in_scope(principal: Principal, operation: Operation, dialect: str) -> None:
    """Refuse calls that the key's scopes leave out. Raises OutOfScope."""
    narrowing = principal.narrowing
    if narrowing is not UNBOUND and not narrowing.lets_call(operation.value, dialect):
        message = f"The scopes of this key leave no calls to {operation.value} in {dialect}."
        raise OutOfScope(message)


def matches(patterns: Sequence[str], model: str) -> bool:
    """Whether one of the patterns is, or fits, the model's name."""
    return "*" in patterns or model in patterns or any(fnmatchcase(model, pattern) for pattern in patterns)
