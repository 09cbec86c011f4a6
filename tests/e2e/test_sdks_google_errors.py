"""The official Google Gen AI SDK, unchanged but for its address and key, against a real process: what its callers see when
something fails."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from tests.support.process import EnfiladeProcess
from tests.support.sdk import (
    LIMITED_KEY,
    NARROW_KEY,
    POOR_KEY,
    WRONG_KEY,
    Office,
    call,
    collect,
    forget_surroundings,
    untried,
)
from tests.support.upstream import hang_up, reply
from tests.support.world import ACME_KEY

pytestmark = pytest.mark.e2e

TEXT = "Good morning to everybody"
ANSWER = {
    "responseId": "r-1",
    "modelVersion": "upstream-1",
    "candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 3, "totalTokenCount": 15},
}
Asking = Callable[..., Any]
"""Makes the SDK's `models`, for a key, perhaps with attempts of its own."""


@pytest.fixture(params=["sync", "async"])
async def asking(
    request: pytest.FixtureRequest, sdk_server: EnfiladeProcess, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Asking]:
    """Clients of any key."""
    forget_surroundings(monkeypatch)
    made: list[genai.Client] = []

    def make(key: str = ACME_KEY, attempts: int = 1) -> Any:
        retries = types.HttpRetryOptions(attempts=attempts, initial_delay=0.3, jitter=0.1)
        options = types.HttpOptions(base_url=sdk_server.url, retry_options=retries)
        made.append(genai.Client(api_key=key, http_options=options))
        return made[-1].models if request.param == "sync" else made[-1].aio.models

    yield make
    for client in made:
        await client.aio.aclose()
        client.close()


@pytest.mark.parametrize(
    ("key", "model", "kind", "code", "status", "reason"),
    [
        (WRONG_KEY, "chat", errors.ClientError, 401, "UNAUTHENTICATED", "invalid_key"),
        (ACME_KEY, "nowhere", errors.ClientError, 404, "NOT_FOUND", "model_not_found"),
        (NARROW_KEY, "simulated/echo", errors.ClientError, 403, "PERMISSION_DENIED", "model_not_allowed"),
        (POOR_KEY, "chat", errors.ClientError, 402, "RESOURCE_EXHAUSTED", "budget_exhausted"),
        (ACME_KEY, "{}/fail-400", errors.ClientError, 400, "INVALID_ARGUMENT", "provider_refused_request"),
        (
            ACME_KEY,
            "{}/fail-429-retry-after-20s",
            errors.ClientError,
            429,
            "RESOURCE_EXHAUSTED",
            "provider_rate_limited",
        ),
        (ACME_KEY, "{}/fail-401", errors.ServerError, 502, "UNAVAILABLE", "provider_credentials_refused"),
        (ACME_KEY, "{}/fail-503-retry-after-20s", errors.ServerError, 503, "UNAVAILABLE", "provider_overloaded"),
    ],
)
@pytest.mark.parametrize("upstream", ["simulated", "anthropic_messages"])
async def test_refusals_and_failures_are_the_sdks_typed_errors(
    asking: Asking,
    office: Office,
    *,
    upstream: str,
    key: str,
    model: str,
    kind: type[errors.APIError],
    code: int,
    status: str,
    reason: str,
) -> None:
    with pytest.raises(kind) as caught:
        await call(asking(key).generate_content, model=untried(model.format(upstream)), contents=TEXT)
    error = caught.value
    assert (error.code, error.status) == (code, status)
    assert error.message
    assert detail(error, "ErrorInfo")["reason"] == reason
    if "retry-after" in model:
        assert 19 < float(detail(error, "RetryInfo")["retryDelay"].removesuffix("s")) <= 20
    if code != 401:
        record = await office.record(detail(error, "RequestInfo")["requestId"])
        assert (record["error"], record["http_status"], record["cost_usd"]) == (reason, code, "0.000000000")


async def test_a_setting_that_the_model_cannot_take_is_named(asking: Asking) -> None:
    config = types.GenerateContentConfig(candidate_count=2)
    with pytest.raises(errors.ClientError) as caught:
        await call(asking().generate_content, model="anthropic_messages/echo", contents=TEXT, config=config)
    (violation,) = detail(caught.value, "BadRequest")["fieldViolations"]
    assert (caught.value.code, violation["field"]) == (400, "generationConfig.candidateCount")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("simulated/cut-after-3+text-9", "provider_connection_broken"),
        ("openai_chat/cut-after-3+text-9", "provider_connection_broken"),
        ("simulated/error-after-3+text-9", "provider_overloaded"),  # What Google calls UNAVAILABLE.
        ("openai_chat/error-after-3+text-9", "provider_stream_failed"),
    ],
)
async def test_a_failure_inside_a_stream_is_raised_while_it_is_read(
    asking: Asking, office: Office, model: str, reason: str
) -> None:
    with pytest.raises(errors.ServerError) as caught:
        await collect(await call(asking().generate_content_stream, model=model, contents=TEXT))
    assert detail(caught.value, "ErrorInfo")["reason"] == reason
    record = await office.latest(id=detail(caught.value, "RequestInfo")["requestId"])
    assert (record["status"], record["usage"]["output_tokens"], record["estimated"]) == ("failed", 3, True)


async def test_the_sdk_tries_again_after_a_server_error(asking: Asking, office: Office) -> None:
    # The gateway does not try again by itself when the provider refuses its key.
    steps = [reply({"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}}, status=401), reply(ANSWER)]
    async with office.upstream_model("second-gemini", "gemini", *steps) as upstream:
        answered = await call(asking(attempts=2).generate_content, model="second-gemini", contents=TEXT)
        assert len(upstream.seen) == 2
        assert upstream.seen[1].header("x-goog-api-key") == "sk-upstream-secret"
        assert upstream.seen[1].path.endswith("/models/upstream-1:generateContent")
    assert answered.text == "Yes."


async def test_the_sdk_tries_again_after_a_limit(asking: Asking) -> None:
    patient, hasty = asking(LIMITED_KEY, attempts=6), asking(LIMITED_KEY)
    for _ in range(2):
        answered = await call(patient.generate_content, model="chat", contents=TEXT)
        assert answered.text == TEXT
    with pytest.raises(errors.ClientError) as caught:
        await call(hasty.generate_content, model="chat", contents=TEXT)
    assert (caught.value.code, detail(caught.value, "ErrorInfo")["reason"]) == (429, "request_limit_reached")
    assert float(detail(caught.value, "RetryInfo")["retryDelay"].removesuffix("s")) > 0


async def test_a_provider_that_hangs_up_is_a_server_error_of_the_sdk(asking: Asking, office: Office) -> None:
    async with office.upstream_model("gone-gemini", "gemini", hang_up):
        with pytest.raises(errors.ServerError) as caught:
            await call(asking().generate_content, model="gone-gemini", contents=TEXT)
    assert caught.value.code == 502
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(("key", "model", "code"), [(WRONG_KEY, "chat", 401), (ACME_KEY, "nowhere", 404)])
async def test_what_is_not_shown_is_refused_in_googles_form(asking: Asking, key: str, model: str, code: int) -> None:
    with pytest.raises(errors.ClientError) as caught:
        await call(asking(key).get, model=model)
    assert caught.value.code == code
    assert caught.value.status in {"UNAUTHENTICATED", "NOT_FOUND"}


def detail(error: errors.APIError, kind: str) -> dict[str, Any]:
    """One of the error's details."""
    found: list[dict[str, Any]] = error.details["error"]["details"]
    return next(one for one in found if one["@type"] == f"type.googleapis.com/google.rpc.{kind}")
