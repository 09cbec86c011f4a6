"""A directory elsewhere says who there is, by SCIM."""

import asyncio
from typing import Any

import scim2_models
from httpx2 import AsyncClient, Response

from enfilade.identity.provisioning.schemas import CORE_GROUP, CORE_USER, ENTERPRISE
from tests.http.accounts.conftest import GLOBEX_SCIM_KEY, SCIM_KEY, Place
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, ACME_USER_KEY

ZOE = {
    "schemas": [CORE_USER, ENTERPRISE],
    "userName": "Zoe@acme.example",
    "externalId": "e-1",
    "name": {"givenName": "Zoe", "familyName": "Ng"},
    "emails": [{"value": "zoe@acme.example", "type": "work", "primary": True}],
    "active": "True",
    ENTERPRISE: {"department": "sales", "employeeNumber": "7"},
}


def client_of(place: Place, key: str = SCIM_KEY) -> AsyncClient:
    client = place.house.client(key)
    client.base_url = f"{place.house.url}/scim/v2/"
    return client


async def make(client: AsyncClient, body: dict[str, Any], kind: str = "Users") -> dict[str, Any]:
    reply = await client.post(kind, json=body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    assert reply.headers["location"] == made["meta"]["location"]
    assert reply.headers["etag"] == made["meta"]["version"]
    return made


async def names(client: AsyncClient, filter_: str, kind: str = "Users", **more: Any) -> list[str]:
    reply = await client.get(kind, params={"filter": filter_, **more})
    assert reply.status_code == 200, reply.text
    return [found.get("userName") or found["displayName"] for found in reply.json()["Resources"]]


def is_error(reply: Response, status: int, kind: str | None = None) -> bool:
    body = reply.json()
    return (
        reply.headers["content-type"] == "application/scim+json"
        and (reply.status_code, body["status"], body.get("scimType")) == (status, str(status), kind)
        and body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    )


async def test_a_person_comes_changes_and_goes(place: Place) -> None:
    client, admin = client_of(place), place.house.client(ACME_ADMIN_KEY)
    made = await make(client, ZOE)
    shown = (await admin.get("/api/v1/users/zoe@acme.example")).json()
    assert (shown["display_name"], shown["department"], shown["source"]) == ("Zoe Ng", "sales", "scim")
    assert shown["attributes"] == {
        "given_name": "Zoe",
        "family_name": "Ng",
        "department": "sales",
        "employee_number": "7",
    }
    assert is_error(await client.post("Users", json=ZOE), 409, "uniqueness")
    key = {"name": "zoe-key", "user": "zoe@acme.example"}
    secret = (await admin.post("/api/v1/keys", json=key)).json()["secret"]
    assert (await place.house.client(secret).get("/v1/models")).status_code == 200
    path = f"Users/{made['id']}"
    # What a directory looks after is changed there.
    body = {"email": "zoe@acme.example", "display_name": "Somebody"}
    refused = await admin.put("/api/v1/users/zoe@acme.example", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "managed_elsewhere")
    roles = {"email": "zoe@acme.example", "department": "engineering", "roles": ["developer"]}
    kept = (await admin.put("/api/v1/users/zoe@acme.example", json=roles)).json()
    assert (kept["display_name"], kept["roles"], kept["department"]) == ("Zoe Ng", ["developer"], "engineering")
    assert (await admin.delete("/api/v1/users/zoe@acme.example")).json()["code"] == "managed_elsewhere"
    # Renamed, away, and back.
    new = {"Operations": [{"op": "Replace", "path": "userName", "value": "zoe.ng@acme.example"}]}
    assert (await client.patch(path, json=new)).json()["userName"] == "zoe.ng@acme.example"
    away = {"Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
    assert (await client.patch(path, json=away)).json()["active"] is False
    assert (await place.house.client(secret).get("/v1/models")).status_code == 401
    back = {"Operations": [{"op": "Replace", "value": {"active": True}}]}
    assert (await client.patch(path, json=back)).json()["active"] is True
    assert (await place.house.client(secret).get("/v1/models")).status_code == 200
    assert (await client.delete(path)).status_code == 204
    assert (await place.house.client(secret).get("/v1/models")).status_code == 401
    assert is_error(await client.get(path), 404)
    assert is_error(await client.delete(path), 404)
    assert await names(client, 'userName eq "zoe.ng@acme.example"') == []
    # Who comes back is who they were; what was revoked stays so.
    again = await make(client, ZOE | {"userName": "zoe.ng@acme.example"})
    assert again["id"] == made["id"]
    assert (await place.house.client(secret).get("/v1/models")).status_code == 401


async def test_groups_have_the_members_that_the_directory_says(place: Place) -> None:
    client = client_of(place)
    zoe = await make(client, ZOE)
    ben = (await client.get("Users", params={"filter": 'userName eq "ben@acme.example"'})).json()["Resources"][0]
    group = await make(client, {"displayName": "Vertrieb & Co (EU)", "members": [{"value": zoe["id"]}]}, "Groups")
    path = f"Groups/{group['id']}"
    assert [member["display"] for member in group["members"]] == ["zoe@acme.example"]
    add = {"Operations": [{"op": "Add", "path": "members", "value": [{"value": ben["id"]}, {"value": zoe["id"]}]}]}
    assert (await client.patch(path, json=add)).status_code == 204
    drop = {"Operations": [{"op": "Remove", "path": f'members[value eq "{zoe["id"]}"]'}]}
    assert (await client.patch(path, json=drop)).status_code == 204
    shown = (await client.get(path)).json()
    assert [member["display"] for member in shown["members"]] == ["ben@acme.example"]
    assert "members" not in (await client.get(path, params={"excludedAttributes": "members"})).json()
    assert (await client.get(f"Users/{ben['id']}")).json()["groups"][0]["display"] == "Vertrieb & Co (EU)"
    assert await names(client, f'groups[value eq "{group["id"]}"]') == ["ben@acme.example"]
    assert await names(client, f'members eq "{ben["id"]}"', "Groups") == ["Vertrieb & Co (EU)"]
    assert is_error(await client.post("Groups", json={"displayName": "Vertrieb & Co (EU)"}), 409, "uniqueness")
    admin = place.house.client(ACME_ADMIN_KEY)
    (listed,) = (await admin.get("/api/v1/groups")).json()["items"]
    assert (listed["members"], listed["source"]) == (["ben@acme.example"], "scim")
    assert (await admin.delete(f"/api/v1/groups/{group['id']}")).json()["code"] == "managed_elsewhere"
    # Who is not there and who is another tenant's are nobody alike.
    gil = (await client_of(place, GLOBEX_SCIM_KEY).get("Users")).json()["Resources"][0]
    for nobody in (gil["id"], "01a19c21-7200-7000-8000-00000000dead", "no id"):
        more = {"Operations": [{"op": "add", "path": "members", "value": [{"value": nobody}]}]}
        reply = await client.patch(path, json=more)
        assert is_error(reply, 400, "invalidValue")
        assert reply.json()["detail"].replace(nobody, "X") == "There is no user 'X' in this tenant."
    assert (await client.delete(path)).status_code == 204
    assert is_error(await client.get(path), 404)


async def test_another_tenants_people_are_not_there(place: Place) -> None:
    client, other = client_of(place), client_of(place, GLOBEX_SCIM_KEY)
    made = await make(client, ZOE)
    group = await make(client, {"displayName": "eng"}, "Groups")
    patch = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
    for path in (f"Users/{made['id']}", f"Groups/{group['id']}"):
        kind = path.partition("/")[0]
        never = f"{kind}/01a19c21-7200-7000-8000-00000000dead"
        for method, body in (
            ("GET", None),
            ("PUT", ZOE if kind == "Users" else {"displayName": "x"}),
            ("PATCH", patch),
            ("DELETE", None),
        ):
            replies = [await other.request(method, where, json=body) for where in (path, never)]
            texts = {
                reply.text.replace(made["id"], "X").replace(group["id"], "X").replace(never[-36:], "X")
                for reply in replies
            }
            assert {reply.status_code for reply in replies} == {404}, (method, path)
            assert len(texts) == 1
    assert await names(other, "userName pr") == ["gil@globex.example"]
    assert await names(other, 'userName co "acme" or id pr') == ["gil@globex.example"]
    manager = {"Operations": [{"op": "add", "path": f"{ENTERPRISE}:manager", "value": made["id"]}]}
    gil = (await other.get("Users")).json()["Resources"][0]
    assert is_error(await other.patch(f"Users/{gil['id']}", json=manager), 400, "invalidValue")


async def test_lists_are_filtered_sorted_paged_and_cut(place: Place) -> None:
    client = client_of(place)
    await asyncio.gather(*(make(client, ZOE | {"userName": f"u{n}@acme.example", "title": f"T{n}"}) for n in range(5)))
    page = {"filter": 'userName sw "u"', "sortBy": "title", "sortOrder": "descending"}
    reply = (await client.get("Users", params=page | {"startIndex": 2, "count": 2})).json()
    assert [found["title"] for found in reply["Resources"]] == ["T3", "T2"]
    assert (reply["totalResults"], reply["startIndex"], reply["itemsPerPage"]) == (5, 2, 2)
    searched = (await client.post("Users/.search", json=page | {"startIndex": 2, "count": 2})).json()
    assert searched == reply
    for count, found in ((0, 0), (-5, 0), (10**30, 5), ("+3", 3)):
        shown = (await client.get("Users", params=page | {"count": count})).json()
        assert (shown["totalResults"], len(shown["Resources"])) == (5, found)
    assert (await client.get("Users", params=page | {"startIndex": 10**30})).json()["Resources"] == []
    assert is_error(await client.get("Users", params={"count": "many"}), 400, "invalidSyntax")
    assert is_error(await client.get("Users", params={"sortBy": "groups"}), 400, "invalidFilter")
    cut = {"filter": 'title eq "t3"', "attributes": f"name.givenName,{ENTERPRISE}:department"}
    (shown,) = (await client.get("Users", params=cut)).json()["Resources"]
    assert set(shown) == {"schemas", "id", "name", ENTERPRISE}
    assert (shown["name"], shown[ENTERPRISE]) == ({"givenName": "Zoe"}, {"department": "sales"})
    left = {"filter": 'title eq "t3"', "excludedAttributes": f"id,groups,meta,name.givenName,{ENTERPRISE}:department"}
    (shown,) = (await client.get("Users", params=left)).json()["Resources"]
    assert {"groups", "meta"} & set(shown) == set()
    assert (shown["name"], shown[ENTERPRISE]) == ({"familyName": "Ng"}, {"employeeNumber": "7"})
    assert "id" in shown
    for text, expected in (
        (f'{ENTERPRISE}:employeeNumber eq "7" and title gt "t2" and not (title eq "T4")', ["u3@acme.example"]),
        ('emails[type eq "work" and value ew "3@ACME.example"]', ["u3@acme.example"]),
        ('externalId eq "E-1"', []),
        ('meta.created gt "2999-01-01T00:00:00Z"', []),
        ('title eq null and userName eq "ana@acme.example"', ["ana@acme.example"]),
        ('title ne "T3" and userName sw "u3"', []),
        ('userName co "%"', []),
        ('userName eq "\' OR 1=1 --"', []),
    ):
        assert await names(client, text) == expected, text


async def test_versions_keep_two_from_changing_one_thing(place: Place) -> None:
    client = client_of(place)
    made = await make(client, ZOE)
    path, version = f"Users/{made['id']}", made["meta"]["version"]
    assert (await client.get(path, headers={"if-none-match": version})).status_code == 304
    change = {"Operations": [{"op": "add", "path": "title", "value": "Lead"}]}
    changed = await client.patch(path, json=change, headers={"if-match": version})
    assert changed.headers["etag"] == 'W/"2"'
    for method, body in (("PATCH", change), ("PUT", ZOE), ("DELETE", None)):
        reply = await client.request(method, path, json=body, headers={"if-match": version})
        assert is_error(reply, 412), method
    # What changes nothing makes no version.
    assert (await client.patch(path, json=change)).headers["etag"] == 'W/"2"'


async def test_managers_do_not_go_in_circles(place: Place) -> None:
    client = client_of(place)
    people = [await make(client, ZOE | {"userName": f"m{n}@acme.example"}) for n in range(3)]

    async def answer_to(person: int, manager: int) -> Response:
        patch = {"Operations": [{"op": "add", "path": f"{ENTERPRISE}:manager", "value": people[manager]["id"]}]}
        return await client.patch(f"Users/{people[person]['id']}", json=patch)

    assert (await answer_to(0, 1)).status_code == 200
    second = await answer_to(1, 2)
    assert second.json()[ENTERPRISE]["manager"]["displayName"] == "m2@acme.example"
    assert is_error(await answer_to(2, 0), 400, "invalidValue")
    assert is_error(await answer_to(2, 2), 400, "invalidValue")
    assert await names(client, f'manager eq "{people[2]["id"]}"') == ["m1@acme.example"]
    assert (await client.delete(f"Users/{people[2]['id']}")).status_code == 204


BAD: tuple[tuple[str, str, bytes | None, int, str | None], ...] = (
    ("POST", "Users", b"not json", 400, "invalidSyntax"),
    ("POST", "Users", b"[]", 400, "invalidSyntax"),
    ("POST", "Users", b'{"userName": "x"}', 400, "invalidValue"),
    ("POST", "Users", b'{"userName": {"a": 1}}', 400, "invalidValue"),
    ("POST", "Users", b'{"userName": "a@b.example", "nope": 1}', 400, "invalidValue"),
    ("POST", "Users", b'{"userName": "a@b.example", "externalId": "\\u0000"}', 400, "invalidValue"),
    ("POST", "Users", b"{" * 100_000, 400, "invalidSyntax"),
    ("POST", "Users", b'{"a": "' + b"x" * 2_000_001 + b'"}', 413, None),
    ("POST", "Groups", b"{}", 400, "invalidValue"),
    ("POST", "Groups", b'{"displayName": " "}', 400, "invalidValue"),
    ("PATCH", "Users/x", b'{"Operations": []}', 400, "invalidSyntax"),
    ("GET", "Users?filter=" + "(" * 3000, None, 400, "invalidFilter"),
    ("GET", "Users?filter=userName%20eq%20%22%00%22", None, 400, "invalidFilter"),
    ("GET", "Users?attributes=" + "a," * 51, None, 400, "invalidSyntax"),
    ("GET", "Users?attributes=a..b", None, 400, "invalidPath"),
    ("GET", "Users/..%2fGroups", None, 404, None),
    ("GET", "Schemas/nope", None, 404, None),
)


async def test_bad_input_is_answered_as_the_protocol_wants_it(place: Place) -> None:
    client = client_of(place)
    for method, path, body, status, kind in BAD:
        reply = await client.request(method, path, content=body)
        assert reply.status_code == status, (path[:50], reply.text)
        if reply.headers["content-type"] == "application/scim+json":
            assert is_error(reply, status, kind), (path[:50], reply.text)


async def test_only_a_key_for_it_comes_in(place: Place) -> None:
    for key, status in ((ACME_KEY, 403), (ACME_USER_KEY, 403), ("no key of anybody's, at all", 401), (SCIM_KEY, 200)):
        assert (await client_of(place, key).get("Users")).status_code == status
    assert is_error(await client_of(place, ACME_KEY).get("Users"), 403)
    # And it comes in nowhere else.
    only = place.house.client(SCIM_KEY)
    for path in ("users", "groups", "keys", "events", "tenants"):
        assert (await only.get(f"/api/v1/{path}")).status_code == 403, path


async def test_what_is_shown_is_what_the_reference_models_take(place: Place) -> None:
    client = client_of(place)
    boss = await make(client, ZOE | {"userName": "boss@acme.example"})
    made = await make(client, ZOE | {ENTERPRISE: {"manager": {"value": boss["id"]}, "division": "d"}, "title": "Lead"})
    group = await make(client, {"displayName": "eng", "members": [{"value": made["id"]}]}, "Groups")
    user_model = scim2_models.User[scim2_models.EnterpriseUser]
    shown = (await client.get(f"Users/{made['id']}")).json()
    context = scim2_models.Context.RESOURCE_QUERY_RESPONSE
    user = user_model.model_validate(shown, scim_ctx=context)
    assert user.user_name == "zoe@acme.example"
    assert user[scim2_models.EnterpriseUser].manager.value == boss["id"]
    members = scim2_models.Group.model_validate(group, scim_ctx=context).members or []
    assert [member.value for member in members] == [made["id"]]
    listed = (await client.get("Users")).json()
    assert scim2_models.ListResponse[user_model].model_validate(listed, scim_ctx=context).total_results == 4
    config = (await client.get("ServiceProviderConfig")).json()
    parsed_config = scim2_models.ServiceProviderConfig.model_validate(config, scim_ctx=context)
    assert parsed_config.patch is not None
    assert parsed_config.patch.supported
    kinds = (await client.get("ResourceTypes")).json()["Resources"]
    assert [scim2_models.ResourceType.model_validate(kind, scim_ctx=context).name for kind in kinds] == [
        "User",
        "Group",
    ]
    schemas = (await client.get("Schemas")).json()["Resources"]
    parsed = [scim2_models.Schema.model_validate(schema, scim_ctx=context) for schema in schemas]
    assert [schema.id for schema in parsed] == [CORE_USER, ENTERPRISE, CORE_GROUP]
    patched = scim2_models.PatchOp[user_model].model_validate(
        {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "add", "path": "title", "value": "x"}],
        }
    )
    body = patched.model_dump(scim_ctx=scim2_models.Context.RESOURCE_PATCH_REQUEST)
    assert (await client.patch(f"Users/{made['id']}", json=body)).json()["title"] == "x"
