"""Every kind of provider that is reached over HTTP: what goes out, and what becomes of what comes back."""

import json
from pathlib import Path

import pytest

from enfilade.providers.credentials import Credential, SecretSources
from enfilade.providers.errors import CredentialMissing, InvalidProvider, ProviderError
from enfilade.providers.registry import Adapters
from enfilade.providers.types import ProviderSpec, SecretReference
from tests.contract.kinds import KINDS, PAIRS, WITHOUT_NETWORK
from tests.support.outbound import KEY, KEY_NAME, REPLIES, Outbound
from tests.support.upstream import Seen, open_upstream, reply

KEYED = [(kind, dialect) for kind, dialect in PAIRS if KINDS[kind].key_header is not None]
"""Those whose key goes out as it is."""
COMMON = {"host", "content-type", "accept-encoding", "user-agent", "content-length"}


@pytest.fixture
def outbound() -> Outbound:
    """Providers with a clock that stands still."""
    return Outbound()


def test_every_kind_is_in_this_contract() -> None:
    assert set(Adapters().kinds()) == set(KINDS) | WITHOUT_NETWORK


def answer_of(kind: str, dialect: str) -> object:
    """What the service says to the request of a dialect."""
    return KINDS[kind].answers.get(dialect, REPLIES[dialect])


async def seen_by(outbound: Outbound, kind: str, dialect: str, **options: object) -> Seen:
    """Make a call; returns it as the provider got it."""
    async with open_upstream(reply(answer_of(kind, dialect))) as upstream:
        asked = outbound.ask(dialect, **options)  # type: ignore[arg-type]
        provider = outbound.provider(f"http://127.0.0.1:{upstream.port}/base/", kind=kind, **KINDS[kind].spec)
        incoming = await provider.send(asked)
        assert asked.sent
        assert json.loads(await incoming.read()) == REPLIES[dialect]
        outbound.close()
        return await upstream.was_asked()


@pytest.mark.parametrize(("kind", "dialect"), PAIRS)
async def test_a_request_goes_out_as_the_service_wants_it(outbound: Outbound, kind: str, dialect: str) -> None:
    known = KINDS[kind]
    seen = await seen_by(outbound, kind, dialect)
    assert (seen.method, seen.path) == ("POST", "/base" + known.paths[dialect])
    names = [name.lower() for name, _ in seen.headers]
    added = [known.key_header, *known.own_headers] if known.key_header else [*known.own_headers]
    if known.key_header:
        assert sorted(names) == sorted(COMMON | {name for name, _ in added})
    assert len(names) == len(set(names))
    assert seen.header("content-type") == "application/json"
    assert seen.header("accept-encoding") == "identity"
    for name, value in added:
        assert seen.header(name) == value
    if known.model_in_body:
        assert seen.json["model"] == "up-1"
    if known.body_unchanged:
        assert seen.body == outbound.ask(dialect).body


@pytest.mark.parametrize(("kind", "dialect"), KEYED)
async def test_the_callers_own_dialect_headers_go_along_once(outbound: Outbound, kind: str, dialect: str) -> None:
    forwarded = sorted(outbound.dialects.get(dialect).forwarded_headers)
    seen = await seen_by(outbound, kind, dialect, headers=tuple((name, b"from-the-caller") for name in forwarded))
    for name in forwarded:
        assert [value for key, value in seen.headers if key.lower() == name.decode()] == ["from-the-caller"]
    header, value = KINDS[kind].key_header or ("", "")
    assert seen.header(header) == value


def test_no_dialect_forwards_what_carries_credentials(outbound: Outbound) -> None:
    secret = {b"authorization", b"x-api-key", b"cookie", b"proxy-authorization", b"host", b"openai-organization"}
    for name in outbound.dialects.names():
        forwarded = outbound.dialects.get(name).forwarded_headers
        assert not forwarded & secret
        assert all(header == header.lower() for header in forwarded)


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_address_and_its_needs_are_known(outbound: Outbound, kind: str) -> None:
    known = KINDS[kind]
    if known.address is None:
        with pytest.raises(InvalidProvider) as refusal:
            outbound.provider(None, kind=kind, **known.spec)
        assert refusal.value.param == "base_url"
    else:
        assert outbound.provider(None, kind=kind, allow_private_network=False, **known.spec).base_url == known.address
    provider = outbound.provider("https://127.0.0.1/v1", kind=kind, **known.spec)
    assert set(provider.dialects) == set(known.paths)
    assert provider.traits.output_field == known.output_field
    spec = {**known.spec, "options": {**known.spec.get("options", {}), "output_field": "max_new"}}
    other = outbound.provider("https://127.0.0.1/v1", kind=kind, **spec)
    assert other.traits.output_field == "max_new"
    if known.needs_key:
        with pytest.raises(InvalidProvider) as refusal:
            outbound.provider("https://127.0.0.1/v1", kind=kind, key=None, **known.spec)
        assert refusal.value.param == "api_key"


@pytest.mark.parametrize(("kind", "dialect"), [pair for pair in KEYED if not KINDS[pair[0]].needs_key])
async def test_a_provider_that_needs_no_key_is_sent_none(outbound: Outbound, kind: str, dialect: str) -> None:
    async with open_upstream(reply(answer_of(kind, dialect))) as upstream:
        provider = outbound.provider(upstream.url, kind=kind, key=None, **KINDS[kind].spec)
        await (await provider.send(outbound.ask(dialect))).read()
        seen = await upstream.was_asked()
        assert seen.header("authorization") is None
        assert seen.header("x-api-key") is None
        outbound.close()


@pytest.mark.parametrize(("kind", "dialect"), KEYED)
async def test_a_key_that_is_not_there_is_told_before_anything_is_sent(
    outbound: Outbound, kind: str, dialect: str
) -> None:
    async with open_upstream(reply(b"{}")) as upstream:
        asked = outbound.ask(dialect)
        with pytest.raises(CredentialMissing) as failure:
            await outbound.provider(upstream.url, kind=kind, key="", **KINDS[kind].spec).send(asked)
        assert not asked.sent
        assert not upstream.connections
        assert not failure.value.may_have_cost
        assert failure.value.may_fall_back
        assert KEY_NAME not in failure.value.message


@pytest.mark.parametrize(("kind", "dialect"), KEYED)
@pytest.mark.parametrize("around", [KEY + "\n", "\r\n" + KEY + " \t"])
async def test_white_space_around_a_key_does_not_reach_the_wire(
    outbound: Outbound, kind: str, dialect: str, around: str
) -> None:
    async with open_upstream(reply(answer_of(kind, dialect))) as upstream:
        provider = outbound.provider(upstream.url, kind=kind, key=around, **KINDS[kind].spec)
        await (await provider.send(outbound.ask(dialect))).read()
        name, value = KINDS[kind].key_header or ("", "")
        assert (await upstream.was_asked()).header(name) == value
        outbound.close()


@pytest.mark.parametrize(("kind", "dialect"), KEYED)
@pytest.mark.parametrize("bad", [f"{KEY}\r\nx-injected: 1", f"{KEY}\nx: y", "schlüssel", "a\x00b"])
async def test_a_key_that_no_header_can_carry_is_not_sent(
    outbound: Outbound, kind: str, dialect: str, bad: str
) -> None:
    async with open_upstream(reply(b"{}")) as upstream:
        provider = outbound.provider(upstream.url, kind=kind, key=bad, **KINDS[kind].spec)
        with pytest.raises(CredentialMissing) as failure:
            await provider.send(outbound.ask(dialect))
        assert not upstream.seen
        assert bad not in f"{failure.value!r}{failure.value.message}"


@pytest.mark.parametrize(("kind", "dialect"), KEYED)
async def test_a_key_in_a_file_is_changed_in_place(outbound: Outbound, kind: str, dialect: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-first\n")
    reference = SecretReference(file=str(path))
    sources = SecretSources({}, (), (tmp_path,))
    async with open_upstream(reply(answer_of(kind, dialect))) as upstream:
        spec = ProviderSpec("up", kind, upstream.url, reference, allow_private_network=True, **dict(KINDS[kind].spec))
        credential = Credential(reference, sources, outbound.clock)
        provider = outbound.adapters.make(spec, credential, outbound.client, outbound.clock)

        async def key_sent() -> str:
            await (await provider.send(outbound.ask(dialect))).read()
            name, _ = KINDS[kind].key_header or ("", "")
            return upstream.seen[-1].header(name) or ""

        assert (await key_sent()).endswith("sk-first")
        path.write_text("sk-second")
        assert (await key_sent()).endswith("sk-first")
        outbound.pass_time(16)
        assert (await key_sent()).endswith("sk-second")
        path.unlink()
        outbound.pass_time(16)
        assert (await key_sent()).endswith("sk-second")
        outbound.close()


@pytest.mark.parametrize("kind", [*KINDS, *WITHOUT_NETWORK])
def test_a_key_is_never_shown(outbound: Outbound, kind: str) -> None:
    address = None if kind in WITHOUT_NETWORK else "https://127.0.0.1/v1"
    provider = outbound.provider(address, kind=kind, **(KINDS[kind].spec if kind in KINDS else {}))
    sealed = Credential(SecretReference(sealed="provider:up"), SecretSources({}, (), ()), outbound.clock, KEY)
    assert sealed.value() == KEY
    for shown in (repr(provider), str(provider), repr(sealed), str(sealed), repr(vars(ProviderError))):
        assert KEY not in shown
