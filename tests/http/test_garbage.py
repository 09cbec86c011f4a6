"""What an answered request leaves behind: nothing. Memory that waits for the collector is cold when it is used again."""

import gc

import pytest

from enfilade.api.cycle import Cycle
from tests.support.house import House
from tests.support.waiting import eventually


def requests_alive() -> int:
    return sum(isinstance(item, Cycle) for item in gc.get_objects())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/healthz"])
async def test_an_answered_request_is_gone_without_the_garbage_collector(house: House, path: str) -> None:
    gc.collect()
    before = requests_alive()
    gc.disable()
    try:
        async with house.client() as client:
            for _ in range(3):
                if path == "/healthz":
                    reply = await client.get(path)
                else:
                    message = {"role": "user", "content": "hello"}
                    reply = await client.post(path, json={"model": "simulated/echo", "messages": [message]})
                assert reply.status_code == 200
        await eventually(lambda: requests_alive() == before)
    finally:
        gc.enable()
