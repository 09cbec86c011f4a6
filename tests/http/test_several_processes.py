"""Two processes on one database: what is shared, and what each says about what is not."""

from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.waiting import eventually


async def test_a_process_says_that_limits_are_counted_apart(house: House, world_database: Address) -> None:
    presence = house.parts.presence
    assert presence.alive == 1
    async with open_house(world_database, HouseOptions(document=None)) as other:
        await eventually(lambda: presence.alive == 2 and other.parts.presence.alive == 2)
        figures = (await house.client(None).get("/metrics")).text
        assert "enfilade_replicas 2.0" in figures
        listed = (await house.admin().get("/api/v1/replicas")).json()["items"]
        assert {item["id"] for item in listed} == {presence.id, other.parts.presence.id}
    await eventually(lambda: presence.alive == 1)
