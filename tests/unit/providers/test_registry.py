"""What may be declared as a provider."""

from typing import Any

import pytest

from enfilade.providers.errors import InvalidProvider
from enfilade.providers.registry import Adapters
from enfilade.providers.types import ProviderSpec, SecretReference, TimeoutSpec
from tests.support.outbound import Outbound

GOOD: dict[str, Any] = {
    "name": "up",
    "kind": "openai",
    "base_url": "https://api.example/v1",
    "api_key": SecretReference(env="UP_API_KEY"),
}


def test_a_sound_specification_is_taken() -> None:
    Adapters().check(ProviderSpec(**GOOD))
    Adapters().check(ProviderSpec("sim", "simulated"))


@pytest.mark.parametrize(
    ("changes", "param", "words"),
    [
        ({"kind": "telepathy"}, "kind", ", ".join(Adapters().kinds())),
        ({"zone": "moon"}, "zone", "on_premise"),
        ({"api_key": None}, "api_key", "needs an api_key"),
        ({"max_concurrency": 0}, "max_concurrency", "between 1 and"),
        ({"max_concurrency": 10**9}, "max_concurrency", "between 1 and"),
        ({"timeout": TimeoutSpec(connect=0)}, "timeout", "longer than nothing"),
        ({"timeout": TimeoutSpec(first_byte=-1)}, "timeout", "longer than nothing"),
        ({"timeout": TimeoutSpec(between_bytes=0)}, "timeout", "longer than nothing"),
        ({"timeout": TimeoutSpec(total=0)}, "timeout", "longer than nothing"),
        ({"options": {"proxi": "http://p:1"}}, "options", "proxi"),
        ({"base_url": "http://api.example/v1"}, "base_url", "https"),
        ({"kind": "openai_compatible", "base_url": None}, "base_url", "needs a base_url"),
    ],
)
def test_what_could_never_work_is_refused_with_its_field(changes: dict[str, Any], param: str, words: str) -> None:
    with pytest.raises(InvalidProvider) as refusal:
        Adapters().check(ProviderSpec(**(GOOD | changes)))
    assert refusal.value.param == param
    assert words in refusal.value.message
    assert refusal.value.status == 422


@pytest.mark.parametrize("given", ["9999", "1000000001", "-1", "1e6", "10 000", "", "٣٠٠٠٠"])
def test_a_bound_of_replies_that_makes_no_sense_is_refused(outbound: Outbound, given: str) -> None:
    with pytest.raises(InvalidProvider) as refusal:
        outbound.provider("https://127.0.0.1/v1", options={"max_reply_bytes": given})
    assert refusal.value.param == "options.max_reply_bytes"
