"""Local accounts over HTTP: invited, signed in with a password and a second factor."""

import asyncio
import json
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from httpx2 import AsyncClient

from enfilade.identity.accounts.totp import code_at
from tests.http.accounts.conftest import PASSWORD, Place
from tests.support.authenticator import Authenticator
from tests.support.world import ACME_ADMIN_KEY, ACME_USER_KEY

OTHER = "nine brown horses under a bridge"


def code(place: Place, secret: str) -> str:
    return code_at(secret, place.clock.now_ns() // 10**9 // 30)


async def add_app(place: Place, me: AsyncClient) -> tuple[str, list[str]]:
    """An app's secret, and recovery codes."""
    new = (await me.post("/api/v1/me/second-factors/totp", json={"name": "phone"})).json()
    assert new["svg"].startswith("<svg")
    assert pyotp.parse_uri(new["uri"]).secret == new["secret"]
    path = f"/api/v1/me/second-factors/totp/{new['id']}/confirm"
    refused = await me.post(path, json={"code": "000000"})
    assert (refused.status_code, refused.json()["code"]) == (401, "wrong_code")
    added = await me.post(path, json={"code": code(place, new["secret"])})
    assert added.status_code == 200, added.text
    place.clock.advance(30)
    return new["secret"], added.json()["recovery_codes"]


async def challenge(place: Place, **more: Any) -> dict[str, Any]:
    reply = await place.sign_in(**more)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()["challenge"]
    return found


async def answer(place: Place, asked: dict[str, Any], **given: Any) -> Any:
    body = {"challenge": asked["challenge"], "token": True} | given
    return await place.anybody.post("/auth/local/second-factor", json=body)


async def test_somebody_is_invited_sets_a_password_and_comes_in_by_a_cookie(place: Place) -> None:
    admin = place.house.client(ACME_ADMIN_KEY)
    first = (await admin.post("/api/v1/users/ana@acme.example/password-link")).json()["secret"]
    link = (await admin.post("/api/v1/users/ana@acme.example/password-link")).json()["secret"]
    anybody = place.anybody
    for void in (first, link[:-1] + ("0" if link[-1] != "0" else "1"), "enp_", "", "x" * 200):
        reply = await anybody.post("/auth/local/password", json={"secret": void, "password": PASSWORD})
        assert (reply.status_code, reply.json()["code"]) == (400, "link_invalid")
    weak = await anybody.post("/auth/local/password", json={"secret": link, "password": "short"})
    assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
    entered = await anybody.post("/auth/local/password", json={"secret": link, "password": PASSWORD})
    assert entered.status_code == 200, entered.text
    assert entered.json()["session"]["token"] is None
    assert "HttpOnly" in entered.headers["set-cookie"]
    again = await anybody.post("/auth/local/password", json={"secret": link, "password": OTHER})
    assert again.json()["code"] == "link_invalid"
    # The client has the cookie now; a change needs the session's mark besides.
    me = (await anybody.get("/api/v1/me")).json()
    assert (me["email"], me["tenant"], me["roles"]) == ("ana@acme.example", "acme", ["developer"])
    change = {"current": PASSWORD, "new": OTHER}
    refused = await anybody.put("/api/v1/me/password", json=change)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_refused")
    mark = {"x-csrf-token": entered.json()["session"]["csrf"]}
    assert (await anybody.put("/api/v1/me/password", json=change, headers=mark)).status_code == 204
    assert (await place.sign_in(password=PASSWORD)).status_code == 401
    assert (await place.sign_in(password=OTHER)).status_code == 200


async def test_a_link_is_over_after_three_days(place: Place) -> None:
    reply = await place.house.client(ACME_ADMIN_KEY).post("/api/v1/users/ana@acme.example/password-link")
    place.clock.advance(3 * 86_400 + 1)
    body = {"secret": reply.json()["secret"], "password": PASSWORD}
    assert (await place.anybody.post("/auth/local/password", json=body)).json()["code"] == "link_invalid"


async def test_nobody_opens_an_account_that_may_do_more_than_they_may(place: Place) -> None:
    owner = place.house.admin()
    body = {"email": "olga@acme.example", "roles": ["owner"]}
    assert (await owner.post("/api/v1/users", params={"tenant": "acme"}, json=body)).status_code == 201
    admin = place.house.client(ACME_ADMIN_KEY)
    for method, path, content in (
        ("POST", "password-link", None),
        ("PUT", "password", {"password": PASSWORD}),
        ("DELETE", "password", None),
        ("DELETE", "second-factors", None),
    ):
        reply = await admin.request(method, f"/api/v1/users/olga@acme.example/{path}", json=content)
        assert (reply.status_code, reply.json()["code"]) == (403, "rights_exceeded"), path


async def test_the_platforms_first_person_comes_in_with_the_owners_key_only(place: Place) -> None:
    owner, platform = place.house.admin(), {"tenant": "platform"}
    body = {"email": "op@example.com", "roles": ["owner"]}
    assert (await owner.post("/api/v1/users", params=platform, json=body)).status_code == 201
    await place.set_password("op@example.com", "platform")
    client = await place.session("op@example.com", tenant=None)
    assert (await client.get("/api/v1/tenants")).status_code == 200
    tenants = place.house.client(ACME_ADMIN_KEY)
    assert (await tenants.get("/api/v1/users/op@example.com", params=platform)).status_code == 404


async def test_who_is_unknown_and_who_is_wrong_get_the_same_answer(place: Place) -> None:
    await place.set_password()
    body = {"email": "cal@acme.example", "active": False}
    await place.house.admin().post("/api/v1/users", params={"tenant": "acme"}, json=body)
    cases: tuple[dict[str, Any], ...] = (
        {"password": OTHER},
        {"email": "nobody@acme.example"},
        {"email": "ben@acme.example"},
        {"email": "cal@acme.example"},
        {"email": "' OR 1=1 --"},
        {"tenant": "nowhere"},
        {"tenant": "globex"},
        {"tenant": None},
        {"password": "x" * 300},
    )
    answers = set()
    for case in cases:
        reply = await place.sign_in(**case)
        problem = reply.json()
        answers.add((reply.status_code, problem["code"], problem["detail"], tuple(sorted(problem))))
    assert len(answers) == 1, answers
    assert answers.pop()[:2] == (401, "wrong_credentials")
    for field in ("tenant", "email", "password"):
        for text in ("nul\x00", "half \ud800"):
            content = json.dumps({"tenant": "acme", "email": "ana@acme.example", "password": OTHER} | {field: text})
            reply = await place.anybody.post("/auth/local/sign-in", content=content)
            assert reply.status_code == 422, reply.text
            assert "half" not in reply.text


async def test_a_password_is_compared_even_where_there_is_none(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.set_password()
    passwords = place.house.parts.accounts.passwords
    compared: list[bool] = []
    original = passwords.matches

    async def matches(hashed: str | None, password: str) -> bool:
        compared.append(hashed is not None)
        return await original(hashed, password)

    monkeypatch.setattr(passwords, "matches", matches)
    for case in ({"password": OTHER}, {"email": "nobody@acme.example"}, {"tenant": "nowhere"}):
        await place.sign_in(**case)
    assert compared == [True, False, False]


async def test_whoever_became_inactive_is_out_at_once(place: Place) -> None:
    await place.set_password()
    me = await place.session()
    assert (await me.get("/api/v1/me")).status_code == 200
    body = {"email": "ana@acme.example", "department": "sales", "roles": ["developer"], "active": False}
    path = "/api/v1/users/ana@acme.example"
    assert (await place.house.client(ACME_ADMIN_KEY).put(path, json=body)).status_code == 200
    assert (await me.get("/api/v1/me")).status_code == 401
    assert (await place.house.client(ACME_USER_KEY).get("/v1/models")).status_code == 401
    assert (await place.sign_in()).status_code == 401
    # Let in again, they come by the door: what was open before is not.
    body["active"] = True
    assert (await place.house.client(ACME_ADMIN_KEY).put(path, json=body)).status_code == 200
    assert (await me.get("/api/v1/me")).status_code == 401
    assert (await (await place.session()).get("/api/v1/me")).status_code == 200


async def test_an_app_is_set_up_and_asked_for_from_then_on(place: Place) -> None:
    await place.set_password()
    me = await place.session()
    secret, codes = await add_app(place, me)
    assert len(codes) == len(set(codes)) == 10
    asked = await challenge(place)
    assert (asked["purpose"], asked["methods"]) == ("second_factor", ["totp", "recovery_code"])
    shown = code(place, secret)
    assert (await answer(place, asked, code="000000")).json()["code"] == "wrong_code"
    entered = await answer(place, asked, code=shown)
    assert entered.status_code == 200, entered.text
    client = place.house.client(entered.json()["session"]["token"])
    assert (await client.get("/api/v1/sessions/current")).json()["methods"] == ["password", "totp"]
    # Neither the challenge nor the code is good for another time.
    assert (await answer(place, asked, code=shown)).json()["code"] == "challenge_invalid"
    assert (await answer(place, await challenge(place), code=shown)).json()["code"] == "wrong_code"


async def test_a_code_that_two_show_at_once_lets_one_in(place: Place) -> None:
    await place.set_password()
    secret, _ = await add_app(place, await place.session())
    asked = [await challenge(place) for _ in range(3)]
    replies = await asyncio.gather(*(answer(place, one, code=code(place, secret)) for one in asked))
    assert sorted(reply.status_code for reply in replies) == [200, 401, 401]


async def test_a_recovery_code_lets_in_once_however_it_is_written(place: Place) -> None:
    await place.set_password()
    _, codes = await add_app(place, await place.session())
    written = codes[0].upper().replace("-", " ").replace("0", "o")
    assert (await answer(place, await challenge(place), recovery_code=written)).status_code == 200
    assert (await answer(place, await challenge(place), recovery_code=codes[0])).status_code == 401
    assert (await answer(place, await challenge(place), recovery_code="")).status_code == 401
    (used,) = await place.events("RecoveryCodeUsed")
    assert used["left"] == 9


async def test_a_challenge_is_tried_five_times_and_for_five_minutes(place: Place) -> None:
    await place.set_password()
    secret, _ = await add_app(place, await place.session())
    asked = await challenge(place)
    for _ in range(5):
        assert (await answer(place, asked, code="000000")).json()["code"] == "wrong_code"
    assert (await answer(place, asked, code=code(place, secret))).json()["code"] == "challenge_invalid"
    place.clock.advance(3600)
    asked = await challenge(place)
    place.clock.advance(301)
    assert (await answer(place, asked, code=code(place, secret))).json()["code"] == "challenge_invalid"
    for made_up in ("", "enc_", "enc_" + "0" * 32 + "_" + "0" * 64, "enp" + asked["challenge"][3:]):
        assert (await answer(place, {"challenge": made_up}, code="000000")).json()["code"] == "challenge_invalid"


async def test_a_security_key_is_set_up_and_asked_for(place: Place) -> None:
    await place.set_password()
    me, key = await place.session(), Authenticator()
    begun = (await me.post("/api/v1/me/second-factors/webauthn")).json()
    body = {"challenge": begun["challenge"], "name": "blue key", "credential": key.create(begun["webauthn"])}
    added = await me.post("/api/v1/me/second-factors/webauthn/confirm", json=body)
    assert added.status_code == 200, added.text
    assert len(added.json()["recovery_codes"]) == 10
    assert (await me.post("/api/v1/me/second-factors/webauthn/confirm", json=body)).status_code == 401
    asked = await challenge(place)
    assert asked["methods"] == ["webauthn", "recovery_code"]
    key.count = 1
    signed = key.get(asked["webauthn"])
    older = key.get((await challenge(place))["webauthn"])
    assert (await answer(place, asked, credential=older)).json()["code"] == "authenticator_refused"
    assert (await answer(place, asked, credential=signed)).status_code == 200
    # A copy of the key has counted less.
    asked = await challenge(place)
    assert (await answer(place, asked, credential=key.get(asked["webauthn"]))).status_code == 422
    factors = (await me.get("/api/v1/me/second-factors")).json()
    assert [(factor["kind"], factor["name"]) for factor in factors] == [("webauthn", "blue key")]


@pytest.mark.parametrize("kind", ["totp", "webauthn"])
async def test_a_second_factor_that_is_demanded_is_set_up_before_anything_else(place: Place, kind: str) -> None:
    await place.set_password()
    await place.require_second_factor("everyone")
    asked = await challenge(place)
    assert asked["purpose"] == "enrolment"
    assert (await answer(place, asked, code="000000")).json()["code"] == "challenge_invalid"
    anybody, secret = place.anybody, {"challenge": asked["challenge"]}
    if kind == "totp":
        new = (await anybody.post("/auth/local/enrolment/totp", json=secret)).json()
        body = secret | {"factor": new["id"], "code": code(place, new["secret"]), "token": True}
    else:
        options = (await anybody.post("/auth/local/enrolment/webauthn", json=secret)).json()["webauthn"]
        body = secret | {"credential": Authenticator().create(options), "token": True}
    entered = await anybody.post(f"/auth/local/enrolment/{kind}/confirm", json=body)
    assert entered.status_code == 200, entered.text
    assert len(entered.json()["recovery_codes"]) == 10
    me = place.house.client(entered.json()["session"]["token"])
    (factor,) = (await me.get("/api/v1/me")).json()["second_factors"]
    refused = await me.delete(f"/api/v1/me/second-factors/{factor['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "second_factor_needed")
    assert (await challenge(place))["purpose"] == "second_factor"


async def test_administrators_need_a_second_factor_where_they_must_and_others_do_not(place: Place) -> None:
    await place.set_password()
    owner = place.house.admin()
    body = {"email": "adm@acme.example", "roles": ["admin"]}
    await owner.post("/api/v1/users", params={"tenant": "acme"}, json=body)
    await place.set_password("adm@acme.example")
    await place.require_second_factor("administrators", "platform")
    assert (await challenge(place, email="adm@acme.example"))["purpose"] == "enrolment"
    assert (await place.sign_in()).json()["session"] is not None
    # A tenant may demand more than the platform, and no less.
    await place.require_second_factor("never")
    assert (await challenge(place, email="adm@acme.example"))["purpose"] == "enrolment"
    await place.require_second_factor("everyone")
    assert (await challenge(place))["purpose"] == "enrolment"


async def test_a_tenant_without_local_accounts_lets_nobody_in_by_a_password(place: Place) -> None:
    await place.set_password()
    body = {"local_accounts": False}
    await place.house.admin().put("/api/v1/account-rules", params={"tenant": "acme"}, json=body)
    assert (await place.sign_in()).json()["code"] == "wrong_credentials"


async def test_ones_own_factors_are_changed_in_a_fresh_session_only(place: Place) -> None:
    await place.set_password()
    me = await place.session()
    by_key = place.house.client(ACME_USER_KEY)
    assert (await by_key.post("/api/v1/me/recovery-codes")).json()["code"] == "session_needed"
    assert (await by_key.get("/api/v1/me")).json()["email"] == "ana@acme.example"
    place.clock.advance(901)
    for method, path in (
        ("POST", "recovery-codes"),
        ("POST", "second-factors/webauthn"),
        ("DELETE", "second-factors/x"),
    ):
        reply = await me.request(method, f"/api/v1/me/{path}")
        assert (reply.status_code, reply.json()["code"]) == (403, "fresh_sign_in_needed"), path


async def test_a_changed_password_ends_every_other_session_and_sign_in(place: Place) -> None:
    await place.set_password()
    me, other = await place.session(), await place.session()
    secret, _ = await add_app(place, me)
    asked = await challenge(place)
    wrong = await me.put("/api/v1/me/password", json={"current": OTHER, "new": PASSWORD})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_credentials")
    assert (await me.put("/api/v1/me/password", json={"current": PASSWORD, "new": OTHER})).status_code == 204
    assert (await me.get("/api/v1/me")).status_code == 200
    assert (await other.get("/api/v1/me")).status_code == 401
    assert (await answer(place, asked, code=code(place, secret))).json()["code"] == "challenge_invalid"


async def test_lost_factors_are_removed_by_an_administrator(place: Place) -> None:
    await place.set_password()
    me = await place.session()
    await add_app(place, me)
    admin = place.house.client(ACME_ADMIN_KEY)
    path = "/api/v1/users/ana@acme.example/second-factors"
    assert [factor["name"] for factor in (await admin.get(path)).json()] == ["phone"]
    assert (await admin.delete(path)).json() == {"removed": 1}
    assert (await me.get("/api/v1/me")).status_code == 401
    assert (await place.sign_in()).json()["session"] is not None
    assert await place.events("SecondFactorsReset")


async def test_a_hash_of_weaker_parameters_is_renewed_on_the_way_in(place: Place) -> None:
    await place.set_password()
    passwords = place.house.parts.accounts.passwords
    passwords.hasher = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1)
    assert (await place.sign_in()).status_code == 200
    async with place.house.unit(place.house.tenant_id("acme")) as unit:
        hashed = await unit.fetch_value("SELECT hash FROM passwords")
    assert "t=2" in hashed
    assert (await place.sign_in()).status_code == 200


async def test_secrets_are_nowhere_but_in_the_reply(place: Place) -> None:
    await place.set_password()
    me = await place.session()
    secret, codes = await add_app(place, me)
    async with place.house.unit(place.house.tenant_id("acme")) as unit:
        events = " ".join(row[0] for row in await unit.fetch("SELECT body FROM events"))
        sealed = await unit.fetch_value("SELECT secret FROM second_factors")
    everywhere = place.house.log_lines() + events + repr(bytes(sealed))
    for text in (PASSWORD, secret, *codes):
        assert text not in everywhere
