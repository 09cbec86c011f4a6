"""The words by which services name their errors, and what each means to us.

Sources: the error pages of the services, the SDKs' exception classes, botocore's service model of Bedrock, and
google/rpc/code.proto.
"""

import re
from collections.abc import Mapping

from enfilade.providers.error_reports import ErrorReport
from enfilade.providers.errors import (
    ContentRefused,
    ContextExceeded,
    CredentialsRefused,
    ProviderConflict,
    ProviderError,
    ProviderFault,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    QuotaExhausted,
    RequestRefused,
    RequestTooLarge,
    UpstreamModelMissing,
)

Kind = type[ProviderError]


def _meaning(*meanings: tuple[Kind, str]) -> dict[str, Kind]:
    return {word.lower(): kind for kind, words in meanings for word in words.split()}


_TELLING = _meaning(
    (
        QuotaExhausted,
        """
        insufficient_quota billing_hard_limit_reached billing_not_active billing_error insufficient_balance
        exceeded_current_quota_error quota_of_the_day ServiceQuotaExceededException
        """,
    ),
    (
        CredentialsRefused,
        """
        invalid_api_key api_key_invalid api_key_expired api_key_service_blocked authentication_error unauthenticated
        account_deactivated unsupported_country_region_territory UnrecognizedClientException ExpiredTokenException
        InvalidSignatureException IncompleteSignatureException MissingAuthenticationTokenException
        AccessDeniedException
        """,
    ),
    (
        UpstreamModelMissing,
        """
        model_not_found DeploymentNotFound model_decommissioned invalid_model model_not_available
        ResourceNotFoundException
        """,
    ),
    (ContentRefused, "content_filter content_policy_violation ResponsibleAIPolicyViolation moderation_blocked"),
    (ContextExceeded, "context_length_exceeded exceed_context_size_error"),
    (RequestTooLarge, "request_too_large"),
    (
        ProviderOverloaded,
        """
        overloaded_error overloaded engine_overloaded unavailable unavailable_error capacity_exceeded
        service_tier_capacity_exceeded ModelNotReadyException ServiceUnavailableException
        """,
    ),
    (
        ProviderRateLimited,
        """
        rate_limit_exceeded rate_limit_error rate_limited resource_exhausted too_many_requests ThrottlingException
        TooManyRequestsException
        """,
    ),
    (ProviderTimeout, "timeout_error deadline_exceeded cancelled ModelTimeoutException"),
)
"""Words that say more than the status."""
_PLAIN = _meaning(
    (
        ProviderFault,
        """
        server_error api_error internal internal_error internal_server_error unknown data_loss aborted
        InternalServerException ModelErrorException ModelStreamErrorException
        """,
    ),
    (
        RequestRefused,
        """
        invalid_request_error invalid_argument failed_precondition out_of_range invalid_prompt invalid_value
        unsupported_parameter unsupported_value BadRequestError ValidationException validation
        """,
    ),
    (CredentialsRefused, "permission_error permission_denied"),
    (UpstreamModelMissing, "not_found_error not_found NotFoundError"),
    (ProviderConflict, "conflict_error already_exists ConflictException"),
)
"""Words that say what the status says, or less: they count where there is no such status."""
_PHRASES: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"^your credit balance is too low", QuotaExhausted),
        (r"^(?:incorrect|invalid) api key|^api key (?:not valid|not found|expired)", CredentialsRefused),
        (r"^user location is not supported", CredentialsRefused),
        (r"^(?:the provided model identifier is invalid|model not exist|invalid model)", UpstreamModelMissing),
        (
            r"maximum context length|^prompt is too long|^input is too long|exceeds? the available context",
            ContextExceeded,
        ),
        (r"^the input token count.* exceeds the maximum", ContextExceeded),
        (r"^output blocked by content filtering", ContentRefused),
    )
)
"""Beginnings of messages that come with a plain 400 and mean something else."""


def kind_by_words(status: int, report: ErrorReport) -> Kind | None:
    """What the words of an error say that its status does not; None when the status knows best."""
    if status == 413:
        return RequestTooLarge  # Also where a limit is named: no waiting makes this request small enough.
    kind = _first(_TELLING, report)
    if kind is None and status in {200, 400, 422}:
        kind = _by_message(report) or (UpstreamModelMissing if report.param == "model" else None)
    if kind is None and status == 200:
        kind = _first(_PLAIN, report)
    return kind


def _first(meanings: Mapping[str, Kind], report: ErrorReport) -> Kind | None:
    return next((kind for word in report.words if (kind := meanings.get(word.lower())) is not None), None)


def _by_message(report: ErrorReport) -> Kind | None:
    said = report.message
    return None if said is None else next((kind for pattern, kind in _PHRASES if pattern.search(said)), None)
