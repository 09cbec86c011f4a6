"""PATCH as clients send it, and what becomes of users and groups."""

from typing import Any

import pytest

from enfilade.identity.provisioning.changes import read_operations
from enfilade.identity.provisioning.errors import InvalidPath, InvalidSyntax, NotChangeable, ScimFault, TooMuch
from enfilade.identity.provisioning.group_forms import GroupDraft
from enfilade.identity.provisioning.schemas import ENTERPRISE
from enfilade.identity.provisioning.user_forms import Draft
from enfilade.identity.types import SCIM, Origin, User, UserSpec

ANA, BEN, CID = (f"01a19c21-7200-7000-8000-00000000000{n}" for n in "123")


def user(**more: Any) -> User:
    spec = UserSpec("ana@acme.example", roles=("developer",), attributes={"clearance": 3, "title": "Lead"}, **more)
    return User(ANA, "acme", spec, None, 1, None, Origin(SCIM, "x1"))


def patched(*operations: Any) -> UserSpec:
    draft = Draft.of(user())
    for operation in read_operations({"Operations": list(operations)}):
        draft.apply(operation)
    return draft.spec(user())


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "active", "value": False},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Add", "path": "active", "value": ["false"]},
        {"op": "replace", "value": {"active": False}},
        {"OP": "replace", "Value": {"Active": "false"}},
        {"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": False},
    ],
)
def test_every_clients_way_to_deactivate_somebody_is_understood(operation: dict[str, Any]) -> None:
    spec = patched(operation)
    assert spec.active is False
    assert (spec.roles, spec.attributes) == (("developer",), {"clearance": 3, "title": "Lead"})


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": f"{ENTERPRISE}:manager", "value": BEN},
        {"op": "add", "path": f"{ENTERPRISE}:manager", "value": {"value": BEN}},
        {"op": "add", "path": f"{ENTERPRISE}:manager", "value": [{"$ref": "x", "value": BEN}]},
        {"op": "replace", "path": f"{ENTERPRISE}:manager.value", "value": BEN},
        {"op": "add", "path": "manager", "value": {"Value": BEN}},
        {"op": "replace", "value": {f"{ENTERPRISE}:manager": BEN}},
        {"op": "replace", "value": {ENTERPRISE: {"manager": {"value": BEN}}}},
    ],
)
def test_every_clients_way_to_name_a_manager_is_understood(operation: dict[str, Any]) -> None:
    assert patched(operation).manager == BEN


def test_names_and_attributes_are_kept_where_policies_find_them() -> None:
    spec = patched(
        {"op": "replace", "value": {"name.givenName": "Ana", "name.familyName": "Ng", "title": None}},
        {"op": "add", "path": f"{ENTERPRISE}:department", "value": "sales"},
        {"op": "add", "path": "phoneNumbers", "value": [{"value": "+1"}]},
    )
    assert spec.display_name == "Ana Ng"
    assert spec.attributes == {"clearance": 3, "given_name": "Ana", "family_name": "Ng", "department": "sales"}


def test_a_whole_user_takes_the_place_of_what_the_client_had_sent_before() -> None:
    draft = Draft.from_body(
        {"schemas": [], "userName": "ANA@acme.example", "displayName": "Ana", "emails": [{"value": "x"}]}
    )
    spec = draft.spec(user(manager="ben@acme.example"))
    assert (spec.display_name, spec.manager, spec.roles) == ("Ana", None, ("developer",))
    assert spec.attributes == {"clearance": 3}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, InvalidSyntax),
        ([], InvalidSyntax),
        ({"Operations": {}}, InvalidSyntax),
        ({"Operations": []}, InvalidSyntax),
        ({"Operations": ["x"]}, InvalidSyntax),
        ({"Operations": [{"op": "move", "path": "title"}]}, InvalidSyntax),
        ({"Operations": [{"op": 5, "path": "title"}]}, InvalidSyntax),
        ({"Operations": [{"op": "remove"}]}, InvalidSyntax),
        ({"Operations": [{"op": "add", "value": "x"}]}, InvalidSyntax),
        ({"Operations": [{"op": "add", "path": {"a": 1}, "value": "x"}]}, InvalidPath),
        ({"Operations": [{"op": "add", "path": "a[", "value": "x"}]}, InvalidPath),
        ({"Operations": [{"op": "add", "path": "title", "value": "x"}] * 501}, TooMuch),
        ({"Operations": [{"op": "add", "path": "members", "value": [{"value": ANA}] * 20_001}]}, TooMuch),
        ({"Operations": [{"op": "add", "value": {f"a{n}": [1] * 30 for n in range(1000)}}]}, TooMuch),
    ],
)
def test_what_is_no_patch_or_too_much_of_one_is_refused(body: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_operations(body)


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ({"op": "add", "path": "nope", "value": "x"}, InvalidPath),
        ({"op": "add", "path": "name.nope", "value": "x"}, InvalidPath),
        ({"op": "replace", "path": 'title[value eq "x"]', "value": "x"}, InvalidPath),
        ({"op": "replace", "path": "groups", "value": []}, NotChangeable),
        ({"op": "replace", "path": "id", "value": BEN}, NotChangeable),
        ({"op": "replace", "path": "active", "value": "maybe"}, ScimFault),
        ({"op": "replace", "path": "active", "value": 1}, ScimFault),
        ({"op": "replace", "path": "title", "value": {"a": 1}}, ScimFault),
        ({"op": "replace", "path": "title", "value": 7}, ScimFault),
        ({"op": "replace", "path": "title", "value": "x" * 513}, ScimFault),
        ({"op": "replace", "path": "title", "value": "nul\x00"}, ScimFault),
        ({"op": "replace", "path": "name", "value": "Ana"}, ScimFault),
        ({"op": "remove", "path": "userName"}, NotChangeable),
        ({"op": "replace", "path": ENTERPRISE, "value": "x"}, InvalidSyntax),
        ({"op": "remove", "path": "urn:ietf:params:scim:schemas:core:2.0:User"}, InvalidSyntax),
        ({"op": "replace", "path": "userName", "value": "no address"}, ScimFault),
    ],
)
def test_a_change_that_does_not_fit_is_refused(operation: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        patched(operation)


def members(*operations: Any, present: tuple[str, ...] = (ANA, BEN)) -> set[str] | None:
    draft = GroupDraft("eng", None, set(present))
    for operation in read_operations({"Operations": list(operations)}):
        draft.apply(operation)
    return draft.members


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "members", "value": [{"value": CID}]}, {ANA, BEN, CID}),
        ({"op": "Add", "path": "members", "value": {"value": CID.upper()}}, {ANA, BEN, CID}),
        ({"op": "add", "value": {"members": [{"value": CID}]}}, {ANA, BEN, CID}),
        ({"op": "replace", "path": "members", "value": [{"value": CID}]}, {CID}),
        ({"op": "remove", "path": f'members[value eq "{ANA}"]'}, {BEN}),
        ({"op": "remove", "path": f'members[value eq "{ANA}" or value eq "{BEN}"]'}, set()),
        ({"op": "Remove", "path": "members", "value": [{"value": ANA}]}, {BEN}),
        ({"op": "remove", "path": "members"}, set()),
        ({"op": "remove", "path": "members", "value": []}, {ANA, BEN}),
        ({"op": "remove", "path": f'members[value eq "{CID}"]'}, {ANA, BEN}),
        ({"op": "replace", "value": {"displayName": "x", "id": ANA}}, {ANA, BEN}),
    ],
)
def test_every_clients_way_to_change_members_is_understood(operation: dict[str, Any], expected: set[str]) -> None:
    assert members(operation) == expected


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ({"op": "add", "path": "members", "value": [{"value": "no id"}]}, ScimFault),
        ({"op": "add", "path": "members", "value": [{"value": 5}]}, ScimFault),
        ({"op": "add", "path": "members", "value": [{}]}, ScimFault),
        ({"op": "remove", "path": 'members[display co "a"]'}, InvalidPath),
        ({"op": "replace", "path": f'members[value eq "{ANA}"].value', "value": BEN}, InvalidPath),
        ({"op": "replace", "path": "displayName", "value": ""}, ScimFault),
        ({"op": "replace", "path": "displayName", "value": "x" * 257}, ScimFault),
        ({"op": "remove", "path": "displayName"}, NotChangeable),
        ({"op": "replace", "path": "owner", "value": "x"}, InvalidPath),
        ({"op": "replace", "path": "meta", "value": {}}, NotChangeable),
    ],
)
def test_a_change_of_a_group_that_does_not_fit_is_refused(operation: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        members(operation)


def test_a_group_cannot_grow_without_bound() -> None:
    many = [{"value": f"01a19c21-7200-7000-8000-{n:012x}"} for n in range(10_001)]
    with pytest.raises(TooMuch):
        members({"op": "add", "path": "members", "value": many})
    halves = [{"op": "add", "path": "members", "value": part} for part in (many[:6000], many[6000:])]
    with pytest.raises(TooMuch):
        members(*halves)
