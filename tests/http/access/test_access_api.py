"""Policies over the admin API: versions, a second person, explanations, and the decision point."""

from typing import Any

import httpx2

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import ACME_ADMIN_KEY, ACME_AUDITOR_KEY, ACME_KEY, GLOBEX_ADMIN_KEY, world

SALES = {"name": "sales", "departments": ["sales"], "models": ["chat"]}
NO_CLOUD = {"name": "no-chat", "cedar": 'forbid (principal, action == Action::"call", resource in Model::"chat");'}


def admin(house: House) -> httpx2.AsyncClient:
    return house.client(ACME_ADMIN_KEY)


async def person(house: House, name: str) -> httpx2.AsyncClient:
    """Somebody who administers."""
    email, tenant = f"{name}@acme.example", {"tenant": "acme"}
    await house.admin().post("/api/v1/users", json={"email": email, "roles": ["admin"]}, params=tenant)
    body = {"name": name, "user": email, "roles": ["admin"]}
    made = await house.admin().post("/api/v1/keys", json=body, params=tenant)
    return house.client(made.json()["secret"])


async def call(house: House, **more: str) -> int:
    body = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
    headers = {f"x-enfilade-{name.replace('_', '-')}": value for name, value in more.items()}
    return (await house.client().post("/v1/chat/completions", json=body, headers=headers)).status_code


async def test_versions_are_drafted_published_compared_and_gone_back_to(house: House) -> None:
    api = admin(house)
    draft = await api.post("/api/v1/access/versions", json={"content": {"matrix": [SALES]}, "note": "first"})
    assert (draft.status_code, draft.json()["state"]) == (201, "draft")
    assert await call(house) == 200, "a draft decides nothing"
    diff = (await api.get("/api/v1/access/versions/1/diff")).json()
    assert (diff["added"], diff["removed"], diff["against"]) == (["matrix/sales"], [], 0)
    assert (await api.post("/api/v1/access/versions/1/publish", headers={"if-match": '"7"'})).status_code == 412
    published = await api.post("/api/v1/access/versions/1/publish", headers={"if-match": draft.headers["etag"]})
    assert published.json()["state"] == "published"
    changed = await api.put("/api/v1/access/policies/no-chat", json=NO_CLOUD)
    assert (changed.json()["version"], changed.json()["state"]) == (2, "published")
    assert await call(house) == 403
    assert (await api.post("/api/v1/access/versions/2/rollback")).status_code == 409, "it is in force"
    back = await api.post("/api/v1/access/versions/1/rollback")
    assert (back.json()["version"], back.json()["state"], back.json()["content"]["policies"]) == (3, "published", [])
    assert await call(house) == 200
    listed = (await api.get("/api/v1/access/versions")).json()["items"]
    assert [(line["version"], line["state"]) for line in listed] == [
        (3, "published"),
        (2, "superseded"),
        (1, "superseded"),
    ]
    assert (await api.put("/api/v1/access/versions/2", json={"content": {}})).status_code == 409
    types = {event["type"] for event in (await api.get("/api/v1/events", params={"limit": 100})).json()["items"]}
    assert {"AccessDrafted", "AccessPublished", "AccessRolledBack"} <= types


async def test_nobody_approves_their_own_policies(house: House) -> None:
    api, other, third = admin(house), await person(house, "other"), await person(house, "third")
    again = await admin(house).post("/api/v1/keys", json={"name": "another", "roles": ["admin"]})
    own_other_key = house.client(again.json()["secret"])
    assert (await api.put("/api/v1/access", json={"content": {"second_person": True}})).json()["state"] == "published"
    waiting = await api.put("/api/v1/access", json={"content": {"matrix": [SALES], "second_person": True}})
    assert (waiting.json()["version"], waiting.json()["state"]) == (2, "draft")
    again = await api.put("/api/v1/access", json={"content": {"matrix": [SALES], "second_person": True}})
    assert again.json()["version"] == 2, "the same is not drafted twice"
    for address in ("approve", "publish"):
        reply = await api.post(f"/api/v1/access/versions/2/{address}")
        assert (reply.status_code, reply.json()["code"]) == (403, "second_person_needed"), address
    refused = await own_other_key.post("/api/v1/access/versions/2/approve")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_person_needed"), "a key is no person"
    assert (await other.post("/api/v1/access/versions/2/approve")).json()["state"] == "approved"
    changed = await other.put("/api/v1/access/versions/2", json={"content": {"matrix": [SALES]}})
    assert changed.json()["state"] == "draft", "what is changed has to be approved again"
    assert (await other.post("/api/v1/access/versions/2/approve")).status_code == 403, "who changed it is its author"
    assert (await third.post("/api/v1/access/versions/2/approve")).json()["state"] == "approved"
    assert (await api.post("/api/v1/access/versions/2/publish")).json()["state"] == "published"
    draft = await api.post("/api/v1/access/versions", json={"content": {}})
    assert (await api.delete(f"/api/v1/access/versions/{draft.json()['version']}")).status_code == 204


async def test_the_matrix_reads_as_rows_and_as_cedar(house: House) -> None:
    api = admin(house)
    assert (await api.get("/api/v1/access/matrix")).json() == {"version": 0, "rows": [], "cedar": None}
    made = await api.put("/api/v1/access/matrix", json={"rows": [SALES | {"approval": True}]})
    assert made.status_code == 200
    cedar = (await api.get("/api/v1/access/matrix", params={"as": "cedar"})).json()["cedar"]
    assert '@id("matrix/sales")' in cedar
    assert "when { context.approved };" in cedar
    rows = (await api.get("/api/v1/access/matrix")).json()["rows"]
    assert [(row["name"], row["approval"], row["data_class"]) for row in rows] == [("sales", True, "internal")]
    schema = await api.get("/api/v1/access/schema")
    assert "entity Deployment in [Model, Provider]" in schema.text


async def test_policies_that_do_not_fit_are_refused_with_their_place(house: House) -> None:
    api = admin(house)
    bad = {
        "name": "bad",
        "cedar": 'permit (principal in Department::"sale",\n action, resource) when { context.hou > 3 };',
    }
    refused = await api.put("/api/v1/access/policies/bad", json=bad)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_policy")
    problems = refused.json()["details"]["problems"]
    assert [(p["line"], p["column"], p["meant"]) for p in problems] == [(1, 34, "sales"), (2, 35, "hour")]
    checked = (await api.post("/api/v1/access/check", json={"policies": [bad]})).json()
    assert (checked["is_sound"], len(checked["problems"])) == (False, 2)
    document = world()
    document["tenants"][0]["access"] = {"policies": [bad]}
    planned = await house.admin().post("/api/v1/configuration/plan", json=document)
    assert (planned.status_code, planned.json()["param"]) == (422, "tenants[0].access.bad")
    assert "line 1, column 34" in planned.json()["detail"]
    assert (await api.get("/api/v1/access/versions")).json()["items"] == []


async def test_why_is_explained(house: House) -> None:
    api = admin(house)
    register = {"name": "writing", "owner": "ana@acme.example", "purpose": "letters"}
    assert (await api.post("/api/v1/use-cases", json=register)).status_code == 201
    row = SALES | {"use_cases": ["writing"], "approval": True}
    await api.put("/api/v1/access", json={"content": {"matrix": [row], "policies": [NO_CLOUD | {"enabled": False}]}})
    asked = {"user": "ana@acme.example", "model": "chat"}
    found = (await api.post("/api/v1/access/explain", json=asked | {"use_case": "writing"})).json()
    (deployment,) = found["deployments"]
    assert (found["allowed"], deployment["missing"], deployment["policies"][0]["name"]) == (
        False,
        ["approval"],
        "matrix/sales",
    )
    assert "context.approved" in deployment["policies"][0]["cedar"]
    await api.put("/api/v1/access/matrix", json={"rows": [SALES | {"use_cases": ["writing"]}]})
    (deployment,) = (await api.post("/api/v1/access/explain", json=asked)).json()["deployments"]
    assert (deployment["allowed"], deployment["other_use_cases"]) == (False, ["writing"])
    for subject in (
        {"application": "copilot"},
        {"key": "copilot-key"},
        {"user": "ana@acme.example", "application": "copilot"},
    ):
        body = subject | {"model": "fast", "use_case": "writing"}
        assert (await api.post("/api/v1/access/explain", json=body)).json()["allowed"], subject
    for body, status in (
        ({"model": "chat"}, 422),
        ({"user": "gil@globex.example", "model": "chat"}, 404),
        ({"user": "ana@acme.example", "model": "none"}, 404),
    ):
        assert (await api.post("/api/v1/access/explain", json=body)).status_code == status
    assert (await house.client(ACME_KEY).post("/api/v1/access/explain", json=asked)).status_code == 403


async def test_other_programs_ask_the_decision_point(house: House) -> None:
    api = admin(house)
    await api.put("/api/v1/access/matrix", json={"rows": [SALES]})
    where = (await house.client(None).get("/.well-known/authzen-configuration")).json()
    assert where["access_evaluation_endpoint"].endswith("/access/v1/evaluation")
    chat = {"action": {"name": "call"}, "resource": {"type": "model", "id": "chat"}}
    ana, ben = ({"subject": {"type": "user", "id": f"{name}@acme.example"}} for name in ("ana", "ben"))
    one = await api.post("/access/v1/evaluation", json=chat | ana, headers={"x-request-id": "of-mine"})
    assert one.json() == {"decision": True, "context": {"reason": "permitted", "policies": ["matrix/sales"]}}
    assert one.headers["x-request-id"] == "of-mine"
    denied = await api.post("/access/v1/evaluation", json=chat | ben)
    assert (denied.status_code, denied.json()["decision"]) == (200, False)
    for asked, reason in (
        ({"subject": {"type": "user", "id": "gil@globex.example"}}, "subject_unknown"),
        (ana | {"action": {"name": "fly"}}, "action_unknown"),
        (ana | {"resource": {"type": "model", "id": "none"}}, "resource_unknown"),
        (ana | {"resource": {"type": "collection", "id": "papers"}, "action": {"name": "retrieve"}}, "no_permit"),
    ):
        answer = (await api.post("/access/v1/evaluation", json=chat | asked)).json()
        assert (answer["decision"], answer["context"]["reason"]) == (False, reason)
    assert (await api.post("/access/v1/evaluation", json=ana)).status_code == 400
    assert (await house.client(ACME_AUDITOR_KEY).post("/access/v1/evaluation", json=chat | ana)).status_code == 403
    assert (await house.client(None).post("/access/v1/evaluation", json=chat | ana)).status_code == 401
    foreign = await house.client(GLOBEX_ADMIN_KEY).post("/access/v1/evaluation", json=chat | ana)
    assert foreign.json() == {"decision": False, "context": {"reason": "subject_unknown"}}


async def test_a_batch_is_gone_through_as_it_says(house: House) -> None:
    api = admin(house)
    await api.put("/api/v1/access/matrix", json={"rows": [SALES]})
    batch: dict[str, Any] = {
        "subject": {"type": "user", "id": "ana@acme.example"},
        "action": {"name": "call"},
        "resource": {"type": "model", "id": "chat"},
        "evaluations": [
            {},
            {"subject": {"type": "user", "id": "ben@acme.example"}},
            {"resource": {"type": "deployment", "id": "sim/echo", "properties": {"model": "chat"}}},
            {"context": {"data_class": "top-secret"}},
        ],
    }
    for semantic, decisions in (
        ("execute_all", [True, False, True, False]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
        (None, [True, False, True, False]),
    ):
        options = {} if semantic is None else {"options": {"evaluations_semantic": semantic}}
        found = (await api.post("/access/v1/evaluations", json=batch | options)).json()["evaluations"]
        assert [entry["decision"] for entry in found] == decisions, semantic
        if len(found) == 4:
            assert found[3]["context"]["error"]["status"] == 400
    single = await api.post("/access/v1/evaluations", json={k: v for k, v in batch.items() if k != "evaluations"})
    assert single.json()["decision"] is True


async def test_use_cases_are_registered_reviewed_and_told_of_when_late(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house:
        api = admin(house)
        body = {
            "name": "hiring",
            "owner": "Ana@acme.example",
            "purpose": "sorting applications",
            "risk_tier": "high",
            "data_classes": ["restricted", "internal"],
            "human_oversight": "HR reads each",
            "review_date": "2000-01-31",
            "departments": ["sales"],
        }
        made = await api.post("/api/v1/use-cases", json=body)
        assert made.status_code == 201
        assert (made.json()["owner"], made.json()["data_classes"]) == ("ana@acme.example", ["internal", "restricted"])
        assert (await api.post("/api/v1/use-cases", json=body)).status_code == 409
        late = (await api.get("/api/v1/use-cases", params={"overdue": True})).json()["items"]
        assert [entry["name"] for entry in late] == ["hiring"]
        watch = house.parts.access.review_watch
        await watch.look()
        assert await watch.look() == 0, "each is told of once"
        events = (await api.get("/api/v1/events", params={"type": "UseCaseReviewOverdue"})).json()["items"]
        assert [event["event"]["data"]["name"] for event in events] == ["hiring"]
        reviewed = await api.put("/api/v1/use-cases/hiring", json=body | {"review_date": "2999-01-31"})
        assert reviewed.json()["is_overdue"] is False
        assert (await api.get("/api/v1/use-cases", params={"overdue": True})).json()["items"] == []
        for wrong in ({"risk_tier": "low"}, {"review_date": "soon"}, {"departments": ["none"]}, {"owner": "ana"}):
            reply = await api.put("/api/v1/use-cases/hiring", json=body | wrong)
            assert reply.status_code in {404, 422}, wrong
        assert (await api.put("/api/v1/use-cases/hiring", json=body | {"name": "firing"})).status_code == 400
        assert (await api.delete("/api/v1/use-cases/hiring")).status_code == 204
        assert (await api.get("/api/v1/use-cases/hiring")).status_code == 404


async def test_what_is_declared_is_exported_and_changes_nothing_again(house: House) -> None:
    document = world()
    document["tenants"][0] |= {
        "use_cases": [{"name": "writing", "owner": "ana@acme.example", "purpose": "letters", "departments": ["sales"]}],
        "access": {
            "use_cases": "known",
            "attributes": {"level": "long"},
            "policies": [NO_CLOUD | {"visible": False}],
            "matrix": [SALES | {"use_cases": ["writing"], "users": ["Ana@acme.example"]}],
        },
    }
    document["tenants"][0]["applications"][0]["use_cases"] = ["writing"]
    first = (await house.admin().post("/api/v1/configuration/apply", json=document)).json()
    assert {change["kind"] for change in first["changes"]} >= {"use_case", "access", "application"}
    again = (await house.admin().post("/api/v1/configuration/plan", json=document)).json()
    assert again["changes"] == []
    exported = (await house.admin().get("/api/v1/configuration")).json()
    planned = (await house.admin().post("/api/v1/configuration/plan", json=exported, params={"prune": True})).json()
    assert planned["changes"] == []
    pruned = await house.admin().post("/api/v1/configuration/apply", json=world(), params={"prune": True})
    assert {(c["action"], c["kind"]) for c in pruned.json()["changes"]} >= {
        ("remove", "access"),
        ("remove", "use case"),
    }
    assert await call(house) == 200
