"""The official OpenAI SDK, unchanged but for its address and key, against a real process: what its callers see when something fails."""

from typing import Any

import openai
import pytest

from tests.support.sdk import (
    LIMITED_KEY,
    NARROW_KEY,
    POOR_KEY,
    WRONG_KEY,
    Office,
    call,
    collect,
    untried,
)
from tests.support.upstream import hang_up, reply
from tests.support.world import ACME_KEY

pytestmark = pytest.mark.e2e

SAID = [{"role": "user", "content": "Good morning to everybody"}]
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "upstream-1",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
}


@pytest.mark.parametrize(
    ("key", "model", "kind", "status", "code"),
    [
        (WRONG_KEY, "chat", openai.AuthenticationError, 401, "invalid_key"),
        (ACME_KEY, "nowhere", openai.NotFoundError, 404, "model_not_found"),
        (NARROW_KEY, "simulated/echo", openai.PermissionDeniedError, 403, "model_not_allowed"),
        (POOR_KEY, "chat", openai.APIStatusError, 402, "budget_exhausted"),
        (ACME_KEY, "simulated/fail-400", openai.BadRequestError, 400, "provider_refused_request"),
        (ACME_KEY, "simulated/fail-409", openai.ConflictError, 409, "provider_conflict"),
        (ACME_KEY, "simulated/fail-429-retry-after-20s", openai.RateLimitError, 429, "provider_rate_limited"),
        (ACME_KEY, "simulated/fail-401", openai.InternalServerError, 502, "provider_credentials_refused"),
        (ACME_KEY, "simulated/fail-503-retry-after-20s", openai.InternalServerError, 503, "provider_overloaded"),
    ],
)
async def test_refusals_and_failures_are_the_sdks_typed_errors(
    openai_client: Any,
    office: Office,
    *,
    key: str,
    model: str,
    kind: type[openai.APIStatusError],
    status: int,
    code: str,
) -> None:
    asking = openai_client.with_options(api_key=key)
    with pytest.raises(kind) as caught:
        await call(asking.chat.completions.create, model=untried(model), messages=SAID)
    error = caught.value
    assert (type(error), error.status_code, error.code) == (kind, status, code)
    assert error.request_id == error.response.headers["x-request-id"]
    assert error.message
    if status != 401:
        record = await office.record(error.request_id)
        assert (record["error"], record["http_status"], record["cost_usd"]) == (code, status, "0.000000000")


async def test_a_body_that_does_not_fit_is_a_bad_request_that_says_where(openai_client: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await call(openai_client.chat.completions.create, model="chat", messages=SAID, max_completion_tokens=-1)
    assert caught.value.param == "max_completion_tokens"
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("script", "code"), [("cut-after-3", "provider_connection_broken"), ("error-after-3", "provider_stream_failed")]
)
async def test_a_failure_inside_a_stream_is_raised_while_it_is_read(
    openai_client: Any, office: Office, script: str, code: str
) -> None:
    model = f"simulated/{script}+text-9"
    raw = await call(openai_client.chat.completions.with_raw_response.create, model=model, messages=SAID, stream=True)
    with pytest.raises(openai.APIError) as caught:
        await collect(raw.parse())
    assert caught.value.code == code
    record = await office.latest(id=raw.headers["x-request-id"])
    assert (record["status"], record["usage"]["output_tokens"], record["estimated"]) == ("failed", 3, True)


async def test_the_callers_patience_ends_a_call_and_the_gateway_notices(openai_client: Any, office: Office) -> None:
    with pytest.raises(openai.APITimeoutError):
        await call(
            openai_client.chat.completions.create, model="simulated/slow-30s+text-77", messages=SAID, timeout=0.5
        )
    record = await office.latest(model="simulated/slow-30s+text-77", status="abandoned")
    assert record["latency_ms"] < 30_000


async def test_a_server_that_is_not_there_is_a_connection_error(openai_client: Any) -> None:
    with pytest.raises(openai.APIConnectionError):
        await call(openai_client.with_options(base_url="http://127.0.0.1:9/v1").models.list)


async def test_the_sdk_tries_again_after_a_server_error(openai_client: Any, office: Office) -> None:
    # The gateway does not try again by itself when the provider refuses its key.
    steps = [reply({"error": {"message": "no"}}, status=401), reply(COMPLETION)]
    async with office.upstream_model("second-try", "openai_compatible", *steps) as upstream:
        raw = await call(
            openai_client.with_options(max_retries=1).chat.completions.with_raw_response.create,
            model="second-try",
            messages=SAID,
        )
        assert len(upstream.seen) == 2
    assert raw.retries_taken == 1
    assert raw.parse().choices[0].message.content == "Yes."
    assert (await office.record(raw.headers["x-request-id"]))["status"] == "ok"


async def test_the_sdk_waits_as_long_as_a_limit_says(openai_client: Any) -> None:
    asking = openai_client.with_options(api_key=LIMITED_KEY, max_retries=5)
    taken = 0
    for _ in range(3):
        raw = await call(asking.chat.completions.with_raw_response.create, model="chat", messages=SAID)
        assert raw.headers["x-ratelimit-limit-requests"] == "1"
        taken += raw.retries_taken
    assert taken >= 1
    with pytest.raises(openai.RateLimitError) as caught:
        await call(asking.with_options(max_retries=0).chat.completions.create, model="chat", messages=SAID)
    assert caught.value.code == "request_limit_reached"
    assert float(caught.value.response.headers["retry-after"]) >= 1


async def test_a_provider_that_hangs_up_is_a_server_error_of_the_sdk(openai_client: Any, office: Office) -> None:
    async with office.upstream_model("gone", "openai_compatible", hang_up):
        with pytest.raises(openai.InternalServerError) as caught:
            await call(openai_client.chat.completions.create, model="gone", messages=SAID)
    assert caught.value.status_code == 502
    assert "127.0.0.1" not in str(caught.value)
