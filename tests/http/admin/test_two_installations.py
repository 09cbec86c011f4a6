"""The admin API's application is made once for a process; whose installation it serves comes with each request."""

import asyncio

from enfilade.api.admin_app import application, resolve_routes
from tests.support.house import House, HouseOptions, open_house
from tests.support.postgres import TestServer
from tests.support.world import world


async def test_two_installations_in_one_process_answer_for_themselves(house: House, server: TestServer) -> None:
    document = world()
    document["tenants"] = [document["tenants"][1] | {"name": "initech"}]
    async with server.database() as database, open_house(database, HouseOptions(document=document)) as other:
        replies = await asyncio.gather(*(h.admin().get("/api/v1/tenants") for h in (house, other) * 5))
    found = [[tenant["name"] for tenant in reply.json()["items"]] for reply in replies]
    assert found == [["acme", "globex"], ["initech"]] * 5


def test_the_routes_are_resolved_beforehand_in_a_thread_without_a_loop() -> None:
    resolve_routes()
    assert application() is application()
