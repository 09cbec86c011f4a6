"""Every dialect, whole and streamed, through the whole program: what the simulation is made of must work by itself."""

import pytest

from tests.simulation.calls import Ask, make
from tests.support.house import House
from tests.support.world import ACME_KEY


@pytest.mark.parametrize(
    ("dialect", "stream"),
    [
        *((dialect, stream) for dialect in ("chat", "messages", "responses", "gemini") for stream in (False, True)),
        ("embeddings", False),
    ],
)
async def test_each_kind_of_call_is_answered(house: House, dialect: str, stream: bool) -> None:
    for bound in (20, 21):
        answer = await make(house, Ask(ACME_KEY, "simulated/echo", dialect, stream, max_tokens=bound))
        assert answer.is_answered, answer.body


@pytest.mark.parametrize("dialect", ["chat", "messages", "responses", "gemini"])
async def test_an_error_inside_a_stream_ends_it_as_failed(house: House, dialect: str) -> None:
    answer = await make(house, Ask(ACME_KEY, "simulated/text-20+error-after-3", dialect, stream=True))
    record = (await house.admin().get(f"/api/v1/calls/{answer.id}")).json()
    assert (record["status"], record["usage"]["output_tokens"]) == ("failed", 3)
    assert b'"error"' in answer.body
