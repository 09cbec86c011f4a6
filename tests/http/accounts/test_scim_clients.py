"""What Entra ID and Okta send, word by word, and what RFC 7644 has their like expect."""

from typing import Any

from httpx2 import AsyncClient, Response

from enfilade.identity.provisioning.schemas import CORE_GROUP, CORE_USER, ENTERPRISE
from tests.http.accounts.conftest import Place
from tests.http.accounts.test_scim import ZOE, client_of, is_error, make, names

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
NOBODY = "01a19c21-7200-7000-8000-00000000dead"


async def patch(client: AsyncClient, path: str, *operations: dict[str, Any], **more: Any) -> Response:
    return await client.patch(path, json={"schemas": [PATCH_OP], "Operations": operations}, **more)


async def members_of(client: AsyncClient, group: dict[str, Any]) -> list[str]:
    shown = (await client.get(f"Groups/{group['id']}")).json()
    return [member["display"] for member in shown["members"]]


async def test_entra_id_provisions_a_person(place: Place) -> None:
    client = client_of(place)
    # "Test connection", and the look-up before each creation.
    assert await names(client, 'userName eq "5d9f1c9e-there-is-no-such-person"') == []
    boss = await make(client, ZOE | {"userName": "boss@acme.example", "externalId": "boss"})
    made = await make(
        client,
        {
            "schemas": [CORE_USER, ENTERPRISE],
            "externalId": "zoe",
            "userName": "Zoe@acme.example",
            "active": True,
            "addresses": [{"primary": False, "type": "work", "country": "AT"}],
            "displayName": "Zoe Ng",
            "emails": [{"primary": True, "type": "work", "value": "Zoe@acme.example"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "Zoe Ng", "familyName": "Ng", "givenName": "Zoe"},
            "phoneNumbers": [{"primary": True, "type": "mobile", "value": "+43"}],
            "roles": [],
            "title": "Analyst",
        },
    )
    path = f"Users/{made['id']}"
    changed = await patch(
        client,
        path,
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss["id"]},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "other@acme.example"},
        {"op": "Add", "path": 'phoneNumbers[type eq "work"].value', "value": "+43 1"},
        {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "Lead"},
        {"op": "Replace", "path": "name.familyName", "value": "Nagy"},
        {
            "op": "Add",
            "value": {
                "name.formatted": "Zoe Nagy",
                f"{ENTERPRISE}:department": "sales",
                "urn:ietf:params:scim:schemas:extension:acme:2.0:User": {"badge": "7"},
            },
        },
        {"op": "Remove", "path": "title"},
        {"op": "Replace", "path": "active", "value": "False"},
    )
    assert changed.status_code == 200, changed.text
    shown = changed.json()
    assert (shown["active"], shown["userName"]) == (False, "zoe@acme.example")
    assert shown["name"] == {"formatted": "Zoe Nagy", "familyName": "Nagy", "givenName": "Zoe"}
    assert (shown[ENTERPRISE]["manager"]["value"], shown[ENTERPRISE]["department"]) == (boss["id"], "sales")
    assert "title" not in shown
    # An extension may be named as a whole, too.
    whole = await patch(client, path, {"op": "add", "path": ENTERPRISE, "value": {"division": "EU", "costCenter": "1"}})
    assert whole.json()[ENTERPRISE].items() >= {"division": "EU", "costCenter": "1", "department": "sales"}.items()
    (only,) = (await client.get("Users", params={"filter": 'externalId eq "zoe"', "attributes": ENTERPRISE})).json()[
        "Resources"
    ]
    assert only.keys() == {"schemas", "id", ENTERPRISE}
    (rest,) = (
        await client.get("Users", params={"filter": 'externalId eq "zoe"', "excludedAttributes": ENTERPRISE})
    ).json()["Resources"]
    assert ENTERPRISE not in rest
    assert rest["displayName"] == "Zoe Ng"
    gone = await patch(client, path, {"op": "Remove", "path": ENTERPRISE})
    assert ENTERPRISE not in gone.json()


async def test_entra_id_and_okta_push_groups(place: Place) -> None:
    client = client_of(place)
    zoe = await make(client, ZOE)
    max_ = await make(client, ZOE | {"userName": "max@acme.example", "externalId": "e-2"})
    both = [{"value": zoe["id"], "display": "zoe"}, {"value": max_["id"]}]
    long_name = "All employees of the European subsidiaries, " * 5
    group = await make(
        client, {"schemas": [CORE_GROUP], "displayName": long_name.strip(), "externalId": "g", "members": []}, "Groups"
    )
    path = f"Groups/{group['id']}"
    assert await names(client, f'displayName eq "{group["displayName"]}"', "Groups") == [group["displayName"]]
    # An empty answer says which version there is now; whoever asks for attributes sees them.
    added = await patch(client, path, {"op": "Add", "path": "members", "value": both})
    assert (added.status_code, added.content, added.headers["etag"]) == (204, b"", 'W/"2"')
    asked = await patch(
        client,
        path,
        {"op": "replace", "value": {"id": group["id"], "displayName": "EU"}},
        params={"attributes": "displayName"},
    )
    assert (asked.status_code, asked.headers["etag"]) == (200, 'W/"3"')
    assert asked.json() == {"schemas": [CORE_GROUP], "id": group["id"], "displayName": "EU"}
    # Nobody is named: nobody is removed.
    assert (await patch(client, path, {"op": "Remove", "path": "members", "value": []})).status_code == 204
    assert await members_of(client, group) == ["max@acme.example", "zoe@acme.example"]
    removed = await patch(
        client, path, {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": max_["id"]}]}
    )
    assert removed.status_code == 204
    assert await members_of(client, group) == ["zoe@acme.example"]
    assert (await patch(client, path, {"op": "replace", "path": "members", "value": both})).status_code == 204
    assert (
        await patch(client, path, {"op": "remove", "path": f'members[value EQ "{zoe["id"].upper()}"]'})
    ).status_code == 204
    assert await members_of(client, group) == ["max@acme.example"]
    assert (await patch(client, path, {"op": "remove", "path": "members"})).status_code == 204
    assert await members_of(client, group) == []


async def test_who_is_deleted_is_in_no_group_any_more(place: Place) -> None:
    client = client_of(place)
    zoe = await make(client, ZOE)
    group = await make(client, {"displayName": "eng", "members": [{"value": zoe["id"]}]}, "Groups")
    assert (await client.delete(f"Users/{zoe['id']}")).status_code == 204
    assert await members_of(client, group) == []
    # The group is another than the one that was read.
    stale = await client.put(f"Groups/{group['id']}", json={"displayName": "x"}, headers={"if-match": 'W/"1"'})
    assert is_error(stale, 412)
    assert (await make(client, ZOE))["groups"] == []


async def test_errors_say_what_the_protocol_says(place: Place) -> None:
    client = client_of(place)
    zoe = await make(client, ZOE)
    ana = await make(client, ZOE | {"userName": "a@acme.example", "title": "Lead", "name": {}})
    group = await make(client, {"displayName": "eng"}, "Groups")
    user, eng = f"Users/{zoe['id']}", f"Groups/{group['id']}"
    # The group is there: it is what was sent that does not fit. A client that reads 404 makes the group anew.
    for reply in (
        await patch(client, eng, {"op": "add", "path": "members", "value": [{"value": NOBODY}]}),
        await client.put(eng, json={"displayName": "eng", "members": [{"value": NOBODY}]}),
        await client.post("Groups", json={"displayName": "other", "members": [{"value": "no id"}]}),
        await patch(client, user, {"op": "add", "path": f"{ENTERPRISE}:manager", "value": NOBODY}),
        await client.put(user, json=ZOE | {ENTERPRISE: {"manager": {"value": NOBODY}}}),
    ):
        assert is_error(reply, 400, "invalidValue"), reply.text
    for path, attribute in ((user, "userName"), (eng, "displayName")):
        assert is_error(await patch(client, path, {"op": "remove", "path": attribute}), 400, "mutability")
    # What is not there is told in the protocol's form, too.
    for method, path, status in (("GET", "Foo", 404), ("POST", "Bulk", 404), ("GET", "Me", 404), ("PUT", "Users", 405)):
        assert is_error(await client.request(method, path, json={}), status), path
    # Who has any of these versions is sent nothing.
    tags = {"if-none-match": f'"1", {zoe["meta"]["version"]}'}
    for headers in (tags, {"if-none-match": "*"}, {"if-none-match": '"1"'}):
        assert (await client.get(user, headers=headers)).status_code == 304, headers
    assert (await client.get(user, headers={"if-none-match": 'W/"7"'})).status_code == 200
    # Without a value: last when ascending, first when descending.
    order = {"filter": 'userName eq "zoe@acme.example" or title pr', "sortBy": "title"}
    for direction, expected in (("ascending", [ana, zoe]), ("descending", [zoe, ana])):
        found = (await client.get("Users", params=order | {"sortOrder": direction})).json()["Resources"]
        assert [person["id"] for person in found] == [person["id"] for person in expected]
    assert await names(client, 'name pr and externalId eq "e-1"') == ["zoe@acme.example"]
