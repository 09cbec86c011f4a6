"""Whoever guesses is slowed, and nobody else is."""

import asyncio
from typing import Any

from httpx2 import AsyncClient, Response

from enfilade.core.clock import ManualClock
from enfilade.identity.accounts.totp import code_at
from enfilade.storage.address import Address
from tests.http.accounts.conftest import PASSWORD, Place, quick
from tests.support.house import HouseOptions, open_house

OTHER = "nine brown horses under a bridge"
BODY = {"tenant": "acme", "email": "ana@acme.example", "password": OTHER, "token": True}


async def guess(client: AsyncClient, address: str = "198.51.100.1", **more: Any) -> Response:
    return await client.post("/auth/local/sign-in", json=BODY | more, headers={"x-forwarded-for": address})


async def test_the_first_tries_are_free_and_then_the_waits_double(place: Place) -> None:
    await place.set_password()
    for _ in range(6):
        assert (await place.sign_in(password=OTHER)).status_code == 401
    waits = []
    for _ in range(6):
        reply = await place.sign_in()
        assert (reply.status_code, reply.json()["code"]) == (429, "too_many_tries")
        waits.append(int(reply.headers["retry-after"]))
        place.clock.advance(waits[-1])
        assert (await place.sign_in(password=OTHER)).status_code == 401
    assert waits == [1, 3, 7, 15, 31, 60]
    (told, again) = await place.events("SignInsFailed")
    assert {told["failures"], again["failures"]} == {5, 10}
    place.clock.advance(60)
    assert (await place.sign_in()).status_code == 200
    assert (await place.sign_in(password=OTHER)).status_code == 401
    assert (await place.sign_in()).status_code == 200


async def test_who_does_not_exist_is_slowed_like_everybody(place: Place) -> None:
    await place.set_password()
    cases: tuple[dict[str, Any], ...] = ({"password": OTHER}, {"email": "no@acme.example"}, {"tenant": "nowhere"})
    seen = []
    for case in cases:
        replies = [await place.sign_in(**case) for _ in range(8)]
        seen.append([(reply.status_code, reply.headers.get("retry-after")) for reply in replies])
        place.clock.advance(3600)
    assert seen[0] == seen[1] == seen[2]


async def test_many_at_once_are_no_way_around(place: Place) -> None:
    await place.set_password()
    replies = await asyncio.gather(*(place.sign_in(password=OTHER) for _ in range(12)))
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [401] * 6 + [429] * 6


async def test_an_attack_from_everywhere_does_not_keep_the_owner_out(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock, trusted_proxies=("127.0.0.1",))) as house:
        place = quick(house, clock)
        await place.set_password()
        client = place.anybody
        home = "203.0.113.7"
        assert (await guess(client, home, password=PASSWORD)).status_code == 200
        replies = [await guess(client, f"198.51.100.{n}") for n in range(20)]
        assert replies[-1].status_code == 429
        # A stranger's network is slowed though it never tried; the owner's own is not.
        assert (await guess(client, "192.0.2.1", password=PASSWORD)).status_code == 429
        assert (await guess(client, home, password=PASSWORD)).status_code == 200
        assert (await guess(client, home, email="ben@acme.example")).status_code == 401
        # Addresses of one IPv6 network are one.
        clock.advance(3600)
        client = place.anybody  # The other's connection has been idle for an hour.
        sixes = [await guess(client, f"2001:db8::{n:x}", email="no@acme.example") for n in range(7)]
        assert sixes[-1].status_code == 429


async def test_slowing_survives_a_restart(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house:
        place = quick(house, clock)
        for _ in range(6):
            await guess(place.anybody)
    async with open_house(database, HouseOptions(clock=clock)) as house:
        assert (await guess(quick(house, clock).anybody)).status_code == 429


async def test_guessing_codes_is_slowed_however_often_the_password_is_right(place: Place) -> None:
    await place.set_password()
    me = await place.session()
    new = (await me.post("/api/v1/me/second-factors/totp", json={})).json()
    from_app = await me.post(
        f"/api/v1/me/second-factors/totp/{new['id']}/confirm", json={"code": _code(place, new["secret"])}
    )
    assert from_app.status_code == 200
    place.clock.advance(60)
    asked = [(await place.sign_in()).json()["challenge"]["challenge"] for _ in range(2)]
    statuses = []
    for number in range(8):
        body = {"challenge": asked[number // 4], "code": "000000"}
        statuses.append((await place.anybody.post("/auth/local/second-factor", json=body)).status_code)
    assert statuses == [401] * 6 + [429] * 2


def _code(place: Place, secret: str) -> str:
    return code_at(secret, place.clock.now_ns() // 10**9 // 30)
