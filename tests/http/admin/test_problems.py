"""How the admin API tells that something went wrong."""

import pytest

from tests.support.house import House


async def test_a_failure_inside_is_told_as_a_problem_and_without_its_cause(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        message = "the secret is swordfish"
        raise RuntimeError(message)

    monkeypatch.setattr(type(house.parts.identity.tenants), "page", fail)
    reply = await house.admin().get("/api/v1/tenants")
    assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-request-id"]
    assert "swordfish" not in reply.text
    assert (await house.admin().get("/api/v1/whoami")).status_code == 200
