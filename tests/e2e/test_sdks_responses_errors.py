"""The official OpenAI SDK's Responses API against a real process: what its callers see when something fails."""

from typing import Any

import openai
import pytest

from tests.support.sdk import NARROW_KEY, POOR_KEY, WRONG_KEY, Office, call, collect, entered, untried
from tests.support.world import ACME_KEY, GLOBEX_KEY

pytestmark = pytest.mark.e2e

TEXT = "Good morning to everybody"


@pytest.mark.parametrize(
    ("key", "model", "kind", "status", "code"),
    [
        (WRONG_KEY, "chat", openai.AuthenticationError, 401, "invalid_key"),
        (ACME_KEY, "nowhere", openai.NotFoundError, 404, "model_not_found"),
        (NARROW_KEY, "simulated/echo", openai.PermissionDeniedError, 403, "model_not_allowed"),
        (POOR_KEY, "chat", openai.APIStatusError, 402, "budget_exhausted"),
        (ACME_KEY, "{}/fail-400", openai.BadRequestError, 400, "provider_refused_request"),
        (ACME_KEY, "{}/fail-409", openai.ConflictError, 409, "provider_conflict"),
        (ACME_KEY, "{}/fail-429-retry-after-20s", openai.RateLimitError, 429, "provider_rate_limited"),
        (ACME_KEY, "{}/fail-401", openai.InternalServerError, 502, "provider_credentials_refused"),
        (ACME_KEY, "{}/fail-529-retry-after-20s", openai.InternalServerError, 503, "provider_overloaded"),
    ],
)
@pytest.mark.parametrize("upstream", ["simulated", "anthropic_messages"])
async def test_refusals_and_failures_are_the_sdks_typed_errors(
    openai_client: Any,
    office: Office,
    *,
    upstream: str,
    key: str,
    model: str,
    kind: type[openai.APIStatusError],
    status: int,
    code: str,
) -> None:
    asking = openai_client.with_options(api_key=key)
    with pytest.raises(kind) as caught:
        await call(asking.responses.create, model=untried(model.format(upstream)), input=TEXT)
    error = caught.value
    assert (type(error), error.status_code, error.code) == (kind, status, code)
    assert error.message
    if status != 401:
        record = await office.record(error.request_id or "")
        assert (record["error"], record["http_status"], record["cost_usd"]) == (code, status, "0.000000000")


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"previous_response_id": "resp_nowhere"}, "previous_response_id"),
        ({"conversation": "conv_nowhere"}, "conversation"),
        ({"max_output_tokens": -1}, "max_output_tokens"),
    ],
)
async def test_what_is_not_offered_is_refused_by_its_name(
    openai_client: Any, asked: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await call(openai_client.responses.create, model="anthropic_messages/echo", input=TEXT, **asked)
    assert caught.value.status_code in {400, 404}
    assert caught.value.param == param


async def test_what_was_deleted_or_belongs_to_others_is_not_found(openai_client: Any) -> None:
    responses, talks = openai_client.responses, openai_client.conversations
    kept = await call(responses.create, model="anthropic_messages/echo", input=TEXT)
    talk = await call(talks.create)
    others = openai_client.with_options(api_key=GLOBEX_KEY)
    for ask, name in ((others.responses.retrieve, kept.id), (others.conversations.retrieve, talk.id)):
        with pytest.raises(openai.NotFoundError):
            await call(ask, name)
    await call(responses.delete, kept.id)
    await call(talks.delete, talk.id)
    for ask, name in (
        (responses.retrieve, kept.id),
        (responses.input_items.list, kept.id),
        (responses.delete, kept.id),
        (talks.retrieve, talk.id),
    ):
        with pytest.raises(openai.NotFoundError):
            await collect(await call(ask, name))
    unkept = await call(responses.create, model="anthropic_messages/echo", input=TEXT, store=False)
    with pytest.raises(openai.NotFoundError):
        await call(responses.retrieve, unkept.id)


@pytest.mark.parametrize(
    ("script", "code"), [("cut-after-3", "provider_connection_broken"), ("error-after-3", "provider_stream_failed")]
)
@pytest.mark.parametrize("upstream", ["simulated", "openai_chat"])
async def test_a_failure_inside_a_stream_is_raised_while_it_is_read(
    openai_client: Any, office: Office, script: str, code: str, upstream: str
) -> None:
    model = f"{upstream}/{script}+text-9"
    raw = await call(openai_client.responses.with_raw_response.create, model=model, input=TEXT, stream=True)
    with pytest.raises(openai.APIError) as caught:
        await collect(raw.parse())
    assert caught.value.code == code
    record = await office.latest(id=raw.headers["x-request-id"])
    assert (record["status"], record["usage"]["output_tokens"], record["estimated"]) == ("failed", 3, True)


async def test_the_stream_helper_raises_it_too(openai_client: Any) -> None:
    with pytest.raises(openai.APIError):
        async with entered(
            openai_client.responses.stream(model="gemini_generate/cut-after-3+text-9", input=TEXT)
        ) as events:
            await collect(events)
