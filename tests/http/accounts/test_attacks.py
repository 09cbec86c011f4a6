"""Ways to come in with less than is asked for, or to stay longer than is allowed."""

from typing import Any

import pyotp
import pytest
from httpx2 import AsyncClient

from tests.http.accounts.conftest import PASSWORD, Place
from tests.support.world import ACME_ADMIN_KEY, OWNER_KEY

API = "/api/v1"
ANA = "ana@acme.example"


async def test_what_is_shown_once_is_not_kept_for_repetitions(place: Place) -> None:
    await place.set_password()
    ana = await place.session()
    again = {"idempotency-key": "the-same-request"}
    first = await ana.post(f"{API}/me/recovery-codes", headers=again)
    code = first.json()["recovery_codes"][0]
    second = await ana.post(f"{API}/me/recovery-codes", headers=again)
    assert second.headers["idempotency-replayed"] == "true"
    assert code not in second.text
    body = {"tenant": "acme", "email": ANA, "password": PASSWORD, "token": True}
    signed_in = await ana.post("/auth/local/sign-in", json=body, headers={"idempotency-key": "signing in"})
    app = await ana.post(f"{API}/me/second-factors/totp", json={}, headers={"idempotency-key": "an app"})
    shown = [code, signed_in.json()["session"]["token"], signed_in.json()["session"]["csrf"], app.json()["secret"]]
    async with place.house.unit() as unit:
        kept = "".join(str(dict(row)) for row in await unit.fetch("SELECT * FROM idempotency_keys"))
    assert "recovery_codes" in kept
    assert [secret for secret in shown if secret in kept] == []


async def test_a_session_does_not_renew_itself_by_way_of_a_command_line(place: Place) -> None:
    """Neither for longer than sessions last, nor to look as if somebody had signed in just now."""
    await place.set_password()
    token = (await place.sign_in()).json()["session"]["token"]
    place.clock.advance(3600)
    made = await _command_line(place, token)
    assert made is not None
    # It stands for a sign-in of an hour ago.
    reply = await _by(place, made).post(f"{API}/me/recovery-codes")
    assert (reply.status_code, reply.json()["code"]) == (403, "fresh_sign_in_needed")
    again = await _command_line(place, made)
    assert again is not None
    reply = await _by(place, again).post(f"{API}/me/recovery-codes")
    assert (reply.status_code, reply.json()["code"]) == (403, "fresh_sign_in_needed")
    mine = (await _by(place, made).get(f"{API}/sessions/mine")).json()["items"]
    assert [len(mine), len({entry["expires_at"] for entry in mine})] == [3, 1]


async def test_a_session_ends_when_more_is_demanded_than_was_shown(place: Place) -> None:
    """A second factor that administrators need is asked of whoever becomes one while they are signed in."""
    await place.require_second_factor("administrators")
    await place.set_password()
    ana = await place.session()
    assert (await ana.get(f"{API}/me")).status_code == 200
    given = await place.house.admin().post(
        f"{API}/role-assignments", params={"tenant": "acme"}, json={"user": ANA, "role": "admin"}
    )
    assert given.status_code == 201, given.text
    refused = await ana.get(f"{API}/users")
    assert (refused.status_code, refused.json()["code"]) == (401, "session_invalid")
    challenge = (await place.sign_in()).json()["challenge"]
    assert challenge["purpose"] == "enrolment"
    entered = await _enrol(place, challenge["challenge"])
    assert (await place.house.client(entered["session"]["token"]).get(f"{API}/users")).status_code == 200


async def test_sessions_of_accounts_that_are_no_more_end(place: Place) -> None:
    await place.set_password()
    ana = await place.session()
    assert (await ana.get(f"{API}/me")).status_code == 200
    body = {"require_second_factor": "never", "local_accounts": False}
    set_ = await place.house.admin().put(f"{API}/account-rules", params={"tenant": "acme"}, json=body)
    assert set_.status_code == 200, set_.text
    assert (await ana.get(f"{API}/me")).status_code == 401


@pytest.mark.parametrize(("key", "status"), [(ACME_ADMIN_KEY, 400), (OWNER_KEY, 200)])
async def test_a_link_opens_no_account_that_may_do_more_by_then(place: Place, key: str, status: int) -> None:
    """Whoever hands out a link could keep it until its account has rights that they lack themselves."""
    made = await place.house.client(key).post(f"{API}/users/{ANA}/password-link", params={"tenant": "acme"})
    assert made.status_code == 201, made.text
    given = await place.house.admin().post(
        f"{API}/role-assignments", params={"tenant": "acme"}, json={"user": ANA, "role": "owner"}
    )
    assert given.status_code == 201, given.text
    await place.house.parts.directory.refresh()
    taken = await place.anybody.post(
        "/auth/local/password", json={"secret": made.json()["secret"], "password": PASSWORD}
    )
    assert taken.status_code == status, taken.text
    assert status == 200 or taken.json()["code"] == "link_invalid"


async def test_a_first_factor_is_set_up_once(place: Place) -> None:
    """Whoever knows a password cannot put a factor of their own beside the one that its owner set up meanwhile."""
    await place.require_second_factor("everyone")
    await place.set_password()
    stale, own = [(await place.sign_in()).json()["challenge"]["challenge"] for _ in range(2)]
    await _enrol(place, own)
    began = await place.anybody.post("/auth/local/enrolment/totp", json={"challenge": stale})
    if began.status_code == 200:
        app = began.json()
        code = pyotp.TOTP(app["secret"]).at(int(place.clock.now_ns() // 10**9))
        body = {"challenge": stale, "factor": app["id"], "code": code, "token": True}
        began = await place.anybody.post("/auth/local/enrolment/totp/confirm", json=body)
    assert (began.status_code, began.json()["code"]) == (401, "challenge_invalid")
    listed = await place.house.admin().get(f"{API}/users/{ANA}/second-factors", params={"tenant": "acme"})
    assert len(listed.json()) == 1


async def _enrol(place: Place, challenge: str) -> dict[str, Any]:
    app = (await place.anybody.post("/auth/local/enrolment/totp", json={"challenge": challenge})).json()
    code = pyotp.TOTP(app["secret"]).at(int(place.clock.now_ns() // 10**9))
    body = {"challenge": challenge, "factor": app["id"], "code": code, "token": True}
    entered = await place.anybody.post("/auth/local/enrolment/totp/confirm", json=body)
    assert entered.status_code == 200, entered.text
    return dict(entered.json())


async def _command_line(place: Place, token: str) -> str | None:
    """The token of a command line that whoever has this one confirms; None where that is refused."""
    waiting = (await place.anybody.post("/auth/device/code")).json()
    browser = _browser(place, token)
    asked = await browser.get("/auth/device", params={"user_code": waiting["user_code"]})
    if asked.status_code != 200:
        return None
    csrf = (await _by(place, token).get(f"{API}/sessions/current")).json()["csrf"]
    form = {"csrf": csrf, "user_code": waiting["user_code"], "answer": "yes"}
    await browser.post("/auth/device", data=form)
    redeemed = await place.anybody.post("/auth/device/token", data={"device_code": waiting["device_code"]})
    return str(redeemed.json()["access_token"]) if redeemed.status_code == 200 else None


def _browser(place: Place, token: str) -> AsyncClient:
    return place.house.client(None, cookies={"enfilade_session": token})


def _by(place: Place, token: str) -> AsyncClient:
    return place.house.client(token)
