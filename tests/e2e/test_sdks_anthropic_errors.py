"""The official Anthropic SDK against a real process: what its callers see when something fails."""

from typing import Any

import anthropic
import pytest
from anthropic import _exceptions

from tests.support.sdk import LIMITED_KEY, NARROW_KEY, POOR_KEY, WRONG_KEY, Office, call, collect, untried
from tests.support.upstream import reply
from tests.support.world import ACME_KEY

pytestmark = pytest.mark.e2e

SAID = {"max_tokens": 100, "messages": [{"role": "user", "content": "Good morning to everybody"}]}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "upstream-1",
    "content": [{"type": "text", "text": "Yes."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 3},
}
Failure = type[anthropic.APIStatusError]


@pytest.mark.parametrize(
    ("key", "model", "kind", "status", "code"),
    [
        (WRONG_KEY, "chat", anthropic.AuthenticationError, 401, "invalid_key"),
        (ACME_KEY, "nowhere", anthropic.NotFoundError, 404, "model_not_found"),
        (NARROW_KEY, "simulated/echo", anthropic.PermissionDeniedError, 403, "model_not_allowed"),
        (POOR_KEY, "chat", anthropic.APIStatusError, 402, "budget_exhausted"),
        (ACME_KEY, "simulated/fail-400", anthropic.BadRequestError, 400, "provider_refused_request"),
        (ACME_KEY, "simulated/fail-409", anthropic.ConflictError, 409, "provider_conflict"),
        (ACME_KEY, "simulated/fail-413", _exceptions.RequestTooLargeError, 413, "provider_request_too_large"),
        (ACME_KEY, "simulated/fail-429-retry-after-20s", anthropic.RateLimitError, 429, "provider_rate_limited"),
        (ACME_KEY, "simulated/fail-401", anthropic.InternalServerError, 502, "provider_credentials_refused"),
        (ACME_KEY, "simulated/fail-529-retry-after-20s", _exceptions.OverloadedError, 529, "provider_overloaded"),
    ],
)
async def test_refusals_and_failures_are_the_sdks_typed_errors(
    anthropic_client: Any, office: Office, *, key: str, model: str, kind: Failure, status: int, code: str
) -> None:
    asking = anthropic_client.with_options(api_key=key)
    with pytest.raises(kind) as caught:
        await call(asking.messages.create, model=untried(model), **SAID)
    error: Any = caught.value
    assert error.status_code == status
    assert error.body["type"] == "error"
    assert error.body["error"]["code"] == code
    call_id = error.response.headers["x-request-id"]
    assert error.body["request_id"] == call_id
    if status != 401:
        record = await office.record(call_id)
        assert (record["error"], record["cost_usd"]) == (code, "0.000000000")


async def test_a_body_that_does_not_fit_is_a_bad_request_that_says_where(anthropic_client: Any) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        await call(anthropic_client.messages.create, model="chat", **SAID | {"max_tokens": -1})
    assert caught.value.type == "invalid_request_error"
    assert "max_tokens" in caught.value.message


@pytest.mark.parametrize("script", ["cut-after-3+text-9", "error-after-3+text-9"])
async def test_a_failure_inside_a_stream_is_raised_while_it_is_read(
    anthropic_client: Any, office: Office, script: str
) -> None:
    raw = await call(
        anthropic_client.messages.with_raw_response.create, model=f"simulated/{script}", stream=True, **SAID
    )
    with pytest.raises(anthropic.APIStatusError):
        await collect(await call(raw.parse))
    record = await office.latest(id=raw.headers["x-request-id"])
    assert (record["status"], record["usage"]["output_tokens"], record["estimated"]) == ("failed", 3, True)


async def test_the_callers_patience_ends_a_call_and_the_gateway_notices(anthropic_client: Any, office: Office) -> None:
    with pytest.raises(anthropic.APITimeoutError):
        await call(anthropic_client.messages.create, model="simulated/slow-30s+text-78", timeout=0.5, **SAID)
    record = await office.latest(model="simulated/slow-30s+text-78", status="abandoned")
    assert record["latency_ms"] < 30_000


async def test_a_server_that_is_not_there_is_a_connection_error(anthropic_client: Any) -> None:
    with pytest.raises(anthropic.APIConnectionError):
        await call(anthropic_client.with_options(base_url="http://127.0.0.1:9").messages.create, model="chat", **SAID)


async def test_the_sdk_tries_again_after_a_server_error(anthropic_client: Any, office: Office) -> None:
    # The gateway does not try again by itself when the provider refuses its key.
    steps = [reply({"type": "error", "error": {"message": "no"}}, status=401), reply(MESSAGE)]
    async with office.upstream_model("second-message", "anthropic", *steps) as upstream:
        raw = await call(
            anthropic_client.with_options(max_retries=1).messages.with_raw_response.create,
            model="second-message",
            **SAID,
        )
        assert len(upstream.seen) == 2
    assert raw.retries_taken == 1
    assert (await call(raw.parse)).content[0].text == "Yes."
    assert (await office.record(raw.headers["x-request-id"]))["status"] == "ok"


async def test_the_sdk_waits_as_long_as_a_limit_says(anthropic_client: Any) -> None:
    asking = anthropic_client.with_options(api_key=LIMITED_KEY, max_retries=5)
    taken = 0
    for _ in range(2):
        raw = await call(asking.messages.with_raw_response.create, model="chat", **SAID)
        assert raw.headers["anthropic-ratelimit-requests-limit"] == "1"
        taken += raw.retries_taken
    assert taken >= 1
