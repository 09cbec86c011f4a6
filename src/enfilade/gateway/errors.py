"""Why a call does not get through the line."""

from enfilade.core.errors import (
    EnfiladeError,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unavailable,
    UpstreamFailed,
)


class ModelNotFound(NotFound):
    """There is no model or alias of that name."""

    code = "model_not_found"
    remedy = "`GET /v1/models` lists the models that you may use."


class ModelNotAllowed(Forbidden):
    """The tenant or the application may not use this model."""

    code = "model_not_allowed"
    remedy = "Ask your platform team to extend `allowed_models`; `GET /v1/models` lists what you may use."


class DialectNotServed(InvalidRequest):
    """None of the model's deployments speaks the dialect of the request."""

    code = "dialect_not_served"
    remedy = "Call the model at the address that the message names, or choose another model."


class CapabilityMissing(InvalidRequest):
    """The model is known not to do what the request asks for."""

    code = "capability_missing"
    remedy = "Use a model that can; an administrator can correct the model's `capabilities` if this is wrong."


class KeyCannotCall(Forbidden):
    """The key stands for no application and no user, so nobody could be charged."""

    code = "key_cannot_call_models"
    remedy = "Use an application's or a user's key."


class OutOfScope(Forbidden):
    """The key's scopes leave no calls of this kind."""

    code = "out_of_scope"
    remedy = "Use a key whose scopes include such calls, or have this key's extended."


class TokensPerRequestExceeded(InvalidRequest):
    """The request is larger than the tenant allows for one."""

    code = "tokens_per_request_exceeded"
    remedy = "Send less, or lower `max_tokens`."


class NoDeployment(Unavailable):
    """The model has no deployment that can be called now."""

    code = "no_deployment"
    remedy = "Try again after `retry-after`; an administrator can see why in the deployments' health."


class Draining(Unavailable):
    """This process is shutting down and takes no new calls."""

    code = "draining"
    remedy = "Send the request again: another process, or this one after its restart, will take it."


class ClientGone(EnfiladeError):
    """The caller ended the connection before the answer. Nobody sees this; the record says it."""

    code = "client_gone"
    status = 499


class Interrupted(UpstreamFailed):
    """The call was ended by this process's shutdown."""

    code = "interrupted"
    status = 503
    remedy = "Send the request again."


class InvalidModel(InvalidRequest):
    """A model's or an alias's specification does not fit."""

    code = "invalid_model"
    status = 422


class UnknownModel(NotFound):
    """There is no such model in the catalogue."""

    code = "catalogue_model_not_found"


class UnknownAlias(NotFound):
    """There is no such alias in the catalogue."""

    code = "alias_not_found"


class InvalidHeader(InvalidRequest):
    """One of Enfilade's own request headers does not fit."""

    code = "invalid_header"
