"""The whole story over HTTP: asked for, refused or approved, used, revoked, taken in an emergency, and reviewed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from httpx2 import AsyncClient, Response

from enfilade.core.clock import ManualClock
from enfilade.identity.sign_in.types import ClientFacts
from enfilade.storage.address import Address
from tests.support.data_plane import CHAT, error_of, question
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, ACME_USER_KEY, GLOBEX_ADMIN_KEY, world

KEYS = {
    "ana": ACME_USER_KEY,
    "ben": "acme-ben-personal-key-with-enough-characters",
    "cleo": "acme-cleo-personal-key-with-enough-characters",
}
HOUR = 3600
REQUESTS, GRANTS, EMERGENCIES, REVIEWS = (
    f"/api/v1/{noun}" for noun in ("approval-requests", "access-grants", "emergency-access", "access-reviews")
)
WISH = {"kind": "model", "model": "chat", "duration": "8h", "reason": "a demo for Zoltan"}
RULES = [
    {
        "name": "models",
        "kinds": ["model", "use_case"],
        "stages": [{"reviewers": ["manager"], "fallback": ["user:cleo@acme.example"]}],
        "max_duration": "10h",
        "emergency": ["user:ana@acme.example"],
        "emergency_review_within": "1d",
    },
    {"name": "roles", "kinds": ["role"], "roles": ["operator"], "stages": [{"reviewers": ["user:cleo@acme.example"]}]},
    {"name": "owners", "kinds": ["role"], "roles": ["owner"], "stages": [{"reviewers": ["user:cleo@acme.example"]}]},
    {"name": "keys", "kinds": ["key_scope"], "stages": [{"reviewers": ["user:cleo@acme.example"]}]},
]


def document() -> dict[str, Any]:
    given = world()
    acme = given["tenants"][0]
    ana, ben = acme["users"]
    ana["manager"] = ben["email"]
    acme["users"].append({"email": "cleo@acme.example", "roles": ["admin"]})
    acme["keys"] += [
        {"name": f"{who}-key", "user": f"{who}@acme.example", "secret": {"value": KEYS[who]}} for who in ("ben", "cleo")
    ]
    acme["keys"][-1]["roles"] = ["admin"]
    acme["approval_rules"] = RULES
    acme["access"] = {"default": "deny", "matrix": [{"name": "by-approval", "models": ["chat"], "approval": True}]}
    return given


@asynccontextmanager
async def office(database: Address, clock: ManualClock | None = None) -> AsyncIterator[House]:
    async with open_house(database, HouseOptions(document=document(), clock=clock or ManualClock())) as house:
        yield house


def of(house: House, who: str) -> AsyncClient:
    return house.client(KEYS[who])


async def call(house: House, key: str = ACME_USER_KEY) -> Response:
    return await house.client(key).post(CHAT, json=question(CHAT, model="chat", max_tokens=5))


async def ask(house: House, who: str = "ana", **changes: Any) -> dict[str, Any]:
    reply = await of(house, who).post(REQUESTS, json=WISH | changes)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def decide(house: House, who: str, request: dict[str, Any], verb: str = "approve", **body: Any) -> Response:
    reply = await of(house, who).post(f"{REQUESTS}/{request['id']}/{verb}", json=body)
    await house.parts.directory.refresh()
    return reply


async def events(house: House, kind: str) -> list[dict[str, Any]]:
    items = (await house.admin().get("/api/v1/events?limit=200&tenant=acme")).json()["items"]
    return [event["event"]["data"] for event in items if event["type"] == kind]


async def test_a_refused_caller_asks_a_manager_and_may_call_until_the_time_is_over(database: Address) -> None:
    clock = ManualClock()
    async with office(database, clock) as house:
        refused = await call(house)
        assert refused.status_code == 403, refused.text
        assert "enfilade approval request model --model chat" in error_of(CHAT, refused)["message"]
        request = await ask(house)
        assert (request["state"], request["awaits"]) == ("pending", ["ben@acme.example"])
        approved = (await decide(house, "ben", request, comment="go on")).json()
        assert (approved["state"], approved["decisions"][0]["reviewer"]) == ("approved", "ben@acme.example")
        assert (await call(house)).status_code == 200
        assert (await call(house, ACME_KEY)).status_code == 403
        assert (await call(house, KEYS["ben"])).status_code == 403
        clock.jump(8 * HOUR - 1)
        assert (await call(house)).status_code == 200
        clock.jump(1)
        assert (await call(house)).status_code == 403
        (grant,) = (await of(house, "ana").get(GRANTS)).json()["items"]
        assert (grant["state"], grant["request"]) == ("ended", request["id"])
        assert "Zoltan" not in str((await house.admin().get("/api/v1/events?limit=200&tenant=acme")).text)


async def test_a_revoked_grant_is_dead_at_once(database: Address) -> None:
    async with office(database) as house:
        await decide(house, "ben", await ask(house))
        assert (await call(house)).status_code == 200
        (grant,) = (await of(house, "ana").get(GRANTS)).json()["items"]
        assert (await of(house, "cleo").get(f"{GRANTS}/{grant['id']}")).status_code == 200
        revoked = await of(house, "ben").post(f"{GRANTS}/{grant['id']}/revoke", json={"reason": "over"})
        assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
        await house.parts.directory.refresh()
        assert (await call(house)).status_code == 403
        again = await of(house, "ana").post(f"{GRANTS}/{grant['id']}/revoke", json={"reason": "over"})
        assert (again.status_code, again.json()["code"]) == (409, "access_grant_ended")


async def test_an_application_is_asked_for_by_people_and_has_it_itself(database: Address) -> None:
    async with office(database) as house:
        assert (await call(house, ACME_KEY)).status_code == 403
        await decide(house, "ben", await ask(house, application="copilot", use_case=None))
        assert (await call(house, ACME_KEY)).status_code == 200
        assert (await call(house)).status_code == 403


async def test_who_sees_and_decides_what(database: Address) -> None:
    async with office(database) as house:
        request = await ask(house)
        address = f"{REQUESTS}/{request['id']}"
        for key, status in ((ACME_USER_KEY, 200), (KEYS["ben"], 200), (KEYS["cleo"], 200), (ACME_KEY, 404)):
            assert (await house.client(key).get(address)).status_code == status, key
        assert (await house.client(GLOBEX_ADMIN_KEY).get(address)).status_code == 404
        own = await decide(house, "ana", request)
        assert (own.status_code, own.json()["code"]) == (403, "own_request")
        other = await decide(house, "cleo", request)
        assert (other.status_code, other.json()["code"]) == (403, "not_reviewer")
        machine = await house.client(ACME_ADMIN_KEY).post(f"{address}/approve", json={})
        assert (machine.status_code, machine.json()["code"]) == (403, "not_a_person")
        waiting = {who: (await of(house, who).get(f"{REQUESTS}?awaiting_me=true")).json()["items"] for who in KEYS}
        assert {who: len(items) for who, items in waiting.items()} == {"ana": 0, "ben": 1, "cleo": 0}
        noted = await of(house, "ben").post(f"{address}/comments", json={"text": "which demo?"})
        assert noted.json()["comments"][0] | {"at": ""} == {
            "author": "ben@acme.example",
            "text": "which demo?",
            "at": "",
        }
        refused = await decide(house, "ben", request, "refuse", reason="not now")
        assert (refused.json()["state"], refused.json()["decisions"][0]["comment"]) == ("refused", "not now")
        assert (await decide(house, "ben", request)).json()["code"] == "request_closed"
        second = await ask(house)
        assert (await of(house, "ana").post(f"{REQUESTS}/{second['id']}/withdraw")).json()["state"] == "withdrawn"
        listed = (await house.admin().get(f"{REQUESTS}?tenant=acme&state=withdrawn")).json()["items"]
        assert [item["id"] for item in listed] == [second["id"]]
        everywhere = (await house.admin().get(REQUESTS)).json()["items"]
        assert [item["tenant"] for item in everywhere] == ["acme", "acme"]


async def signed_in(house: House, email: str) -> AsyncClient:
    async with house.unit(house.tenant_id("acme")) as unit:
        user = await house.parts.identity.users.get(unit, email)
        session = await house.parts.sessions.start(
            unit, user.id, methods=("password",), issuer=None, client=ClientFacts()
        )
    return house.client(session.token)


async def test_what_somebody_has_for_a_time_they_cannot_give_for_good(database: Address) -> None:
    """A key, a role or a password would be there when the time is over."""
    async with office(database) as house:
        person = await signed_in(house, "ana@acme.example")
        wish: dict[str, Any] = {"kind": "role", "role": "owner", "model": None, "duration": "2h"}
        await decide(house, "cleo", await ask(house, **wish))
        lasting: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "keys", {"name": "mine", "roles": ["operator"]}),
            ("POST", "keys", {"name": "bens", "user": "ben@acme.example"}),
            ("POST", "keys", {"name": "directory", "scopes": ["scim"]}),
            ("POST", "keys/acme-admin/rotate", {}),
            ("POST", "role-assignments", {"user": "ana@acme.example", "role": "auditor"}),
            ("POST", "roles", {"name": "clerk", "permissions": ["keys:read"]}),
            ("POST", "users", {"email": "friend@acme.example", "roles": ["auditor"]}),
            ("POST", "users/cleo@acme.example/password-link", {}),
            ("POST", "approval-rules", RULES[2] | {"name": "again"}),
            ("POST", "users/ben@acme.example/password-link", {}),
            ("PUT", "users/cleo@acme.example/password", {"password": "correct horse battery staple"}),
        ]
        for method, path, body in lasting:
            refused = await person.request(method, f"/api/v1/{path}", json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "rights_exceeded"), (path, refused.text)
            assert "for a time" in refused.json()["detail"] or "for good" in refused.json()["detail"], path
        # What gives nobody any rights, and what takes rights away, is what the time was given for.
        allowed: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "keys", {"name": "calls", "application": "copilot"}),
            ("POST", "users", {"email": "new@acme.example"}),
            ("DELETE", "keys/acme-admin", {}),
            ("DELETE", "users/cleo@acme.example", {}),
        ]
        for method, path, body in allowed:
            reply = await person.request(method, f"/api/v1/{path}", json=body)
            assert reply.status_code in {200, 201, 204}, (path, reply.text)
        # The same person, for good: an assignment is not for a time.
        given = await house.admin().post(
            "/api/v1/role-assignments?tenant=acme", json={"user": "ana@acme.example", "role": "operator"}
        )
        assert given.status_code == 201, given.text
        await house.parts.directory.refresh()
        made = await person.post("/api/v1/keys", json={"name": "mine", "roles": ["operator"]})
        assert made.status_code == 201, made.text


async def test_a_role_for_a_time_is_the_persons_and_ends_by_the_clock(database: Address) -> None:
    clock = ManualClock()
    async with office(database, clock) as house:
        person = await signed_in(house, "ana@acme.example")
        assert (await person.get("/api/v1/keys")).status_code == 403
        wish: dict[str, Any] = {"kind": "role", "role": "operator", "model": None, "duration": "2h"}
        await decide(house, "cleo", await ask(house, **wish))
        assert (await person.get("/api/v1/keys")).status_code == 200
        assert (await of(house, "ana").get("/api/v1/keys")).status_code == 403
        clock.jump(2 * HOUR - 1)
        assert (await person.get("/api/v1/keys")).status_code == 200
        clock.jump(1)
        assert (await person.get("/api/v1/keys")).status_code == 403
        refused = await of(house, "ana").post(REQUESTS, json=WISH | wish | {"role": "admin"})
        assert (refused.status_code, refused.json()["code"]) == (409, "no_reviewers")


async def test_a_key_has_further_scopes_for_a_time_within_its_rights(database: Address) -> None:
    clock = ManualClock()
    async with office(database, clock) as house:
        body = {"name": "narrow", "roles": ["operator"], "scopes": ["keys:read"]}
        made = await house.client(ACME_ADMIN_KEY).post("/api/v1/keys", json=body)
        assert made.status_code == 201, made.text
        await house.parts.directory.refresh()
        narrow = house.client(made.json()["secret"])
        assert [(await narrow.get(f"/api/v1/{noun}")).status_code for noun in ("keys", "limits")] == [200, 403]
        wish: dict[str, Any] = {
            "kind": "key_scope",
            "model": None,
            "key": "narrow",
            "scopes": ["limits:read", "events:read"],
        }
        bad = await of(house, "ana").post(REQUESTS, json=WISH | wish)
        assert (bad.status_code, bad.json()["param"]) == (422, "scopes")
        wish["scopes"] = ["limits:read", "audit:read"]
        await decide(house, "cleo", await ask(house, **wish))
        # The operator's role does not include reading the audit log, and no scope can add it.
        statuses = [(await narrow.get(f"/api/v1/{noun}")).status_code for noun in ("keys", "limits", "events")]
        assert statuses == [200, 200, 403]
        clock.jump(8 * HOUR)
        assert (await narrow.get("/api/v1/limits")).status_code == 403


async def test_emergency_access_works_at_once_tells_everybody_and_is_reviewed_by_another(database: Address) -> None:
    clock = ManualClock()
    async with office(database, clock) as house:
        wish = WISH | {"duration": "1h", "reason": "Zoltan's plant is down"}
        refused = await of(house, "ben").post(EMERGENCIES, json=wish)
        assert (refused.status_code, refused.json()["code"]) == (403, "emergency_not_allowed")
        taken = await of(house, "ana").post(EMERGENCIES, json=wish)
        assert taken.status_code == 201, taken.text
        await house.parts.directory.refresh()
        assert (await call(house)).status_code == 200
        alerts = (await house.client(ACME_ADMIN_KEY).get("/api/v1/alerts?type=EmergencyAccessTaken")).json()["items"]
        assert [alert["data"]["id"] for alert in alerts] == [taken.json()["id"]]
        assert "Zoltan" not in str(alerts)
        address = f"{EMERGENCIES}/{taken.json()['id']}"
        assert (await of(house, "ana").post(f"{address}/review", json={})).status_code in {403, 422}
        own = await of(house, "ana").get(f"{EMERGENCIES}?unreviewed=true")
        assert len(own.json()["items"]) == 1
        clock.advance(25 * HOUR)
        await house.parts.approvals.service.keeper.look()
        assert len(await events(house, "EmergencyReviewOverdue")) == 1
        body = {"justified": True, "note": "it was"}
        reviewed = await of(house, "cleo").post(f"{address}/review", json=body)
        assert reviewed.json()["review"]["reviewer"] == "cleo@acme.example"
        assert (await of(house, "cleo").post(f"{address}/review", json=body)).json()["code"] == "emergency_reviewed"


async def test_rules_are_declared_exported_changed_and_bounded_by_rights(database: Address) -> None:
    async with office(database) as house:
        exported = (await house.admin().get("/api/v1/configuration")).json()
        (acme,) = [tenant for tenant in exported["tenants"] if tenant["name"] == "acme"]
        assert {rule["name"] for rule in acme["approval_rules"]} == {"models", "roles", "owners", "keys"}
        plan = await house.admin().post("/api/v1/configuration/plan", json=exported)
        assert plan.json()["changes"] == [], plan.text
        admin, rules = house.client(ACME_ADMIN_KEY), "/api/v1/approval-rules"
        wide = {"name": "wide", "stages": [{"reviewers": ["manager"]}]}
        refused = await admin.post(rules, json=wide)
        assert (refused.status_code, refused.json()["code"]) == (403, "rights_exceeded")
        made = await admin.post(rules, json=wide | {"kinds": ["model"]})
        assert made.status_code == 201, made.text
        assert (await admin.post(rules, json=wide | {"kinds": ["model"]})).json()["code"] == "already_exists"
        odd = await admin.put(f"{rules}/wide", json=wide | {"stages": [{"reviewers": ["user:nobody@acme.example"]}]})
        assert (odd.status_code, odd.json()["param"]) == (422, "stages[0].reviewers")
        assert (await admin.delete(f"{rules}/wide")).status_code == 204
        assert (await admin.get(f"{rules}/wide")).status_code == 404


async def test_a_campaign_over_http_from_its_start_to_its_report(database: Address) -> None:
    async with office(database) as house:
        admin, ben = house.client(ACME_ADMIN_KEY), of(house, "ben")
        await decide(house, "ben", await ask(house))
        body = {"name": "spring", "scope": ["roles", "grants"], "reviewers": ["manager"], "department": "sales"}
        started = await admin.post(REVIEWS, json=body)
        assert started.status_code == 201, started.text
        address = f"{REVIEWS}/{started.json()['id']}"
        assert (await of(house, "ana").get(address)).status_code == 404
        items = (await ben.get(f"{address}/items")).json()["items"]
        assert {(item["kind"], item["subject"]) for item in items} == {
            ("role", "ana@acme.example"),
            ("grant", "ana@acme.example"),
        }
        assert (await call(house)).status_code == 200
        for item in items:
            answer = {"decision": "revoke" if item["kind"] == "grant" else "keep", "reason": "looked at"}
            answered = await ben.post(f"{address}/items/{item['id']}/answer", json=answer)
            assert answered.json()["outcome"] == ("revoked" if item["kind"] == "grant" else "kept"), answered.text
        await house.parts.directory.refresh()
        assert (await call(house)).status_code == 403
        assert (await admin.get(f"{address}/report")).json()["code"] == "access_review_unanswered"
        closed = (await admin.post(f"{address}/close")).json()
        (told,) = await events(house, "AccessReviewClosed")
        assert closed["report_sha256"] == told["report_sha256"]
        report = await admin.get(f"{address}/report")
        assert report.json()["summary"]["decisions"] == {"keep": 1, "revoke": 1}
        for form, begins in (("csv", "kind,subject"), ("markdown", "# Access review: spring")):
            assert (await admin.get(f"{address}/report?format={form}")).text.startswith(begins)
        schedule = "/api/v1/access-review-schedules/quarterly"
        given = body | {"name": "quarterly", "every": "quarter", "next_at": "2027-01-01"}
        assert (await admin.put(schedule, json=given)).json()["next_at"] == "2027-01-01T00:00:00Z"
        assert (await admin.delete(schedule)).status_code == 204


async def test_revoking_an_exception_takes_the_person_out_of_the_matrix(database: Address) -> None:
    given = document()
    row = {"name": "only-ana", "models": ["chat"], "users": ["ana@acme.example"]}
    given["tenants"][0]["access"]["matrix"].append(row)
    async with open_house(database, HouseOptions(document=given)) as house:
        assert (await call(house)).status_code == 200
        body = {"name": "exceptions", "scope": ["exceptions"]}
        started = await house.client(ACME_ADMIN_KEY).post(REVIEWS, json=body)
        address = f"{REVIEWS}/{started.json()['id']}"
        (item,) = (await of(house, "ben").get(f"{address}/items")).json()["items"]
        answer = {"decision": "revoke", "reason": "no need"}
        answered = await of(house, "ben").post(f"{address}/items/{item['id']}/answer", json=answer)
        assert answered.json()["outcome"] == "revoked", answered.text
        await house.parts.directory.refresh()
        assert [(await call(house, key)).status_code for key in (ACME_USER_KEY, KEYS["ben"])] == [403, 403]
