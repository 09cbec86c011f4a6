"""The first thing that a user tries."""

from tests.support.house import House


async def test_a_chat_completion_is_answered_and_recorded(house: House) -> None:
    reply = await house.client().post(
        "/v1/chat/completions",
        json={"model": "simulated/echo", "messages": [{"role": "user", "content": "Good morning"}]},
    )
    assert reply.status_code == 200
    assert reply.json()["choices"][0]["message"]["content"] == "Good morning"

    record = (await house.admin().get(f"/api/v1/calls/{reply.headers['x-request-id']}")).json()
    assert record["tenant"] == "acme"
    assert record["application"] == "copilot"
    assert record["cost_usd"] == reply.headers["x-enfilade-cost-usd"]
