"""A provider with a new and a former credential: which is used, and what the second attempt is given."""

from typing import Any

import pytest

from enfilade.providers.credentials import Credential, OldKey, SecretSources
from enfilade.providers.errors import CredentialsRefused, ProviderFault
from enfilade.providers.types import Outgoing, ProviderSpec, SecretReference
from tests.support.outbound import REPLIES, Outbound
from tests.support.upstream import Seen, Wire, hang_up, open_upstream, reply

NEW, OLD = "sk-new-key-0123456789", "sk-old-key-0123456789"


def provider(outbound: Outbound, url: str, kind: str, told: list[str], **options: Any) -> Any:
    """A provider whose key was rotated."""
    sources = SecretSources({}, (), ())
    old = Credential(SecretReference(sealed="old"), sources, outbound.clock, OLD)
    key = Credential(SecretReference(sealed="new"), sources, outbound.clock, NEW, OldKey(old, 2**62))
    spec = ProviderSpec(
        name="up",
        kind=kind,
        base_url=url,
        api_key=SecretReference(sealed="new"),
        allow_private_network=True,
        options=options,
    )
    outbound.adapters.on_fall_back = told.append
    return outbound.adapters.make(spec, key, outbound.client, outbound.clock, None, {})


async def door(seen: Seen, wire: Wire) -> None:
    """Knows the old key only."""
    shown = seen.header("authorization") or seen.header("api-key") or seen.header("x-goog-api-key") or ""
    if OLD in shown:
        await reply(REPLIES["openai_chat"])(seen, wire)
    else:
        await reply({"error": {"message": f"Invalid key {shown}"}}, 401)(seen, wire)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("openai_compatible", {}), ("mistral", {}), ("cohere", {}), ("azure_openai", {"api_version": "2024-10-21"})],
)
async def test_the_second_attempt_is_the_first_with_the_other_key(
    outbound: Outbound, kind: str, options: dict[str, str]
) -> None:
    """Also where an adapter changes the body, or an authority shows the key."""
    told: list[str] = []
    async with open_upstream(door) as upstream:
        made = provider(outbound, upstream.url, kind, told, **options)
        incoming = await made.send(outbound.ask(messages=[{"role": "user", "content": "Hi"}], max_tokens=5, seed=7))
        assert incoming.status == 200
        await incoming.read()
        first, second = upstream.seen
        assert first.body == second.body
        assert first.path == second.path
        assert (NEW in str(first.headers), OLD in str(second.headers)) == (True, True)
        assert told == ["up"]
        made.close()


async def test_a_refusal_of_both_is_that_of_the_new_one(outbound: Outbound) -> None:
    told: list[str] = []
    async with open_upstream(
        reply({"error": {"message": f"no {NEW}"}}, 403), reply({"error": {"message": f"no {OLD}"}}, 401)
    ) as upstream:
        made = provider(outbound, upstream.url, "openai_compatible", told)
        with pytest.raises(CredentialsRefused) as failure:
            await made.send(outbound.ask())
        assert failure.value.upstream_status == 403
        assert NEW not in failure.value.message
        assert OLD not in failure.value.message
        assert told == []
        assert len(upstream.seen) == 2


async def test_a_failure_of_the_second_attempt_is_told_as_it_is(outbound: Outbound) -> None:
    async with open_upstream(reply({}, 401), reply({"error": {"message": "down"}}, 500)) as upstream:
        made = provider(outbound, upstream.url, "openai_compatible", [])
        with pytest.raises(ProviderFault):
            await made.send(outbound.ask())


async def test_nothing_was_spent_when_the_second_attempt_never_left(outbound: Outbound) -> None:
    """What the first attempt sent was refused; only what the second sends may cost."""
    async with open_upstream(reply({}, 401, headers={"connection": "close"}), hang_up) as upstream:
        made = provider(outbound, upstream.url, "openai_compatible", [])
        asked = outbound.ask()
        sent: list[bool] = []
        made._old = Unreachable(sent)
        with pytest.raises(ProviderFault):
            await made.send(asked)
        assert sent == [False]
        assert not asked.sent
        assert len(upstream.seen) == 1


class Unreachable:
    """Fails before anything leaves."""

    def __init__(self, sent: list[bool]) -> None:
        self._sent = sent

    async def send(self, outgoing: Outgoing) -> None:
        """Note what is known of the first attempt."""
        self._sent.append(outgoing.sent)
        message = "not reachable"
        raise ProviderFault(message)
