"""Signing in by an issuer in a browser, and what goes wrong on the way."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import pytest_asyncio

from enfilade.identity.sign_in.types import SessionRules
from tests.support.issuer import TestIssuer, b64, jwk_of, key_of, open_issuer
from tests.support.postgres import TestServer
from tests.support.sign_in import Place, issuer_part, open_place
from tests.support.world import ACME_ADMIN_KEY, GLOBEX_ADMIN_KEY, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHANGED = "/api/v1/departments"
ACME = {"tenant": "acme"}
VOUCHED = "oidc:login"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(server: TestServer) -> AsyncIterator[Place]:
    async with server.database() as database, open_place(database) as place:
        yield place


@pytest_asyncio.fixture(loop_scope="module")
async def place(opened: Place) -> AsyncIterator[Place]:
    """The one place, as it was at first."""
    before = opened.issuer.person
    yield opened
    issuer = opened.issuer
    issuer.person, issuer.iss, issuer.sends_iss, issuer.which = before, None, True, 0
    issuer.published = None
    for changed in (issuer.id_claims, issuer.metadata, issuer.status):
        changed.clear()
    if opened.is_changed:
        await opened.declare()
        opened.is_changed = False


async def test_somebody_signs_in_and_out(place: Place) -> None:
    browser = place.browser()
    token = await place.sign_in(browser)
    assert "ana@acme.example" in (await browser.get("/auth/signed-in")).text
    current = (await browser.get("/api/v1/sessions/current")).json()
    assert (current["user"], current["tenant"], current["methods"]) == ("ana@acme.example", "acme", ["oidc"])
    assert token not in place.house.log_lines()
    async with place.house.unit() as unit:
        assert not await unit.fetch("SELECT FROM sessions WHERE strpos(encode(digest, 'escape'), $1) > 0", token)
    left = await browser.post("/auth/sign-out", data={"csrf": current["csrf"]})
    assert left.status_code == 303
    assert left.headers["location"].startswith(f"{place.issuer.url}/logout?client_id=enfilade&post_logout")
    assert "enfilade_session" not in browser.cookies
    assert (await place.house.client(token).get("/api/v1/whoami")).status_code == 401


async def test_cookies_and_pages_are_made_safe(place: Place) -> None:
    browser = place.browser()
    back = await browser.get(await place.depart(browser))
    cookie = next(c for c in back.headers.get_list("set-cookie") if c.startswith("enfilade_session="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    for path in ("/auth/sign-in", "/auth/signed-in", "/auth/device"):
        page = await browser.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert "<script" not in page.text


async def test_behind_tls_cookies_have_the_hosts_prefix(place: Place) -> None:
    browser = place.browser()
    begun = await browser.get("/auth/oidc/acme/login/start", headers={"host": "ai.example.com"})
    # Under a name that anybody could have written, nobody is sent anywhere.
    assert begun.status_code == 400
    token = await place.sign_in(browser)
    plain = {"host": "ai.example.com", "cookie": f"enfilade_session={token}"}
    assert (await place.browser().get("/api/v1/whoami", headers=plain)).status_code == 401
    secure = {"host": "ai.example.com", "cookie": f"__Host-enfilade_session={token}"}
    assert (await place.browser().get("/api/v1/whoami", headers=secure)).status_code == 200
    twice = {"cookie": f"enfilade_session={token}; enfilade_session=ens_another"}
    assert (await place.browser().get("/api/v1/whoami", headers=twice)).status_code == 400


@pytest.mark.parametrize("sent", [None, "", "0" * 64, "é", "another's"])
async def test_a_change_needs_the_sessions_own_token(place: Place, sent: str | None) -> None:
    place.issuer.person = place.issuer.person | {"groups": ["admins"]}
    browser, other = place.browser(), place.browser()
    await place.sign_in(browser)
    await place.sign_in(other)
    if sent == "another's":
        sent = (await other.get("/api/v1/sessions/current")).json()["csrf"]
    body = {"name": f"made-in-browser-{place.clock.now_ns()}"}
    place.clock.advance(1)
    headers = {} if sent is None else {b"x-csrf-token": sent.encode()}
    refused = await browser.post(CHANGED, json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_refused")
    own = (await browser.get("/api/v1/sessions/current")).json()["csrf"]
    made = await browser.post(CHANGED, json=body, headers={"x-csrf-token": own})
    assert made.status_code == 201, made.text
    assert (await browser.get(CHANGED)).status_code == 200


async def test_a_form_of_somebody_else_signs_nobody_out(place: Place) -> None:
    browser = place.browser()
    await place.sign_in(browser)
    for form in ({}, {"csrf": "guessed"}):
        assert (await browser.post("/auth/sign-out", data=form)).status_code == 403
    assert (await browser.get("/auth/signed-in")).status_code == 200


async def test_a_state_is_taken_once_by_the_browser_that_has_it(place: Place) -> None:
    browser = place.browser()
    back = await place.depart(browser)
    thief = await place.browser().get(back)
    assert (thief.status_code, "enfilade_session" in thief.cookies) == (403, False)
    assert (await browser.get(back)).status_code == 303
    browser.cookies.delete("enfilade_session")
    again = await browser.get(back)
    assert (again.status_code, "enfilade_session" in again.cookies) == (403, False)


async def test_a_state_is_too_old_after_ten_minutes(place: Place) -> None:
    browser = place.browser()
    back = await place.depart(browser)
    place.clock.advance(601)
    assert (await browser.get(back)).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda q: q | {"state": "made-up"}, id="no state of ours"),
        pytest.param(lambda q: q | {"state": "0" * 32 + ".x"}, id="the platform's"),
        pytest.param(lambda q: {k: v for k, v in q.items() if k != "state"}, id="no state"),
        pytest.param(lambda q: q | {"code": "made-up"}, id="another code"),
        pytest.param(lambda q: {k: v for k, v in q.items() if k != "code"}, id="no code"),
        pytest.param(lambda q: q | {"error": "access_denied"}, id="an error"),
        pytest.param(lambda q: {k: v for k, v in q.items() if k != "iss"}, id="no issuer although it says so"),
        pytest.param(lambda q: q | {"iss": "https://evil.example"}, id="mixed-up issuers"),
    ],
)
async def test_what_comes_back_must_be_what_was_sent_for(place: Place, change: Callable[[Any], Any]) -> None:
    browser = place.browser()
    parts = urlsplit(await place.depart(browser))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    reply = await browser.get(parts.path, params=change(query))
    assert reply.status_code == 403
    assert "You could not be signed in." in reply.text
    assert "enfilade_session" not in browser.cookies


MISBEHAVIOURS: dict[str, Callable[[TestIssuer], None]] = {
    "another nonce": lambda i: i.id_claims.update(nonce="another"),
    "no nonce": lambda i: i.id_claims.update(nonce=None),
    "another issuer": lambda i: i.id_claims.update(iss="https://evil.example"),
    "another audience": lambda i: i.id_claims.update(aud="somebody-else"),
    "several audiences and no party": lambda i: i.id_claims.update(aud=["enfilade", "other"]),
    "another authorised party": lambda i: i.id_claims.update(azp="other"),
    "another access token": lambda i: i.id_claims.update(at_hash="AAAA"),
    "expired": lambda i: i.id_claims.update(exp=i.now_s() - 31),
    "without an end": lambda i: i.id_claims.update(exp=None),
    "from tomorrow": lambda i: i.id_claims.update(iat=i.now_s() + 86_400),
    "nobody": lambda i: i.id_claims.update(sub=None),
    "swapped keys": lambda i: i.publish([jwk_of(key_of("RSA", 5), "key-1")]),
    "the token end point is down": lambda i: i.status.update({"/token": 500}),
    "the token end point says nothing": lambda i: i.status.update({"/token": 200}),
}


@pytest.mark.parametrize("how", MISBEHAVIOURS)
async def test_issuers_that_misbehave_vouch_for_nobody(place: Place, how: str) -> None:
    browser = place.browser()
    back = await place.depart(browser)
    MISBEHAVIOURS[how](place.issuer)
    reply = await browser.get(back)
    assert (reply.status_code, "enfilade_session" in browser.cookies) == (403, False), how
    events = await place.house.admin().get("/api/v1/events", params={"tenant": "acme", "type": "SignInRefused"})
    assert events.json()["items"]


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_id_tokens_without_a_real_signature_are_refused(
    place: Place, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsigned(issuer: TestIssuer, header: dict[str, Any] | None = None, **claims: Any) -> str:
        head, body, signature = plain(issuer, header, **claims).split(".")
        fields = json.loads(base64.urlsafe_b64decode(head + "==")) | {"alg": algorithm}
        return f"{b64(json.dumps(fields).encode())}.{body}.{signature}"

    plain = TestIssuer.token
    browser = place.browser()
    back = await place.depart(browser)
    monkeypatch.setattr(TestIssuer, "token", unsigned)
    assert (await browser.get(back)).status_code == 403


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%5Cevil.example",
        "/%2Fevil.example",
        "/%252Fevil.example",
        "/\tevil.example",
        "javascript:alert(1)",
        "evil.example",
        "/" + "a" * 600,
        " /",
    ],
)
async def test_nobody_is_sent_to_another_site(place: Place, target: str) -> None:
    for path in ("/auth/oidc/acme/login/start", "/auth/sign-in"):
        reply = await place.browser().get(path, params={"next": target})
        assert reply.status_code in {400, 422}, reply.headers


async def test_people_go_on_to_where_they_wanted(place: Place) -> None:
    browser = place.browser()
    back = await browser.get(await place.depart(browser, "/auth/device?user_code=ABCD"))
    assert back.headers["location"] == "/auth/device?user_code=ABCD"


async def test_failures_do_not_tell_what_there_is(place: Place) -> None:
    place.issuer.status["/.well-known/openid-configuration"] = 500
    await place.declare(url=place.issuer.url + "/")
    said = set()
    for path in ("acme/login", "acme/other", "nobody/login", "globex/login", "platform/login"):
        reply = await place.browser().get(f"/auth/oidc/{path}/start")
        said.add((reply.status_code, reply.text))
    assert len(said) == 1
    assert said.pop()[0] == 403


async def test_the_only_issuer_need_not_be_named(place: Place) -> None:
    reply = await place.browser().get("/auth/oidc/start", params={"tenant": "acme"})
    assert reply.headers["location"].startswith(f"{place.issuer.url}/authorize?")


async def test_a_session_that_was_there_before_is_not_taken_over(place: Place) -> None:
    planted = await place.sign_in(place.browser())
    browser = place.browser()
    browser.cookies.set("enfilade_session", planted, domain="127.0.0.1")
    fresh = await place.sign_in(browser)
    assert fresh != planted
    assert (await place.house.client(planted).get("/api/v1/whoami")).status_code == 401


async def test_a_session_leads_into_its_own_tenant_only(place: Place) -> None:
    token = await place.sign_in(place.browser())
    globex = place.house.tenant_id("globex").replace("-", "")
    moved = token.replace(place.house.tenant_id("acme").replace("-", ""), globex)
    for forged in (moved, token[:-1], token + "0", token.upper(), "ens_x", f"ens_{'0' * 32}_{'0' * 64}"):
        assert (await place.house.client(forged).get("/api/v1/whoami")).status_code == 401
    for path in ("/api/v1/users", "/api/v1/sessions", "/api/v1/issuers"):
        foreign = await place.house.client(token).get(path, params={"tenant": "globex"})
        assert (foreign.status_code, foreign.json()["code"]) in {(404, "tenant_not_found"), (403, "permission_missing")}


async def test_sessions_end_when_they_are_idle_and_when_they_are_old(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place.house.parts.sessions, "rules", SessionRules(idle_s=2 * 3600, life_s=3 * 3600))
    idle, used = await place.sign_in(place.browser()), await place.sign_in(place.browser())
    for _ in range(2):
        place.clock.advance(70 * 60)
        assert (await place.house.client(used).get("/api/v1/whoami")).status_code == 200
    assert (await place.house.client(idle).get("/api/v1/whoami")).status_code == 401
    place.clock.advance(45 * 60)
    assert (await place.house.client(used).get("/api/v1/whoami")).status_code == 401


async def test_only_so_many_sessions_live_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place.house.parts.sessions, "rules", SessionRules(most_per_user=2))
    tokens = [await place.sign_in(place.browser())]
    for _ in range(2):
        place.clock.advance(1)
        tokens.append(await place.sign_in(place.browser()))
    assert (await place.house.client(tokens[0]).get("/api/v1/whoami")).status_code == 401
    assert (await place.house.client(tokens[1]).get("/api/v1/whoami")).status_code == 200


async def test_sessions_are_listed_and_ended(place: Place) -> None:
    first, second = await place.sign_in(place.browser()), await place.sign_in(place.browser())
    place.issuer.person = place.issuer.person | {"sub": "ben-1", "email": "ben@acme.example"}
    ben = await place.sign_in(place.browser())
    owner, admin = place.house.client(first), place.house.client(ACME_ADMIN_KEY)
    mine = (await owner.get("/api/v1/sessions/mine", params={"limit": 500})).json()["items"]
    assert {session["user"] for session in mine} == {"ana@acme.example"}
    bens = (await place.house.client(ben).get("/api/v1/sessions/current")).json()["id"]
    foreign = await owner.delete(f"/api/v1/sessions/{bens}")
    unknown = await owner.delete("/api/v1/sessions/01a19c21-7200-7000-8000-00000000dead")
    assert (foreign.status_code, foreign.json()["detail"]) == (404, unknown.json()["detail"])
    globex = await place.house.client(GLOBEX_ADMIN_KEY).delete(f"/api/v1/sessions/{bens}")
    assert globex.status_code == 404
    assert (await owner.get("/api/v1/sessions")).status_code == 403
    listed = (await admin.get("/api/v1/sessions", params={"user": "ben@acme.example"})).json()["items"]
    assert [session["user"] for session in listed] == ["ben@acme.example"] * len(listed)
    assert (await admin.delete(f"/api/v1/sessions/{bens}")).status_code == 204
    assert (await place.house.client(ben).get("/api/v1/whoami")).status_code == 401
    assert (await owner.delete("/api/v1/sessions/mine")).json()["ended"] >= 1
    assert (await owner.get("/api/v1/whoami")).status_code == 200
    assert (await place.house.client(second).get("/api/v1/whoami")).status_code == 401
    ended = await admin.delete("/api/v1/sessions", params={"user": "ana@acme.example"})
    assert ended.json() == {"ended": 1}
    assert (await owner.get("/api/v1/whoami")).status_code == 401


async def test_rights_are_those_of_now(place: Place) -> None:
    browser = place.house.client(await place.sign_in(place.browser()))
    assert (await browser.get("/api/v1/applications")).status_code == 200
    assert (await browser.get("/api/v1/keys")).status_code == 403
    await place.declare(roles={"staff": ["admin"]})
    assert (await browser.get("/api/v1/keys")).status_code == 200
    document = world()
    document["tenants"][0]["issuers"] = [issuer_part(place.issuer)]
    document["tenants"][0]["users"][0]["active"] = False
    place.is_changed = True
    await place.house.apply(document)
    assert (await browser.get("/api/v1/whoami")).status_code == 401
    assert (await place.browser().get(await place.depart(place.browser()))).status_code == 403


async def test_a_groups_roles_are_assignments_until_a_sign_in_without_the_group(place: Place) -> None:
    place.issuer.person = _eve("eve-1", "staff", "admins")
    first = place.house.client(await place.sign_in(place.browser()))
    assert (await first.get("/api/v1/me")).json()["roles"] == ["admin", "developer"]
    by_hand = {"role": "operator", "user": "eve-1@acme.example"}
    admin = place.house.admin()
    assert (await admin.post("/api/v1/role-assignments", params=ACME, json=by_hand)).status_code == 201
    assert await _assigned(place, "eve-1") == {("admin", VOUCHED), ("developer", VOUCHED), ("operator", "local")}
    key = await admin.post(
        "/api/v1/keys", params=ACME, json={"name": "eves", "user": "eve-1@acme.example", "roles": ["admin", "operator"]}
    )
    mine = (await place.house.admin(key.json()["secret"]).get("/api/v1/me")).json()
    assert "people:read" in mine["permissions"]
    assert "people:write" not in mine["permissions"], "a key lives on when the issuer has forgotten the person"
    place.issuer.person = _eve("eve-1", "staff")
    second = place.house.client(await place.sign_in(place.browser()))
    for session in (first, second):
        assert (await session.get("/api/v1/me")).json()["roles"] == ["developer", "operator"]
    assert await _assigned(place, "eve-1") == {("developer", VOUCHED), ("operator", "local")}
    told = await _told(place)
    assert told[-3:] == [("RoleAssigned", "admin"), ("RoleAssigned", "developer"), ("RoleUnassigned", "admin")]
    # An ordinary sign-in that changes nothing says nothing, and has no other process read the directory anew.
    await place.sign_in(place.browser())
    assert await _told(place) == told


async def test_a_role_that_was_taken_back_stays_away_while_the_issuer_names_its_group(place: Place) -> None:
    place.issuer.person = _eve("eve-2", "staff", "admins")
    session = place.house.client(await place.sign_in(place.browser()))
    token = place.house.client(place.issuer.token(**_eve("eve-2", "staff", "admins")))
    assert [(await one.get("/api/v1/keys")).status_code for one in (session, token)] == [200, 200]
    admin = place.house.admin()
    found = (await admin.get("/api/v1/role-assignments", params=ACME | {"limit": 500})).json()["items"]
    (taken,) = [one["id"] for one in found if (one["user"], one["role"]) == ("eve-2@acme.example", "admin")]
    assert (await admin.delete(f"/api/v1/role-assignments/{taken}", params=ACME)).status_code == 204
    assert [(await one.get("/api/v1/keys")).status_code for one in (session, token)] == [403, 403]
    again = place.house.client(await place.sign_in(place.browser()))
    assert (await again.get("/api/v1/me")).json()["roles"] == ["developer"]
    # A document that changes the mapping does not give it back either, nor takes what is left.
    await place.declare(roles={"staff": ["developer"], "admins": ["admin", "auditor"]})
    assert (await again.get("/api/v1/me")).json()["roles"] == ["auditor", "developer"]
    assert (await token.get("/api/v1/me")).json()["roles"] == ["auditor", "developer"]
    by_hand = {"role": "admin", "user": "eve-2@acme.example"}
    assert (await admin.post("/api/v1/role-assignments", params=ACME, json=by_hand)).status_code == 201
    assert (await again.get("/api/v1/keys")).status_code == 200
    # Once the issuer said that the group is gone, naming it again is a new decision, of which an event tells.
    place.issuer.person = _eve("eve-2", "staff")
    await place.sign_in(place.browser())
    place.issuer.person = _eve("eve-2", "staff", "admins")
    last = place.house.client(await place.sign_in(place.browser()))
    assert (await last.get("/api/v1/me")).json()["roles"] == ["admin", "auditor", "developer"]
    assert ("admin", VOUCHED) in await _assigned(place, "eve-2")


async def test_what_an_issuer_vouched_for_goes_with_it(place: Place) -> None:
    place.issuer.person = _eve("eve-3", "admins")
    await place.sign_in(place.browser())
    assert await _assigned(place, "eve-3") == {("admin", VOUCHED)}
    place.is_changed = True
    assert (await place.house.admin().delete("/api/v1/issuers/login", params=ACME)).status_code == 204
    assert await _assigned(place, "eve-3") == set()


async def test_roles_of_a_tenants_own_are_mapped_by_who_has_them_and_widened_by_who_has_as_much(place: Place) -> None:
    admin = place.house.admin()
    made = {"name": "reader", "permissions": ["keys:read"]}
    assert (await admin.post("/api/v1/roles", params=ACME, json=made)).status_code == 201
    await place.declare(roles={"staff": ["reader"]}, tenant={"roles": [made]})
    place.issuer.person = _eve("eve-4", "staff")
    session = place.house.client(await place.sign_in(place.browser()))
    assert (await session.get("/api/v1/keys")).status_code == 200
    tenants_admin = place.house.admin(ACME_ADMIN_KEY)
    part = issuer_part(place.issuer, roles={"staff": ["reader"], "admins": ["reader"]})
    refused = await tenants_admin.put("/api/v1/issuers/login", json=part)
    assert refused.status_code == 403, "who lacks rights maps no role"
    for permission, status in (("issuers:write", 403), ("people:read", 200)):
        wider = made | {"permissions": ["keys:read", permission]}
        changed = await tenants_admin.put("/api/v1/roles/reader", json=wider)
        assert changed.status_code == status, changed.text
    assert (await session.get("/api/v1/users")).status_code == 200
    in_use = await admin.delete("/api/v1/roles/reader", params=ACME)
    assert (in_use.status_code, in_use.json()["code"]) == (409, "still_in_use")


def _eve(name: str, *groups: str) -> dict[str, Any]:
    return {"sub": name, "email": f"{name}@acme.example", "email_verified": True, "groups": list(groups)}


async def _assigned(place: Place, name: str) -> set[tuple[str, str]]:
    """Roles and sources of a person's assignments."""
    found = await place.house.admin().get("/api/v1/role-assignments", params=ACME | {"limit": 500})
    return {(one["role"], one["source"]) for one in found.json()["items"] if one["user"] == f"{name}@acme.example"}


async def _told(place: Place) -> list[tuple[str, str]]:
    """What events say of assignments that an issuer vouches for, in order."""
    found = await place.house.admin().get("/api/v1/events", params=ACME | {"limit": 500})
    events = [one for one in found.json()["items"] if one["event"]["data"].get("source") == VOUCHED]
    events.sort(key=lambda one: one["seq"])
    return [(one["type"], one["event"]["data"]["role"]) for one in events if one["type"].startswith("Role")]


async def test_a_removed_issuer_takes_its_sessions_along(place: Place) -> None:
    token = await place.sign_in(place.browser())
    place.is_changed = True
    gone = await place.house.admin().delete("/api/v1/issuers/login", params={"tenant": "acme"})
    assert gone.status_code == 204
    assert (await place.house.client(token).get("/api/v1/whoami")).status_code == 401


async def test_answers_are_believed_from_the_issuer_that_was_asked_only(place: Place) -> None:
    """Mixed-up issuers: a code of the honest one is not redeemed at the other, nor the other way round."""
    async with open_issuer(place.issuer.now_s) as evil:
        document = world()
        other = issuer_part(evil, name="other", audiences=["other"])
        document["tenants"][0]["issuers"] = [issuer_part(place.issuer), other]
        place.is_changed = True
        await place.house.apply(document)
        browser = place.browser()
        begun = await browser.get("/auth/oidc/acme/other/start")
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        # The evil issuer sends the browser to the honest one, with the state that it was given itself.
        honest = {name: values[0] for name, values in asked.items()} | {"client_id": "enfilade"}
        async with httpx2.AsyncClient(trust_env=False) as outside:
            led = await outside.get(f"{place.issuer.url}/authorize", params=honest)
        reply = await browser.get(led.headers["location"])
        assert reply.status_code == 403
        assert evil.count("/token") == 0
        await place.house.admin().delete("/api/v1/issuers/other", params={"tenant": "acme"})
