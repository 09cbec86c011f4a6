"""Every kind of provider that is reached over HTTP: what its error replies become."""

import json
from email.utils import format_datetime
from typing import Any

import pytest

from enfilade.core.clock import to_datetime
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
from enfilade.providers.failures import clean
from tests.contract.error_cases import CASES, INVALID, ErrorCase, anthropic, google, openai
from tests.contract.kinds import ERROR_PAIRS, KINDS, PAIRS
from tests.support.outbound import KEY, Outbound
from tests.support.upstream import open_upstream, reply

OURS = {
    # status: our code, our status, whether it may be retried, whether another may be asked, whether it may have cost
    400: ("provider_refused_request", 400, False, False, False),
    401: ("provider_credentials_refused", 502, False, True, False),
    402: ("provider_quota_exhausted", 502, False, True, False),
    403: ("provider_credentials_refused", 502, False, True, False),
    404: ("provider_model_missing", 502, False, True, False),
    408: ("provider_timeout", 504, False, True, True),
    409: ("provider_conflict", 409, True, True, False),
    413: ("provider_request_too_large", 413, False, False, False),
    422: ("provider_refused_request", 400, False, False, False),
    429: ("provider_rate_limited", 429, True, True, False),
    500: ("provider_fault", 502, True, True, False),
    502: ("provider_fault", 502, True, True, False),
    503: ("provider_overloaded", 503, True, True, False),
    504: ("provider_timeout", 504, False, True, True),
    529: ("provider_overloaded", 503, True, True, False),
    204: ("provider_response_unreadable", 502, False, True, True),
    302: ("provider_response_unreadable", 502, False, True, True),
}
QUOTED = {400, 413, 422}


def error_body(dialect: str, message: str) -> dict[str, Any]:
    """An error as the service writes it."""
    if dialect == "anthropic_messages":
        return {"type": "error", "error": {"type": "api_error", "message": message}, "request_id": "req_1"}
    return {"error": {"message": message, "type": "server_error", "param": None, "code": "x"}}


async def failure(
    kind: str, dialect: str, status: int, body: Any, headers: dict[str, str] | None = None, key: str = KEY
) -> tuple[ProviderError, Outbound]:
    """What becomes of an error reply."""
    outbound = Outbound()
    async with open_upstream(reply(body, status, headers)) as upstream:
        provider = outbound.provider(upstream.url, kind=kind, key=key, **KINDS[kind].spec)
        with pytest.raises(ProviderError) as failed:
            await provider.send(outbound.ask(dialect))
        outbound.close()
    error = failed.value
    assert str(upstream.port) not in f"{error} {error.message} {error.details}"
    return error, outbound


@pytest.mark.parametrize(("kind", "dialect"), ERROR_PAIRS)
@pytest.mark.parametrize("status", OURS)
async def test_each_status_means_the_same_for_every_provider(kind: str, dialect: str, status: int) -> None:
    body = b"" if status in {204, 302} else error_body(dialect, "Words of the provider")
    error, _ = await failure(kind, dialect, status, body)
    assert (error.code, error.status, error.may_retry, error.may_fall_back, error.may_have_cost) == OURS[status]
    assert error.upstream_status == status
    assert error.retry_after is None
    assert ("Words of the provider" in error.message) is (status in QUOTED)


@pytest.mark.parametrize(("kind", "dialect"), ERROR_PAIRS)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "999999999"}, 3600.0),
        ({"retry-after": "inf"}, 3600.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Mon, 99 Nov 2026 12:00:00 GMT"}, None),
        ({"retry-after-ms": "soon"}, None),
    ],
    ids=str,
)
async def test_how_long_to_wait_is_read(
    kind: str, dialect: str, status: int, headers: dict[str, str], seconds: float | None
) -> None:
    error, _ = await failure(kind, dialect, status, error_body(dialect, "Wait"), headers)
    assert error.retry_after == seconds


@pytest.mark.parametrize(("offset", "seconds"), [(90, 90.0), (0, 0.0), (-90, None), (90_000, 3600.0)])
async def test_how_long_to_wait_may_be_a_date(offset: int, seconds: float | None) -> None:
    clock = Outbound().clock
    moment = to_datetime(clock.now_ns() + offset * 1_000_000_000)
    for text in (format_datetime(moment, usegmt=True), format_datetime(moment)):
        error, _ = await failure("openai", "openai_chat", 429, b"", {"retry-after": text})
        assert error.retry_after == seconds


@pytest.mark.parametrize(("kind", "dialect"), ERROR_PAIRS)
@pytest.mark.parametrize("status", OURS)
@pytest.mark.parametrize("key", [KEY, "0123456789abcdef0123456789abcdef", "short key"])
async def test_neither_key_nor_address_is_repeated(kind: str, dialect: str, status: int, key: str) -> None:
    if status in {204, 302}:
        return
    said = (
        f"Incorrect API key provided: {key} or sk-wr****key. Header was 'Bearer {key}'. "
        "See https://internal.example/v1/models, 10.1.2.3:8080, 127.0.0.1, node-7.cluster.local:443 or [::1]:80"
    )
    error, _ = await failure(kind, dialect, status, error_body(dialect, said), key=key)
    shown = f"{error} {error.message} {error!r} {error.details}"
    for secret in (key, "sk-wr", "internal.example", "10.1.2.3", "127.0.0.1", "cluster.local", "::1"):
        assert secret not in shown


@pytest.mark.parametrize(("kind", "dialect"), ERROR_PAIRS)
async def test_a_key_at_the_end_of_a_long_message_is_not_repeated_in_part(kind: str, dialect: str) -> None:
    key = "0123456789abcdef" * 2
    for length in range(380, 402, 7):
        error, _ = await failure(kind, dialect, 400, error_body(dialect, "x " * (length // 2) + key), key=key)
        assert key[:4] not in error.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "Plain words"}}, "Plain words"),
        ({"error": "Plain words"}, "Plain words"),
        ({"message": "Plain words"}, "Plain words"),
        ({"detail": "Plain words"}, "Plain words"),
        ({"error": {"message": "Zwölf\nBoxkämpfer\t jagen"}}, "Zwölf Boxkämpfer jagen"),
        ({"error": {"message": ""}}, None),
        ({"error": {"message": 5}}, None),
        ({"error": None}, None),
        ({"error": []}, None),
        ([], None),
        ("text", None),
        (b"<html>Bad Request</html>", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b'{"error":' * 3000, None),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_the_providers_words_about_the_request_are_passed_on(body: Any, words: str | None) -> None:
    error, _ = await failure("openai_compatible", "openai_chat", 400, body)
    expected = "The provider refused the request." if words is None else f"The provider says: {words}"
    assert error.message == expected


def test_the_words_are_cut_short() -> None:
    assert len(clean("word " * 1000)) <= 400


@pytest.mark.parametrize(
    "harmless",
    [
        "max_tokens is too large: 5000. This model supports at most 4096 completion tokens.",
        "messages.1.content.0: Input should be a valid dictionary",
        "'temperature' must be between 0 and 2 (version 2023-06-01, at 12:30)",
        "Invalid schema for function 'get_weather': In context=('properties', 'city'), 'type' is required",
        json.dumps({"loc": ["body", "messages", 0]}),
    ],
)
def test_harmless_words_stay_as_they_are(harmless: str) -> None:
    assert clean(harmless) == harmless


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_an_error_is_read_by_what_the_service_says(case: ErrorCase) -> None:
    dialect = next(dialect for name, dialect in PAIRS if name == case.kind)
    error, _ = await failure(case.kind, dialect, case.status, case.body, case.headers)
    assert type(error) is case.becomes
    assert error.upstream_status == case.status
    assert error.retry_after == case.retry_after
    assert error.param == case.param
    assert error.details == case.details
    if case.says is None:
        assert "The provider says" not in error.message
    else:
        assert error.message == f"The provider says: {case.says}"


def test_what_each_error_allows() -> None:
    allowed = {
        kind: (kind.may_retry, kind.may_fall_back, kind.may_have_cost) for kind in {case.becomes for case in CASES}
    }
    assert allowed == {
        ContentRefused: (False, False, False),
        ContextExceeded: (False, False, False),
        CredentialsRefused: (False, True, False),
        ProviderFault: (True, True, False),
        ProviderOverloaded: (True, True, False),
        ProviderRateLimited: (True, True, False),
        ProviderTimeout: (False, True, True),
        QuotaExhausted: (False, True, False),
        RequestRefused: (False, False, False),
        RequestTooLarge: (False, False, False),
        UpstreamModelMissing: (False, True, False),
    }


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini", "azure_openai", "openrouter"])
def test_an_error_in_what_came_as_a_success_is_read_like_one(kind: str) -> None:
    provider = Outbound().provider("https://127.0.0.1/v1", kind=kind, **KINDS[kind].spec)
    read = provider.reported_failure
    for body, expected in REPORTED:
        error = read(json.dumps(body).encode())
        assert (None if error is None else type(error)) is expected, body
    said = read(json.dumps(openai(f"Wrong, {KEY} at https://x.example/y", INVALID)).encode())
    assert said is not None
    assert said.message == "The provider says: Wrong, [key] at [address]"
    for nothing in (b"", b"error", b'{"error"', b'{"choices":[],"error":null}', b'{"error":""}', b'["error"]'):
        assert read(nothing) is None


REPORTED: list[tuple[Any, type[ProviderError] | None]] = [
    (openai("x", "server_error"), ProviderFault),
    (openai("x", INVALID), RequestRefused),
    (openai("x", "requests", "rate_limit_exceeded"), ProviderRateLimited),
    (anthropic("overloaded_error", "x"), ProviderOverloaded),
    (anthropic("api_error", "x"), ProviderFault),
    (google(429, "RESOURCE_EXHAUSTED", "x"), ProviderRateLimited),
    ([google(503, "UNAVAILABLE", "x")], ProviderOverloaded),
    ({"error": {"code": 502, "message": "x"}, "choices": []}, ProviderFault),
    ({"error": {"code": "content_filter", "message": "x"}}, ContentRefused),
    ({"type": "error", "code": "server_error", "message": "x"}, ProviderFault),
    ({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded"}}}, ProviderRateLimited),
    ({"object": "error", "message": "x", "code": 404}, UpstreamModelMissing),
    ({"error": "some words"}, None),
    ({"error": {"type": "mystery"}}, None),
]
