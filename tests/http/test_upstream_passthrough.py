"""A call to a real HTTP provider in the same dialect: what goes out and what comes back."""

from enfilade.storage.address import Address
from tests.support.house import HouseOptions, open_house
from tests.support.upstream import open_upstream, reply
from tests.support.world import world


async def test_the_body_passes_through_with_another_model_name_and_key(database: Address) -> None:
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "upstream-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
        "something_new": {"kept": True},
    }
    async with open_upstream(reply(answer)) as upstream:
        document = world()
        document["providers"].append(
            {
                "name": "up",
                "kind": "openai_compatible",
                "base_url": upstream.url,
                "api_key": {"env": "UP_API_KEY"},
                "allow_private_network": True,
            }
        )
        document["models"].append(
            {
                "name": "up-model",
                "deployments": [{"provider": "up", "model": "upstream-1"}],
                "max_output_tokens": 100,
                "price": {"input": 1, "output": 2},
            }
        )
        options = HouseOptions(document=document, environment={"UP_API_KEY": "sk-upstream-secret"})
        async with open_house(database, options) as house:
            asked = {
                "model": "up-model",
                "messages": [{"role": "user", "content": "Well?"}],
                "max_tokens": 5,
                "unheard_of": [1, 2],
            }
            got = await house.client().post("/v1/chat/completions", json=asked)
        seen = await upstream.was_asked()
    assert got.status_code == 200, got.text
    assert got.json() == answer
    assert seen.path == "/v1/chat/completions"
    assert seen.header("authorization") == "Bearer sk-upstream-secret"
    assert seen.json == asked | {"model": "upstream-1"}
    assert got.headers["x-enfilade-cost-usd"] == "0.000018000"
