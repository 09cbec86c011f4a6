"""Errors as services write them, and what each becomes. The words are those of their public documentation and SDKs."""

import json
from dataclasses import dataclass, field
from typing import Any

from enfilade.providers.errors import (
    ContentRefused,
    ContextExceeded,
    CredentialsRefused,
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


@dataclass(frozen=True)
class ErrorCase:
    """One error reply of one kind of provider."""

    kind: str
    status: int
    body: Any
    becomes: type[ProviderError]
    says: str | None = None
    """Words that reach the caller; None where nothing is quoted."""
    param: str | None = None
    retry_after: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """As the tests are named."""
        words = self.body if isinstance(self.body, bytes) else json.dumps(self.body)
        return f"{self.kind} {self.status} {words[:60]!r}"


def openai(message: str, kind: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """OpenAI's form."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def anthropic(kind: str, message: str) -> dict[str, Any]:
    """Anthropic's form."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """Google's form."""
    typed = [{**detail, "@type": f"type.googleapis.com/google.rpc.{detail['@type']}"} for detail in details]
    return {"error": {"code": code, "message": message, "status": status, "details": typed}}


INVALID = "invalid_request_error"
FILTERED = {"hate": {"filtered": True, "severity": "high"}, "jailbreak": {"filtered": False, "detected": False}}
CASES = [
    # OpenAI
    ErrorCase(
        "openai",
        400,
        openai(
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
            INVALID,
            "unsupported_parameter",
            "max_tokens",
        ),
        RequestRefused,
        "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
        "max_tokens",
    ),
    ErrorCase("openai", 404, openai("The model `m` does not exist", INVALID, "model_not_found"), UpstreamModelMissing),
    ErrorCase("openai", 400, openai("Invalid 'model'", INVALID, None, "model"), UpstreamModelMissing, param=None),
    ErrorCase("openai", 401, openai("Incorrect API key: sk-wr****key", INVALID, "invalid_api_key"), CredentialsRefused),
    ErrorCase("openai", 403, openai("Country", "x", "unsupported_country_region_territory"), CredentialsRefused),
    ErrorCase("openai", 429, openai("You exceeded", "insufficient_quota", "insufficient_quota"), QuotaExhausted),
    ErrorCase(
        "openai",
        429,
        openai("Rate limit reached", "requests", "rate_limit_exceeded"),
        ProviderRateLimited,
        retry_after=3.0,
        headers={"retry-after": "3", "x-ratelimit-reset-requests": "1m0s", "x-ratelimit-remaining-requests": "0"},
    ),
    ErrorCase(
        "openai",
        429,
        openai("Rate limit reached", "tokens", "rate_limit_exceeded"),
        ProviderRateLimited,
        retry_after=366.5,
        headers={
            "x-ratelimit-remaining-requests": "99",
            "x-ratelimit-reset-requests": "120ms",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "6m6.5s",
        },
    ),
    ErrorCase(
        "openai",
        429,
        openai("Rate limit reached", "tokens"),
        ProviderRateLimited,
        retry_after=0.12,
        headers={"x-ratelimit-reset-requests": "120ms", "x-ratelimit-reset-tokens": "2s"},
    ),
    ErrorCase("openai", 429, openai("x", "x"), ProviderRateLimited, headers={"x-ratelimit-reset-requests": "sometime"}),
    ErrorCase(
        "openai",
        400,
        openai("Maximum context length is 8192 tokens.", INVALID, "context_length_exceeded", "messages"),
        ContextExceeded,
        "Maximum context length is 8192 tokens.",
        "messages",
    ),
    ErrorCase("openai", 400, openai("Not allowed", INVALID, "content_policy_violation"), ContentRefused, "Not allowed"),
    ErrorCase("openai", 503, openai("Overloaded", "server_error"), ProviderOverloaded),
    ErrorCase("openai", 500, openai("The server had an error", "server_error"), ProviderFault),
    # Anthropic
    ErrorCase("anthropic", 529, anthropic("overloaded_error", "Overloaded"), ProviderOverloaded),
    ErrorCase("anthropic", 413, anthropic("request_too_large", "Too large"), RequestTooLarge, "Too large"),
    ErrorCase("anthropic", 402, anthropic("billing_error", "Pay"), QuotaExhausted),
    ErrorCase(
        "anthropic",
        400,
        anthropic(INVALID, "Your credit balance is too low to access the Anthropic API."),
        QuotaExhausted,
    ),
    ErrorCase("anthropic", 504, anthropic("timeout_error", "Timeout"), ProviderTimeout),
    ErrorCase("anthropic", 403, anthropic("permission_error", "No"), CredentialsRefused),
    ErrorCase("anthropic", 404, anthropic("not_found_error", "model: claude-9"), UpstreamModelMissing),
    ErrorCase(
        "anthropic",
        400,
        anthropic(INVALID, "prompt is too long: 210000 tokens > 200000 maximum"),
        ContextExceeded,
        "prompt is too long: 210000 tokens > 200000 maximum",
    ),
    ErrorCase(
        "anthropic",
        400,
        anthropic(INVALID, "messages: text content blocks must be non-empty"),
        RequestRefused,
        "messages: text content blocks must be non-empty",
    ),
    ErrorCase(
        "anthropic",
        429,
        anthropic("rate_limit_error", "This would exceed your rate limit"),
        ProviderRateLimited,
        retry_after=12.0,
        headers={"retry-after": "12"},
    ),
    # Google
    ErrorCase(
        "vertex",
        400,
        google(400, "INVALID_ARGUMENT", "API key not valid.", {"@type": "ErrorInfo", "reason": "API_KEY_INVALID"}),
        CredentialsRefused,
    ),
    ErrorCase(
        "vertex",
        400,
        google(
            400,
            "INVALID_ARGUMENT",
            "Bad value",
            {"@type": "BadRequest", "fieldViolations": [{"field": "contents[0].parts", "description": "x"}]},
        ),
        RequestRefused,
        "Bad value",
        "contents[0].parts",
    ),
    ErrorCase(
        "vertex",
        429,
        google(429, "RESOURCE_EXHAUSTED", "Quota", {"@type": "RetryInfo", "retryDelay": "34.07s"}),
        ProviderRateLimited,
        retry_after=34.07,
    ),
    ErrorCase(
        "vertex",
        429,
        google(
            429,
            "RESOURCE_EXHAUSTED",
            "Quota",
            {"@type": "QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]},
            {"@type": "RetryInfo", "retryDelay": "40s"},
        ),
        QuotaExhausted,
        retry_after=40.0,
    ),
    ErrorCase("vertex", 503, google(503, "UNAVAILABLE", "The model is overloaded."), ProviderOverloaded),
    ErrorCase("vertex", 504, google(504, "DEADLINE_EXCEEDED", "Deadline"), ProviderTimeout),
    ErrorCase("vertex", 499, google(499, "CANCELLED", "Cancelled"), ProviderTimeout),
    ErrorCase("vertex", 404, google(404, "NOT_FOUND", "models/m is not found"), UpstreamModelMissing),
    ErrorCase("vertex", 403, google(403, "PERMISSION_DENIED", "No"), CredentialsRefused),
    ErrorCase("vertex", 500, google(500, "INTERNAL", "An internal error"), ProviderFault),
    ErrorCase("vertex", 400, [google(400, "INVALID_ARGUMENT", "In an array")], RequestRefused, "In an array"),
    ErrorCase(
        "vertex",
        400,
        google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        CredentialsRefused,
    ),
    ErrorCase("vertex", 401, google(401, "UNAUTHENTICATED", "Expired"), CredentialsRefused),
    # Azure
    ErrorCase(
        "azure_openai",
        400,
        {
            "error": {
                "message": "The response was filtered. Read https://go.microsoft.com/fwlink",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": FILTERED},
            }
        },
        ContentRefused,
        "The response was filtered. Read [address]",
        "prompt",
        details={"content_filter": FILTERED},
    ),
    ErrorCase("azure_openai", 401, {"error": {"code": "401", "message": "Access denied"}}, CredentialsRefused),
    ErrorCase("azure_openai", 401, {"statusCode": 401, "message": "Unauthorized"}, CredentialsRefused),
    ErrorCase("azure_openai", 404, {"error": {"code": "DeploymentNotFound", "message": "x"}}, UpstreamModelMissing),
    ErrorCase(
        "azure_openai",
        429,
        {"error": {"code": "429", "message": "Requests have exceeded the rate limit."}},
        ProviderRateLimited,
        retry_after=1.5,
        headers={"retry-after-ms": "1500", "retry-after": "2"},
    ),
    # Bedrock's words, as its adapter passes them on
    ErrorCase("openai_compatible", 429, {"code": "ThrottlingException", "message": "Slow"}, ProviderRateLimited),
    ErrorCase("openai_compatible", 429, {"code": "ModelNotReadyException"}, ProviderOverloaded),
    ErrorCase("openai_compatible", 424, {"code": "ModelErrorException", "message": "x"}, ProviderFault),
    ErrorCase("openai_compatible", 408, {"code": "ModelTimeoutException", "message": "x"}, ProviderTimeout),
    ErrorCase("openai_compatible", 400, {"code": "ServiceQuotaExceededException"}, QuotaExhausted),
    ErrorCase(
        "openai_compatible",
        400,
        {"code": "ValidationException", "message": "The provided model identifier is invalid."},
        UpstreamModelMissing,
    ),
    # Others
    ErrorCase("openai_compatible", 400, {"detail": "Voyage says no"}, RequestRefused, "Voyage says no"),
    ErrorCase("cohere", 400, {"id": "1", "message": "invalid request: x"}, RequestRefused, "invalid request: x"),
    ErrorCase("cohere", 404, {"id": "1", "message": "model 'x' not found"}, UpstreamModelMissing),
    ErrorCase("cohere", 498, {"message": "invalid token"}, CredentialsRefused),
    ErrorCase("cohere", 499, {"message": "request cancelled"}, ProviderTimeout),
    ErrorCase("groq", 404, openai("The model `x` does not exist", INVALID, "model_not_found"), UpstreamModelMissing),
    ErrorCase("groq", 400, openai("Gone", INVALID, "model_decommissioned"), UpstreamModelMissing),
    ErrorCase("groq", 498, openai("Flex capacity", "x"), ProviderOverloaded),
    ErrorCase(
        "groq", 413, openai("Too large: TPM", "tokens", "rate_limit_exceeded"), RequestTooLarge, "Too large: TPM"
    ),
    ErrorCase(
        "groq",
        429,
        openai("TPM", "tokens", "rate_limit_exceeded"),
        ProviderRateLimited,
        retry_after=7.66,
        headers={"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7.66s"},
    ),
    ErrorCase(
        "mistral",
        422,
        {
            "object": "error",
            "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "store"], "msg": "Extra inputs"}]},
            "type": INVALID,
            "param": None,
            "code": None,
        },
        RequestRefused,
        "Extra inputs",
        "store",
    ),
    ErrorCase(
        "mistral",
        400,
        {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"},
        UpstreamModelMissing,
    ),
    ErrorCase(
        "mistral",
        429,
        {"object": "error", "message": "Service tier capacity", "type": "service_tier_capacity_exceeded"},
        ProviderOverloaded,
    ),
    ErrorCase("deepseek", 402, openai("Insufficient Balance", "unknown_error", INVALID), QuotaExhausted),
    ErrorCase("deepseek", 400, openai("Model Not Exist", INVALID, INVALID), UpstreamModelMissing),
    ErrorCase("openrouter", 402, {"error": {"code": 402, "message": "Insufficient credits"}}, QuotaExhausted),
    ErrorCase(
        "openrouter",
        403,
        {"error": {"code": 403, "message": "Flagged", "metadata": {"reasons": ["violence"], "flagged_input": "…"}}},
        ContentRefused,
        "Flagged",
    ),
    ErrorCase("openrouter", 502, {"error": {"code": 502, "message": "Upstream"}}, ProviderFault),
    ErrorCase(
        "xai", 400, {"code": "Invalid argument", "error": "Incorrect API key provided: xa**"}, CredentialsRefused
    ),
    ErrorCase("xai", 422, {"code": "Bad", "error": "Failed to deserialize"}, RequestRefused, "Failed to deserialize"),
    ErrorCase(
        "vllm",
        400,
        {"object": "error", "message": "x is bad", "type": "BadRequestError", "param": None, "code": 400},
        RequestRefused,
        "x is bad",
    ),
    ErrorCase(
        "vllm", 404, {"object": "error", "message": "x", "type": "NotFoundError", "code": 404}, UpstreamModelMissing
    ),
    ErrorCase(
        "vllm",
        400,
        {"object": "error", "message": "This model's maximum context length is 10.", "code": 400},
        ContextExceeded,
        "This model's maximum context length is 10.",
    ),
    ErrorCase("tgi", 429, {"error": "Model is overloaded", "error_type": "overloaded"}, ProviderOverloaded),
    ErrorCase("tgi", 422, {"error": "`top_p` must be", "error_type": "validation"}, RequestRefused, "`top_p` must be"),
    ErrorCase("tgi", 424, {"error": "Request failed", "error_type": "generation"}, ProviderFault),
    ErrorCase(
        "llamacpp", 503, {"error": {"code": 503, "message": "Loading", "type": "unavailable_error"}}, ProviderOverloaded
    ),
    ErrorCase(
        "llamacpp",
        400,
        {"error": {"code": 400, "message": "too big", "type": "exceed_context_size_error"}},
        ContextExceeded,
        "too big",
    ),
    ErrorCase("ollama", 404, {"error": {"message": "model 'x' not found", "type": "api_error"}}, UpstreamModelMissing),
    ErrorCase(
        "sglang",
        422,
        {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Field required", "type": "missing"}]},
        RequestRefused,
        "Field required",
        "messages.0.role",
    ),
    ErrorCase("openai_compatible", 400, {"errors": [{"code": 5007, "message": "No such"}]}, RequestRefused, "No such"),
    ErrorCase("openai_compatible", 502, b"<html><h1>Bad Gateway</h1></html>", ProviderFault),
    ErrorCase("openai_compatible", 403, b"<html>Forbidden by proxy</html>", CredentialsRefused),
    ErrorCase("openai_compatible", 524, b"error code: 524", ProviderTimeout),
    ErrorCase("openai_compatible", 429, b"", ProviderRateLimited),
    ErrorCase("openai_compatible", 400, b'{"error": {"message": "half', RequestRefused),
]
