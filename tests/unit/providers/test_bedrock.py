"""AWS Bedrock as a provider: addresses, paths, proofs, bodies, frames, errors."""

import base64
import json
from typing import Any

import pytest

from enfilade.core.messages import Embeddings, Question
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import NotTranslatable, UnreadableReply
from enfilade.providers.credentials import Credential, SecretSources
from enfilade.providers.errors import (
    CredentialsRefused,
    InvalidProvider,
    ProviderError,
    UnreadableResponse,
    UpstreamModelMissing,
)
from enfilade.providers.types import Outgoing, Provider, ProviderSpec, SecretReference
from tests.support import event_frames
from tests.support.event_frames import STRING
from tests.support.outbound import Outbound
from tests.support.strict_bedrock import (
    ACCESS_KEY,
    API_KEY,
    REGION,
    SECRET_KEY,
    SESSION,
    STREAM,
    Failure,
    Reply,
    StrictBedrock,
    open_bedrock,
)
from tests.support.upstream import open_upstream, raw, reply

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-english-v3"
CONVERSE = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}).encode()
MESSAGES = {"model": "x", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
KEYS = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "aws_session_token": SESSION}


def provider(outbound: Outbound, url: str, keys: dict[str, str] | None = None) -> Provider:
    """A Bedrock with these keys; else with the API key."""
    sources = SecretSources({"B_API_KEY": API_KEY}, ["*_API_KEY"], ())
    reference = SecretReference(env="B_API_KEY") if keys is None else None
    options = {name: {"sealed": name} for name in keys or {}}
    spec = ProviderSpec("b", "bedrock", url, reference, region=REGION, allow_private_network=True, options=options)
    outbound.adapters.check(spec)
    secrets = {
        name: Credential(SecretReference(sealed=name), sources, outbound.clock, value)
        for name, value in (keys or {}).items()
    }
    credential = Credential(reference, sources, outbound.clock)
    return outbound.adapters.make(spec, credential, outbound.client, outbound.clock, None, secrets)


def ask(
    outbound: Outbound, dialect: str, body: bytes, model: str = CLAUDE, *, stream: bool = False, **more: Any
) -> Outgoing:
    """One attempt."""
    request = outbound.ask().request
    return Outgoing("call-1", outbound.dialects.get(dialect), request, body, model, stream=stream, **more)


@pytest.mark.parametrize("keys", [KEYS, {k: v for k, v in KEYS.items() if k != "aws_session_token"}, None])
@pytest.mark.parametrize("model", [CLAUDE, ARN, "amazon.nova-pro-v1:0"])
async def test_requests_are_believed(outbound: Outbound, keys: dict[str, str] | None, model: str) -> None:
    async with open_bedrock() as bedrock:
        incoming = await provider(outbound, bedrock.url, keys).send(ask(outbound, "bedrock_converse", CONVERSE, model))
        assert json.loads(await incoming.read())["stopReason"] == "end_turn"
        assert bedrock.models == [model]
        assert bedrock.proofs[0].startswith("Bearer" if keys is None else "AWS4-HMAC-SHA256")


async def test_a_wrong_key_is_told_as_ours(outbound: Outbound) -> None:
    wrong = KEYS | {"aws_secret_access_key": "wrong"}
    async with open_bedrock() as bedrock:
        with pytest.raises(ProviderError) as failed:
            await provider(outbound, bedrock.url, wrong).send(ask(outbound, "bedrock_converse", CONVERSE))
        assert failed.value.code == "provider_credentials_refused"


LENT = f"""<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
  <AccessKeyId>{ACCESS_KEY}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>
  <SessionToken>{SESSION}</SessionToken><Expiration>2026-11-03T00:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
OUTDATED = LENT.replace(SECRET_KEY, "outdated")


async def test_a_workloads_role_is_believed_and_its_keys_replaced_when_they_are_not(outbound: Outbound) -> None:
    """The call that finds out fails; the next one has new keys."""
    steps = [reply(text.encode(), content_type="text/xml") for text in (OUTDATED, LENT)]
    async with open_bedrock() as bedrock, open_upstream(*steps) as sts:
        sources = SecretSources({}, (), ())
        token = Credential(SecretReference(sealed="t"), sources, outbound.clock, "workload-token")
        options = {
            "aws_role_arn": "arn:aws:iam::123456789012:role/x",
            "aws_web_identity_token": {"sealed": "t"},
            "aws_sts_url": sts.url,
        }
        spec = ProviderSpec("b", "bedrock", bedrock.url, region=REGION, allow_private_network=True, options=options)
        outbound.adapters.check(spec)
        none = Credential(None, sources, outbound.clock)
        secrets = {"aws_web_identity_token": token}
        made = outbound.adapters.make(spec, none, outbound.client, outbound.clock, None, secrets)
        outbound.pass_time(1)
        with pytest.raises(CredentialsRefused):
            await made.send(ask(outbound, "bedrock_converse", CONVERSE))
        with pytest.raises(CredentialsRefused):
            await made.send(ask(outbound, "bedrock_converse", CONVERSE))
        assert len(sts.seen) == 1
        outbound.pass_time(60)
        with pytest.raises(CredentialsRefused):
            await made.send(ask(outbound, "bedrock_converse", CONVERSE))
        incoming = await made.send(ask(outbound, "bedrock_converse", CONVERSE))
        assert json.loads(await incoming.read())["stopReason"] == "end_turn"
        assert len(sts.seen) == 2
        assert (
            "AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fx"
            in sts.seen[0].body.decode()
        )


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ({"region": "eu-west-3"}, "https://bedrock-runtime.eu-west-3.amazonaws.com"),
        ({"region": "us-gov-west-1"}, "https://bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ({"region": "cn-north-1"}, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        (
            {"region": "europe", "options": {"aws_region": "eu-west-1"}},
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
        ),
        (
            {"base_url": "https://bedrock-runtime-fips.us-east-2.amazonaws.com"},
            "https://bedrock-runtime-fips.us-east-2.amazonaws.com",
        ),
    ],
)
def test_the_region_stands_in_the_address(outbound: Outbound, spec: dict[str, Any], address: str) -> None:
    made = outbound.provider(kind="bedrock", allow_private_network=False, **{"base_url": None} | spec)
    assert made.base_url == address


@pytest.mark.parametrize(
    ("spec", "param"),
    [
        ({}, "region"),
        ({"region": "europe"}, "region"),
        ({"region": "us-east-1.evil.example/x"}, "region"),
        ({"options": {"aws_region": "x"}}, "options.aws_region"),
        ({"base_url": "https://bedrock.example"}, "region"),
    ],
)
def test_without_a_region_nothing_can_be_signed(outbound: Outbound, spec: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidProvider) as refusal:
        outbound.provider(kind="bedrock", **{"base_url": None} | spec)
    assert refusal.value.param == param


@pytest.mark.parametrize(
    ("model", "dialects"),
    [
        (CLAUDE, ("bedrock_converse", "anthropic_messages", "anthropic_count")),
        (ARN, ("bedrock_converse", "anthropic_messages", "anthropic_count")),
        ("amazon.nova-pro-v1:0", ("bedrock_converse",)),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/x1", ("bedrock_converse",)),
        (TITAN, ("bedrock_titan_embed",)),
        ("eu.cohere.embed-v4:0", ("bedrock_cohere_embed",)),
    ],
)
def test_not_every_model_speaks_every_dialect(outbound: Outbound, model: str, dialects: tuple[str, ...]) -> None:
    assert outbound.provider("https://b.example", kind="bedrock", region=REGION).dialects_of(model) == dialects


@pytest.mark.parametrize("model", ["..", "a/../../x", "", "a b", "a?b", "a%2fb", "x" * 3000, "é"])
async def test_odd_names_of_models_do_not_reach_the_wire(outbound: Outbound, model: str) -> None:
    async with open_bedrock() as bedrock:
        with pytest.raises(UpstreamModelMissing):
            await provider(outbound, bedrock.url).send(ask(outbound, "bedrock_converse", CONVERSE, model))
        assert bedrock.upstream is not None
        assert not bedrock.upstream.seen


async def test_claudes_own_body_is_changed_as_invoke_wants_it(outbound: Outbound) -> None:
    """What Anthropic has in headers and in the path's place stands in the body, the rest is as it came."""
    headers = ((b"anthropic-version", b"2023-06-01"), (b"anthropic-beta", b"one, two"), (b"anthropic-beta", b"two"))
    body = json.dumps(MESSAGES | {"anthropic_beta": ["zero"], "unheard_of": 1.50}).encode()
    async with open_bedrock() as bedrock:
        asked = ask(outbound, "anthropic_messages", body, headers=headers)
        incoming = await provider(outbound, bedrock.url, KEYS).send(asked)
        assert json.loads(await incoming.read())["content"] == [{"type": "text", "text": "Good morning, 世界"}]
        assert bedrock.asked[0] == {
            "max_tokens": 9,
            "messages": MESSAGES["messages"],
            "unheard_of": 1.5,
            "anthropic_version": "bedrock-2023-05-31",
            "anthropic_beta": ["zero", "one", "two"],
        }
        assert bedrock.upstream is not None
        assert not [name for name, _ in bedrock.upstream.seen[0].headers if name.lower().startswith("anthropic")]


async def test_claudes_tokens_are_counted_by_the_model_not_its_profile(outbound: Outbound) -> None:
    body = json.dumps({"model": "x", "messages": MESSAGES["messages"]}).encode()
    async with open_bedrock() as bedrock:
        asked = ask(outbound, "anthropic_count", body, headers=((b"anthropic-beta", b"one"),))
        incoming = await provider(outbound, bedrock.url, KEYS).send(asked)
        assert json.loads(await incoming.read()) == {"input_tokens": 11}
        assert bedrock.models == [CLAUDE.removeprefix("us.")]
        counted = json.loads(base64.b64decode(bedrock.asked[0]["input"]["invokeModel"]["body"]))
        assert counted == {
            "messages": MESSAGES["messages"],
            "max_tokens": 1,
            "anthropic_version": "bedrock-2023-05-31",
            "anthropic_beta": ["one"],
        }


async def read_all(bedrock: StrictBedrock, outbound: Outbound) -> bytes:
    asked = ask(outbound, "anthropic_messages", json.dumps(MESSAGES).encode(), stream=True)
    incoming = await provider(outbound, bedrock.url).send(asked)
    return await incoming.read()


async def test_claudes_own_events_are_taken_out_of_their_frames(outbound: Outbound) -> None:
    async with open_bedrock(Reply(blocks=[{"text": "Wörld 世界"}])) as bedrock:
        events = (await read_all(bedrock, outbound)).split(b"\n\n")
    assert events.pop() == b""
    kinds = [event.split(b"\n")[0].removeprefix(b"event: ").decode() for event in events]
    assert kinds[:3] == ["message_start", "content_block_start", "content_block_delta"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    data = [json.loads(event.split(b"\ndata: ")[1]) for event in events]
    assert [event["type"] for event in data] == kinds
    assert "".join(event["delta"]["text"] for event in data if "text" in event.get("delta", {})) == "Wörld 世界"


async def test_an_exception_inside_claudes_stream_is_an_error_event(outbound: Outbound) -> None:
    async with open_bedrock(Reply(exception=("throttlingException", "slow down"))) as bedrock:
        last = (await read_all(bedrock, outbound)).split(b"\n\n")[-2]
    assert last.startswith(b"event: error\ndata: ")
    assert json.loads(last.split(b"data: ")[1])["error"] == {
        "type": "overloaded_error",
        "message": "throttlingException: slow down",
    }


@pytest.mark.parametrize("dialect", ["anthropic_messages", "bedrock_converse"])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("throttlingException", "provider_rate_limited"),
        ("serviceUnavailableException", "provider_overloaded"),
        ("modelTimeoutException", "provider_timeout"),
        ("internalServerException", "provider_fault"),
        ("modelStreamErrorException", "provider_fault"),
        ("validationException", "provider_refused_request"),
    ],
)
async def test_a_stream_that_begins_with_an_exception_has_not_begun(
    outbound: Outbound, dialect: str, name: str, code: str
) -> None:
    """Another attempt can still be made."""
    body = CONVERSE if dialect == "bedrock_converse" else json.dumps(MESSAGES).encode()
    async with open_bedrock(Reply(exception=(name, "no"), after=0)) as bedrock:
        with pytest.raises(ProviderError) as failed:
            await provider(outbound, bedrock.url).send(ask(outbound, dialect, body, stream=True))
    assert failed.value.code == code


@pytest.mark.parametrize(
    ("status", "name", "code", "retried"),
    [
        (400, "ValidationException", "provider_refused_request", False),
        (403, "AccessDeniedException", "provider_credentials_refused", False),
        (403, "ExpiredTokenException", "provider_credentials_refused", False),
        (404, "ResourceNotFoundException", "provider_model_missing", False),
        (408, "ModelTimeoutException", "provider_timeout", False),
        (424, "ModelErrorException", "provider_fault", True),
        (429, "ThrottlingException", "provider_rate_limited", True),
        (429, "ModelNotReadyException", "provider_overloaded", True),
        (400, "ServiceQuotaExceededException", "provider_quota_exhausted", False),
        (500, "InternalServerException", "provider_fault", True),
        (503, "ServiceUnavailableException", "provider_overloaded", True),
    ],
)
async def test_each_exception_is_one_of_our_errors(
    outbound: Outbound, status: int, name: str, code: str, retried: bool
) -> None:
    async with open_bedrock(Failure(status=status, name=name)) as bedrock:
        with pytest.raises(ProviderError) as failed:
            await provider(outbound, bedrock.url).send(ask(outbound, "bedrock_converse", CONVERSE))
    assert (failed.value.code, failed.value.may_retry, failed.value.upstream_status) == (code, retried, status)
    assert ("The model says no." in failed.value.message) == (name == "ValidationException")


async def test_the_name_of_an_exception_may_stand_in_the_body(outbound: Outbound) -> None:
    body = {"__type": "com.amazon.coral.service#ThrottlingException", "message": "x"}
    async with open_upstream(reply(body, 400)) as upstream:
        with pytest.raises(ProviderError) as failed:
            await provider(outbound, upstream.url).send(ask(outbound, "bedrock_converse", CONVERSE))
    assert failed.value.code == "provider_rate_limited"


HEAD = f"HTTP/1.1 200 OK\r\ncontent-type: {STREAM}\r\nconnection: close\r\n\r\n".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no frames at all, but quite some bytes of text",
        event_frames.event("chunk", b'{"bytes":"e30="}')[:-1] + b"x",
        event_frames.event("chunk", b'{"bytes":"e30="}') + b"\x00\x00",
        event_frames.event("chunk", b"{"),
        event_frames.event("chunk", b'{"bytes":"no base64"}'),
        event_frames.event("chunk", b'{"bytes":"bm8ganNvbg=="}'),
    ],
)
async def test_what_is_no_stream_of_frames_is_unreadable(outbound: Outbound, data: bytes) -> None:
    async with open_upstream(raw(HEAD + data)) as upstream:
        asked = ask(outbound, "anthropic_messages", json.dumps(MESSAGES).encode(), stream=True)
        with pytest.raises(UnreadableResponse):
            await (await provider(outbound, upstream.url).send(asked)).read()


async def test_frames_that_are_no_chunks_are_passed_over(outbound: Outbound) -> None:
    ours = event_frames.event("chunk", b'{"bytes":"eyJ0eXBlIjoicGluZyJ9Cg=="}')
    other = event_frames.frame([(":message-type", STRING, "event"), (":event-type", STRING, "new")], b"x")
    async with open_upstream(raw(HEAD + other + ours)) as upstream:
        asked = ask(outbound, "anthropic_messages", json.dumps(MESSAGES).encode(), stream=True)
        incoming = await provider(outbound, upstream.url).send(asked)
        assert await incoming.read() == b'event: ping\ndata: {"type":"ping"}\n\n'


def embed(outbound: Outbound, dialect: str) -> Any:
    return outbound.dialects.get(dialect).codec


@pytest.mark.parametrize(
    ("dialect", "model", "question", "size", "tokens"),
    [
        ("bedrock_titan_embed", TITAN, Question(("a b c",)), 4, 3),
        ("bedrock_titan_embed", TITAN, Question(("a b c",), dimensions=2), 2, 3),
        ("bedrock_cohere_embed", COHERE, Question(("a b", "c"), task="query"), 4, 3),
        ("bedrock_cohere_embed", "cohere.embed-v4:0", Question(("a",), dimensions=2), 2, 1),
    ],
)
async def test_embeddings_are_made(
    outbound: Outbound, dialect: str, model: str, question: Question, size: int, tokens: int
) -> None:
    codec = embed(outbound, dialect)
    async with open_bedrock() as bedrock:
        made = provider(outbound, bedrock.url, KEYS)
        body = codec.write(question, Upstream(model))
        incoming = await made.send(ask(outbound, dialect, body, model))
        answer: Embeddings = codec.read(await incoming.read(), Upstream(model))
    assert [len(vector) for vector in answer.vectors] == [size] * len(question.inputs)
    assert answer.usage == Usage(input_tokens=tokens)
    if dialect == "bedrock_cohere_embed":
        assert bedrock.asked[0]["input_type"] == ("search_query" if question.task else "search_document")


@pytest.mark.parametrize(
    ("dialect", "model", "question", "param"),
    [
        ("bedrock_titan_embed", TITAN, Question(("a", "b")), "input"),
        ("bedrock_titan_embed", TITAN, Question(()), "input"),
        ("bedrock_titan_embed", "amazon.titan-embed-text-v1", Question(("a",), dimensions=2), "dimensions"),
        ("bedrock_cohere_embed", COHERE, Question(("a",), dimensions=2), "dimensions"),
    ],
)
def test_what_a_model_of_embeddings_does_not_take_is_refused(
    outbound: Outbound, dialect: str, model: str, question: Question, param: str
) -> None:
    with pytest.raises(NotTranslatable) as refusal:
        embed(outbound, dialect).write(question, Upstream(model))
    assert refusal.value.param == param


@pytest.mark.parametrize("dialect", ["bedrock_titan_embed", "bedrock_cohere_embed"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"embedding":"x","embeddings":"x"}', b"<html>"])
def test_what_holds_no_embeddings_is_unreadable(outbound: Outbound, dialect: str, body: bytes) -> None:
    with pytest.raises(UnreadableReply):
        embed(outbound, dialect).read(body, Upstream("m"))


def test_cohere_may_answer_without_types(outbound: Outbound) -> None:
    answer = embed(outbound, "bedrock_cohere_embed").read(b'{"embeddings":[[1,2]]}', Upstream("m"))
    assert answer == Embeddings(((1.0, 2.0),), "m", None)
