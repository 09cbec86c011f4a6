"""Policies on the line: what may not be used is not called, not fallen back to, not listed, and said why."""

from typing import Any

from enfilade.storage.address import Address
from tests.support.data_plane import CHAT, checked_error
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, ACME_USER_KEY, GLOBEX_KEY, world

CALL = 'action == Action::"call"'
QUESTION = {"messages": [{"role": "user", "content": "Good morning"}], "max_tokens": 20}


def declared(access: dict[str, Any], **tenant: Any) -> dict[str, Any]:
    """The world, with policies of acme's."""
    document = world()
    document["tenants"][0] |= {"access": access, **tenant}
    return document


def policy(name: str, cedar: str, **more: Any) -> dict[str, Any]:
    """A policy."""
    return {"name": name, "cedar": cedar, **more}


async def ask(house: House, model: str = "chat", key: str = ACME_KEY, **headers: str) -> Any:
    """A call."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return await house.client(key).post("/v1/chat/completions", json=QUESTION | {"model": model}, headers=fields)


async def last_call(house: House) -> dict[str, Any]:
    """The newest call's record."""
    found = (await house.client(ACME_ADMIN_KEY).get("/api/v1/calls", params={"limit": 1})).json()["items"]
    record: dict[str, Any] = found[0]
    return record


async def test_a_matrix_decides_and_each_decision_is_recorded(database: Address) -> None:
    rows = [
        {"name": "sales-writes", "departments": ["sales"], "models": ["chat"], "use_cases": ["writing"]},
        {"name": "ben", "users": ["ben@acme.example"], "models": ["simulated/*"]},
    ]
    async with open_house(database, HouseOptions(document=declared({"matrix": rows}))) as house:
        allowed = await ask(house, x_enfilade_use_case="writing")
        assert allowed.status_code == 200
        record = await last_call(house)
        assert (record["access_policies"], record["access_missing"]) == (["matrix/sales-writes"], [])
        refused = await ask(house)
        assert refused.status_code == 403
        error = checked_error(CHAT, refused.content)
        assert error["code"] == "access_denied"
        assert "writing" in error["message"]
        record = await last_call(house)
        assert (record["status"], record["error"], record["access_policies"]) == ("refused", "access_denied", [])
        assert (await ask(house, key=GLOBEX_KEY)).status_code == 200, "another tenant has no policies"
        named = await ask(house, "simulated/echo", x_enfilade_user="ben@acme.example")
        assert named.status_code == 200
        events = (await house.client(ACME_ADMIN_KEY).get("/api/v1/events", params={"type": "CallSettled"})).json()
        facts = [event["event"]["data"] for event in events["items"]]
        noted = [fact["access"] for fact in facts if "access" in fact]
        assert {
            "allowed": True,
            "policies": ["matrix/sales-writes"],
            "reason": "permitted",
            "use_case": "writing",
        } in noted


async def test_only_policies_that_callers_may_know_are_named(database: Address) -> None:
    access = {
        "default": "allow",
        "policies": [
            policy("seen", f'forbid (principal, {CALL}, resource in Model::"chat");'),
            policy("hidden", f'forbid (principal, {CALL}, resource in Model::"simulated/echo");', visible=False),
        ],
    }
    async with open_house(database, HouseOptions(document=declared(access))) as house:
        seen = checked_error(CHAT, (await ask(house)).content)
        assert "'seen'" in seen["message"]
        hidden = (await ask(house, "simulated/echo")).text
        assert "hidden" not in hidden
        assert (await last_call(house))["access_policies"] == ["hidden"], "the record has them all"


async def test_nothing_is_fallen_back_to_that_may_not_be_used(database: Address) -> None:
    document = declared(
        {
            "default": "allow",
            "policies": [policy("no-spare", f'forbid (principal, {CALL}, resource in Model::"spare");')],
        }
    )
    spare = document["models"][1] | {"name": "spare"}
    refusing = {"name": "first", "deployments": [{"provider": "sim", "model": "fail-401"}], "fallbacks": ["spare"]}
    document["models"] += [spare, document["models"][1] | refusing]
    async with open_house(database, HouseOptions(document=document)) as house:
        fallen = await ask(house, "first", GLOBEX_KEY)
        assert (fallen.status_code, fallen.headers["x-enfilade-model"]) == (200, "spare")
        stayed = await ask(house, "first")
        assert stayed.status_code == 502
        assert (await last_call(house))["model"] == "first"


async def test_models_are_listed_for_whoever_may_call_them(database: Address) -> None:
    access = {"matrix": [{"name": "a", "departments": ["sales"], "models": ["chat"], "use_cases": ["writing"]}]}
    async with open_house(database, HouseOptions(document=declared(access))) as house:
        listed = (await house.client().get("/v1/models")).json()["data"]
        assert [entry["id"] for entry in listed] == ["chat", "fast"], "an alias is as good as its model"
        assert (await house.client().get("/v1/models/simulated/echo")).status_code == 404
        assert len((await house.client(GLOBEX_KEY).get("/v1/models")).json()["data"]) == 3


async def test_kept_answers_are_given_to_whoever_may_have_them_only(database: Address) -> None:
    document = declared({"default": "allow", "policies": [policy("all", f"permit (principal, {CALL}, resource);")]})
    document["tenants"][0]["applications"][0]["cache"] = {"ttl": "1h"}
    async with open_house(database, HouseOptions(document=document)) as house:
        assert (await ask(house)).status_code == 200
        assert (await ask(house)).headers["x-enfilade-cache"] == "hit"
        assert (await last_call(house))["access_policies"] == ["all"]
        forbidden = policy("all", f"forbid (principal, {CALL}, resource);")
        admin = house.client(ACME_ADMIN_KEY)
        assert (await admin.put("/api/v1/access/policies/all", json=forbidden)).status_code == 200
        assert (await ask(house)).status_code == 403


async def test_a_tenant_says_whether_calls_name_what_they_are_for(house: House) -> None:
    register = [
        {"name": "writing", "owner": "ana@acme.example", "purpose": "letters"},
        {"name": "scoring", "owner": "ana@acme.example", "purpose": "people", "risk_tier": "prohibited"},
    ]
    for mode, answers in (
        ("required", {None: "use_case_required", "other": "use_case_not_registered", "writing": None}),
        ("known", {None: None, "other": "use_case_not_registered"}),
        ("free", {"other": None, "scoring": "access_denied"}),
    ):
        await house.apply(declared({"use_cases": mode}, use_cases=register))
        for use_case, code in answers.items():
            reply = await ask(house, **({"x_enfilade_use_case": use_case} if use_case else {}))
            assert reply.status_code == {None: 200, "access_denied": 403}.get(code, 400), (mode, use_case)
            if code is not None:
                assert checked_error(CHAT, reply.content)["code"] == code
    assert (await last_call(house))["access_policies"] == ["use_case/scoring"]


async def test_an_application_is_held_to_its_use_cases(house: House) -> None:
    register = [{"name": name, "owner": "ana@acme.example", "purpose": "x"} for name in ("writing", "code")]
    document = world()
    document["tenants"][0]["use_cases"] = register
    document["tenants"][0]["applications"][0]["use_cases"] = ["writing"]
    await house.apply(document)
    assert (await ask(house)).status_code == 200
    assert (await last_call(house))["use_case"] == "writing", "with one, calls are for that"
    refused = await ask(house, x_enfilade_use_case="code")
    assert (refused.status_code, checked_error(CHAT, refused.content)["code"]) == (403, "access_denied")
    document["tenants"][0]["applications"][0]["use_cases"] = ["writing", "code"]
    await house.apply(document)
    assert checked_error(CHAT, (await ask(house)).content)["code"] == "use_case_required"
    document["tenants"][0]["applications"][0]["use_cases"] = ["wrting"]
    reply = await house.admin().post("/api/v1/configuration/plan", json=document)
    assert reply.status_code == 422
    assert "wrting" in reply.json()["detail"]


async def test_attributes_and_roles_of_people_decide(database: Address) -> None:
    access = {
        "attributes": {"level": "long"},
        "policies": [
            policy(
                "cleared",
                f"permit (principal is User, {CALL}, resource) "
                'when { principal in Role::"developer" && principal.attributes has level && principal.attributes.level > 2 };',
            )
        ],
    }
    document = declared(access)
    document["tenants"][0]["users"][0]["attributes"] = {"level": 2}
    async with open_house(database, HouseOptions(document=document)) as house:
        assert (await ask(house, key=ACME_USER_KEY)).status_code == 403
        document["tenants"][0]["users"][0]["attributes"] = {"level": 3}
        await house.apply(document)
        assert (await ask(house, key=ACME_USER_KEY)).status_code == 200
        assert (await ask(house)).status_code == 403, "an application has no attributes"
