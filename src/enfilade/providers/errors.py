"""What a provider can do wrong, in our words. None of these ever shows its address, its key or its own stack.

`may_retry`: another attempt may succeed. `may_have_cost`: bytes went out and no answer says that nothing was spent.
"""

from typing import ClassVar

from enfilade.core.errors import InvalidRequest, NotFound, UpstreamFailed


class ProviderError(UpstreamFailed):
    """A provider did not answer as it should."""

    code = "provider_error"
    may_retry: ClassVar[bool] = False
    may_fall_back: ClassVar[bool] = True
    may_have_cost: ClassVar[bool] = False
    upstream_status: int | None = None


class ConnectFailed(ProviderError):
    """No connection could be made: refused, unreachable, unknown host, or TLS failed."""

    code = "provider_unreachable"
    may_retry = True


class AddressForbidden(ProviderError):
    """The provider's address is private, and its configuration does not allow that."""

    code = "provider_address_forbidden"
    remedy = "An administrator can set `allow_private_network: true` if the address is meant."


class ProviderTimeout(ProviderError):
    """The provider did not connect, begin or go on in time."""

    code = "provider_timeout"
    status = 504
    may_have_cost = True


class ConnectTimeout(ProviderError):
    """The connection was not made in time; nothing was sent."""

    code = "provider_connect_timeout"
    status = 504
    may_retry = True


class ConnectionBroken(ProviderError):
    """The connection ended before the reply did."""

    code = "provider_connection_broken"
    may_have_cost = True


class UnreadableResponse(ProviderError):
    """The provider answered something that is no HTTP, too large, compressed in an unknown way, or not what was asked."""

    code = "provider_response_unreadable"
    may_have_cost = True


class ProviderBusy(ProviderError):
    """All connections that the provider's configuration allows are in use."""

    code = "provider_busy"
    status = 503
    may_retry = True


class ProviderRateLimited(ProviderError):
    """The provider limits us."""

    code = "provider_rate_limited"
    status = 429
    remedy = "Wait as long as `retry-after` says; the limit is the provider's, not yours."
    may_retry = True


class ProviderOverloaded(ProviderError):
    """The provider says that it cannot serve now."""

    code = "provider_overloaded"
    status = 503
    may_retry = True


class ProviderFault(ProviderError):
    """The provider failed inside."""

    code = "provider_fault"
    may_retry = True


class ProviderConflict(ProviderError):
    """The provider reports a conflict, which usually passes."""

    code = "provider_conflict"
    status = 409
    may_retry = True


class CredentialsRefused(ProviderError):
    """The provider does not accept the key that Enfilade holds for it."""

    code = "provider_credentials_refused"
    remedy = "An administrator must check the provider's key; yours is fine."


class CredentialMissing(ProviderError):
    """The provider's key is a reference that leads nowhere."""

    code = "provider_credential_missing"
    remedy = (
        "An administrator must set the variable, the file, the secret in Vault or the value to which the provider's "
        "`api_key` refers; Enfilade's log says what was looked for."
    )


class QuotaExhausted(ProviderError):
    """What Enfilade's account with the provider may use is used up: no credit, or a quota that no short wait renews."""

    code = "provider_quota_exhausted"
    remedy = "An administrator must see to the account with the provider; your own budget is not concerned."


class UpstreamModelMissing(ProviderError):
    """The provider does not know the model under the name in the deployment."""

    code = "provider_model_missing"
    remedy = "An administrator must correct the deployment's model name."


class RequestRefused(ProviderError):
    """The provider does not accept what the caller sent."""

    code = "provider_refused_request"
    status = 400
    remedy = "Correct the request as the message says."
    may_fall_back = False


class RequestTooLarge(ProviderError):
    """The provider finds the request too large."""

    code = "provider_request_too_large"
    status = 413
    remedy = "Send less, or use a model with a larger context."
    may_fall_back = False


class ContextExceeded(RequestRefused):
    """The provider finds the request longer than the model's context."""

    code = "provider_context_exceeded"
    remedy = "Send less, or use a model with a larger context."


class ContentRefused(RequestRefused):
    """The provider's content filter refuses what the caller sent."""

    code = "provider_content_filter"
    remedy = "Change the content; where the provider says what it found, `details` has it."


class StreamFailed(ProviderError):
    """The provider reported an error after its stream had begun."""

    code = "provider_stream_failed"
    may_have_cost = True


class UnknownProvider(NotFound):
    """There is no such provider."""

    code = "provider_not_found"


class InvalidProvider(InvalidRequest):
    """A provider's specification does not fit."""

    code = "invalid_provider"
    status = 422
