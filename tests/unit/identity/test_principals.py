"""Who may come in, from where, until when, and as whom."""

from datetime import timedelta
from typing import Any

import pytest

from enfilade.core.clock import to_ns
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity import store
from enfilade.identity.errors import AddressRefused, ExpiredKey, InvalidKey, UnknownUser
from enfilade.identity.principal import Principal
from enfilade.identity.principals import Principals
from enfilade.identity.roles import store as roles
from tests.unit.identity.rows import SECRET, START, Rows, fill, key, principals_of

NOW_NS = to_ns(START)


def enter(
    principals: Principals, secret: str = SECRET, address: str | None = "10.1.2.3", now_ns: int = NOW_NS
) -> Principal:
    """Present a credential."""
    return principals.authenticate(secret.encode(), address, now_ns)


async def test_a_key_stands_for_its_application_and_department() -> None:
    principal = enter(await principals_of(key()))

    scope = principal.scope
    assert (scope.tenant, scope.department, scope.application, scope.user) == ("acme", "sales", "copilot", None)
    assert (scope.key, scope.actor, scope.permissions) == ("id-of-copilot-key", "key:id-of-copilot-key", frozenset())
    assert (principal.key_name, principal.tenant.name) == ("copilot-key", "acme")


async def test_a_users_key_stands_for_the_user() -> None:
    scope = enter(await principals_of(key(application_id=None, user_id="ana"))).scope

    assert (scope.user, scope.application, scope.department) == ("ana", None, "sales")


async def test_a_key_has_the_permissions_of_its_roles_only() -> None:
    principals = await principals_of(
        key(roles=["auditor"]),
        key("admin-key", "another-secret", roles=["admin", "no-such-role"], application_id=None),
        key("owner-key", "owner-secret", roles=["owner"], application_id=None, tenant_id=PLATFORM_ID),
        key("would-be", "would-be-secret", roles=["monitor"], application_id=None),
    )

    assert enter(principals).scope.may("audit:read")
    assert not enter(principals).scope.may("keys:write")
    assert enter(principals, "another-secret").scope.may("keys:write")
    assert enter(principals, "owner-secret").scope.may("tenants:manage")
    assert enter(principals, "would-be-secret").scope.permissions == frozenset()


@pytest.mark.parametrize(
    "secret",
    ["", "x", SECRET[:-1], SECRET + "x", SECRET + "\x00", SECRET.upper(), " " + SECRET, "enf_0000000000_" + "0" * 64],
)
async def test_only_the_whole_secret_opens(secret: str) -> None:
    principals = await principals_of(key())

    with pytest.raises(InvalidKey) as refusal:
        enter(principals, secret)

    assert refusal.value.status == 401
    assert not secret or secret not in refusal.value.message


@pytest.mark.parametrize("field", ["expires_at", "valid_until"])
async def test_a_key_ends_at_its_moment(field: str) -> None:
    end = START + timedelta(hours=1)
    row = key()
    row[field] = end
    principals = await principals_of(row)

    assert enter(principals, now_ns=to_ns(end) - 1).tenant.name == "acme"
    for now_ns in (to_ns(end), to_ns(end) + 10**18):
        with pytest.raises(ExpiredKey):
            enter(principals, now_ns=now_ns)


async def test_during_the_grace_period_the_old_and_the_new_secret_open() -> None:
    grace = START + timedelta(hours=24)
    principals = await principals_of(key(valid_until=grace), key(secret="the-new-secret-of-the-key"))

    old, new = enter(principals), enter(principals, "the-new-secret-of-the-key")

    assert old.scope == new.scope
    with pytest.raises(ExpiredKey):
        enter(principals, now_ns=to_ns(grace))
    assert enter(principals, "the-new-secret-of-the-key", now_ns=to_ns(grace)).tenant.name == "acme"


async def test_a_rotation_does_not_lengthen_a_keys_life() -> None:
    end = START + timedelta(hours=1)
    principals = await principals_of(key(expires_at=end, valid_until=end + timedelta(hours=5)))

    with pytest.raises(ExpiredKey):
        enter(principals, now_ns=to_ns(end))


@pytest.mark.parametrize(
    ("allowed", "address", "opens"),
    [
        (["10.0.0.0/8"], "10.255.0.1", True),
        (["10.0.0.0/8"], "11.0.0.1", False),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["10.0.0.0/8"], "::ffff:11.0.0.1", False),
        (["10.0.0.0/8"], "2001:db8::1", False),
        (["10.0.0.7/32"], "10.0.0.7", True),
        (["10.0.0.7/32"], "10.0.0.8", False),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["2001:db8::/32"], "10.0.0.1", False),
        (["0.0.0.0/0"], "203.0.113.5", True),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["10.0.0.0/8"], None, False),
        (["10.0.0.0/8"], "", False),
        (["10.0.0.0/8"], "not an address", False),
        (["10.0.0.0/8"], "10.0.0.1:5000", False),
        ([], None, True),
        ([], "203.0.113.5", True),
    ],
)
async def test_a_key_may_be_bound_to_networks(allowed: list[str], address: str | None, opens: bool) -> None:
    principals = await principals_of(key(allowed_ips=allowed))

    if opens:
        assert enter(principals, address=address).tenant.name == "acme"
    else:
        with pytest.raises(AddressRefused) as refusal:
            enter(principals, address=address)
        assert refusal.value.status == 403


async def test_an_expired_key_says_so_from_everywhere() -> None:
    principals = await principals_of(key(allowed_ips=["10.0.0.0/8"], expires_at=START))

    with pytest.raises(ExpiredKey):
        enter(principals, address="203.0.113.5")


@pytest.mark.parametrize("gone", [{"application_id": "removed"}, {"application_id": None, "user_id": "removed"}])
async def test_a_key_of_something_that_was_removed_does_not_open(gone: dict[str, Any]) -> None:
    principals = await principals_of(key(**gone))

    with pytest.raises(InvalidKey):
        enter(principals)


# The end user whom an application names.


async def test_an_application_may_call_for_a_user_of_its_tenant() -> None:
    principal = enter(await principals_of(key()))

    for address in ("ben@acme.example", "Ben@ACME.example"):
        scope = principal.for_user(address)
        assert (scope.user, scope.application, scope.department) == ("ben", "copilot", "sales")
        assert (scope.key, scope.actor) == (principal.scope.key, principal.scope.actor)


async def test_a_users_department_counts_where_the_application_has_none() -> None:
    rows = Rows(key())
    rows.tables[next(s for s in rows.tables if rows.tables[s][0]["id"] == "copilot")][0]["department_id"] = None
    principals = Principals()
    await fill(principals, rows)

    assert enter(principals).scope.department is None
    assert enter(principals).for_user("ana@acme.example").department == "sales"


async def test_naming_a_user_grants_nothing() -> None:
    principal = enter(await principals_of(key(roles=["auditor"])))

    assert principal.for_user("ana@acme.example").permissions == principal.scope.permissions


@pytest.mark.parametrize(
    "row", [key(), key(application_id=None, user_id="ana"), key(application_id=None, roles=["admin"])]
)
async def test_nobody_learns_which_addresses_are_known(row: dict[str, Any]) -> None:
    principal = enter(await principals_of(row))
    asked = ["nobody@acme.example"] if row["application_id"] else ["nobody@acme.example", "ben@acme.example"]

    answers = set()
    for address in asked:
        with pytest.raises(UnknownUser) as refusal:
            principal.for_user(address)
        answers.add(refusal.value.message)

    assert len(answers) == 1
    assert "@" not in answers.pop()


# Changes.


async def test_a_revoked_key_is_gone_when_its_tenant_is_loaded_again() -> None:
    principals = await principals_of(key(), key("other", "other-secret"))

    await fill(principals, Rows(key("other", "other-secret")), "acme")

    with pytest.raises(InvalidKey):
        enter(principals)
    assert enter(principals, "other-secret").tenant.name == "acme"


async def test_a_tenant_that_was_removed_takes_its_keys_along_and_leaves_the_others() -> None:
    principals = Principals()
    rows = Rows(
        key(), key("theirs", "their-secret", tenant_id="globex", application_id=None), tenants=("acme", "globex")
    )
    await fill(principals, rows)

    await fill(principals, Rows(tenants=()), "acme")

    with pytest.raises(InvalidKey):
        enter(principals)
    assert principals.tenant("acme") is None
    assert principals.tenant_named("acme") is None
    assert enter(principals, "their-secret").scope.tenant == "globex"


async def test_a_secret_and_a_name_may_go_over_from_one_tenant_to_another_in_one_change() -> None:
    principals = Principals()
    rows = Rows(key(), tenants=("acme", "globex"))
    rows.tables[store.LOAD_TENANTS][1]["name"] = "shared"
    await fill(principals, rows)
    assert principals.tenant_named("shared") == principals.tenant("globex")

    theirs = Rows(key(tenant_id="globex", application_id=None, roles=["admin"]), tenants=("acme", "globex"))
    theirs.tables[store.LOAD_TENANTS][0]["name"] = "shared"
    for tenants in (("acme", "globex"), ("globex", "acme")):
        await fill(principals, theirs, *tenants)
        assert enter(principals).tenant.id == "globex"
        assert principals.tenant_named("shared") == principals.tenant_named("acme") == principals.tenant("acme")
        assert principals.tenant_named("globex") == principals.tenant("globex")


async def test_it_is_known_whether_any_tenant_lets_the_platform_in_by_breaking_the_glass_only() -> None:
    principals, rows = Principals(), Rows(tenants=("acme", "globex"))
    settings = {"operator_access": "break_glass", "max_key_lifetime_s": None, "version": 1}
    rows.tables[roles.LOAD_SETTINGS] = [settings | {"tenant_id": name} for name in ("acme", "globex")]
    open_again = Rows(tenants=("acme", "globex"))
    await fill(principals, rows)
    assert principals.closed()
    await fill(principals, open_again, "acme")
    assert principals.closed()
    await fill(principals, open_again, "globex")
    assert not principals.closed()
    await fill(principals, rows)
    await fill(principals, Rows(tenants=()), "acme", "globex")
    assert not principals.closed()


async def test_a_key_never_stands_for_another_tenants_application() -> None:
    principals = Principals()
    await fill(principals, Rows(key(tenant_id="globex"), tenants=("acme", "globex")))

    with pytest.raises(InvalidKey):
        enter(principals)


async def test_names_are_known_by_kind_and_only_within_their_tenant() -> None:
    principals = await principals_of(key())

    assert principals.subject_name("acme", "department", "sales") == "Sales"
    assert principals.subject_name("acme", "application", "copilot") == "Copilot"
    assert principals.subject_name("acme", "user", "ana") == "ana@acme.example"
    assert principals.subject_name("acme", "key", "id-of-copilot-key") == "copilot-key"
    for kind in ("department", "application", "user", "key"):
        assert principals.subject_name("acme", kind, "unknown") is None
        assert principals.subject_name("globex", kind, "copilot") is None
    assert [tenant.name for tenant in principals.tenants()] == ["acme"], "the platform is no tenant"
    assert principals.application("globex", "copilot") is None
