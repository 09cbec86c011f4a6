"""Roles and what they include, scopes and how they narrow, secrets, names and networks."""

import hashlib
import re
from itertools import combinations

import pytest

from enfilade.core.ids import PLATFORM_ID
from enfilade.identity import permissions
from enfilade.identity.errors import InvalidSpecification, VersionMismatch
from enfilade.identity.permissions import ALL_PERMISSIONS, PLATFORM_ROLES, TENANT_ROLES, permissions_of
from enfilade.identity.rows import (
    EMAIL,
    TENANT_NAME,
    check_models,
    check_name,
    check_time_zone,
    check_version,
    normal_networks,
)
from enfilade.identity.scopes import key_scope, narrowed_to, system_scope, tenant_scope, with_user
from enfilade.identity.secrets import (
    MAX_SECRET_LENGTH,
    MIN_SECRET_LENGTH,
    check_secret,
    has_checksum,
    new_secret,
    secret_digest,
)
from enfilade.identity.types import IssuedKey, Key, KeySpec
from tests.unit.identity.rows import START

DECLARED = {value for name, value in vars(permissions).items() if name.isupper() and isinstance(value, str)}


def test_every_permission_is_part_of_some_role_and_well_named() -> None:
    assert DECLARED == ALL_PERMISSIONS
    assert all(
        re.fullmatch(r"[a-z_]+:(read|write|manage|approve|evaluate|review)", permission) for permission in DECLARED
    )


def test_nobody_but_the_platform_may_touch_what_all_tenants_share() -> None:
    shared = {"tenants:manage", "catalogue:write", "configuration:write", "replicas:read", "metrics:read"}

    assert not shared & frozenset().union(*TENANT_ROLES.values())


@pytest.mark.parametrize(
    ("table", "role"),
    [(TENANT_ROLES, "auditor"), (TENANT_ROLES, "developer"), (PLATFORM_ROLES, "auditor"), (PLATFORM_ROLES, "monitor")],
)
def test_who_only_looks_changes_nothing(table: dict[str, frozenset[str]], role: str) -> None:
    assert all(permission.endswith(":read") for permission in table[role])


def test_the_widest_role_includes_all_others() -> None:
    assert all(granted <= TENANT_ROLES["owner"] for granted in TENANT_ROLES.values())
    assert all(
        granted <= TENANT_ROLES["admin"]
        for role, granted in TENANT_ROLES.items()
        if role not in {"owner", "provisioning"}
    )
    assert all(granted <= PLATFORM_ROLES["owner"] for granted in PLATFORM_ROLES.values())
    assert PLATFORM_ROLES["owner"] == ALL_PERMISSIONS


def test_roles_add_up_and_unknown_ones_add_nothing() -> None:
    for one, other in combinations(TENANT_ROLES, 2):
        assert permissions_of((one, other, "nonsense"), platform=False) == TENANT_ROLES[one] | TENANT_ROLES[other]
    assert permissions_of((), platform=False) == permissions_of(("monitor",), platform=False) == frozenset()
    assert permissions_of(("admin", "developer", "member"), platform=True) == frozenset()


# Scopes.


def test_only_the_platform_may_act_in_another_tenant_and_only_in_that_one() -> None:
    owner, admin = key_scope(PLATFORM_ID, "1", ("owner",)), key_scope("acme", "2", ("admin",))

    narrowed = narrowed_to(owner, "acme")

    assert (narrowed.tenant, narrowed.actor, narrowed.is_platform) == ("acme", owner.actor, False)
    assert narrowed_to(admin, "acme") is admin
    for tenant in ("globex", PLATFORM_ID):
        with pytest.raises(PermissionError):
            narrowed_to(admin, tenant)
    with pytest.raises(PermissionError):
        narrowed_to(narrowed, "globex")


def test_a_part_of_the_program_that_acts_for_one_tenant_has_no_rights_of_its_own() -> None:
    assert tenant_scope("acme", "seeding").permissions == frozenset()
    assert tenant_scope("acme", "seeding").actor == "system:seeding"
    assert system_scope("directory").permissions == ALL_PERMISSIONS


def test_an_end_user_does_not_replace_the_applications_department() -> None:
    scope = key_scope("acme", "1", application="copilot", department="sales")

    assert with_user(scope, "ana", "engineering").department == "sales"
    assert with_user(key_scope("acme", "1", application="copilot"), "ana", "engineering").department == "engineering"


# Secrets.


def test_a_new_secret_has_256_bits_and_a_beginning_that_may_be_shown() -> None:
    secrets = {new_secret() for _ in range(200)}

    assert len({secret for secret, _ in secrets}) == 200
    for secret, hint in secrets:
        assert re.fullmatch(r"enf_[0-9a-f]{10}_[0-9a-f]{72}", secret)
        assert has_checksum(secret)
        assert secret.startswith(hint + "_")
        check_secret(secret)


def test_the_whole_secret_is_hashed() -> None:
    secret, _ = new_secret()

    assert secret_digest(secret) == secret_digest(secret.encode()) == hashlib.sha256(secret.encode()).digest()
    assert secret_digest(secret) != secret_digest(secret + " ")


@pytest.mark.parametrize(
    "secret",
    ["", "x" * (MIN_SECRET_LENGTH - 1), "x" * (MAX_SECRET_LENGTH + 1), "é" * 40, "x" * 40 + "\n", "x" * 40 + "\x00"],
)
def test_a_secret_that_could_be_guessed_or_not_be_sent_is_refused(secret: str) -> None:
    with pytest.raises(InvalidSpecification) as refusal:
        check_secret(secret)

    assert refusal.value.param == "secret"
    assert not secret or secret not in refusal.value.message


def test_an_issued_key_does_not_show_its_secret_when_it_is_printed() -> None:
    secret, _ = new_secret()
    issued = IssuedKey(Key("1", "acme", KeySpec("k"), None, None, 1, START), secret)

    assert secret not in repr(issued)
    assert secret not in f"{issued!s}"


# Names, networks, versions.


@pytest.mark.parametrize("name", ["a", "Sales", "team 7", "a.b-c_d@e", "x" * 99])
def test_names_that_can_be_written_everywhere(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", " a", "-a", ".a", "a/b", "a\n", "a\x00", "é", "x" * 100, "a:b", "*"])
def test_names_that_cannot(name: str) -> None:
    with pytest.raises(InvalidSpecification) as refusal:
        check_name(name)

    assert (refusal.value.param, refusal.value.status) == ("name", 422)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("ana@acme.example", True),
        ("a+b@c", True),
        ("@acme", False),
        ("ana@", False),
        ("a b@c", False),
        ("a@b@c", False),
    ],
)
def test_addresses_of_people(text: str, fits: bool) -> None:
    assert (EMAIL.fullmatch(text) is not None) is fits


@pytest.mark.parametrize(
    ("text", "fits"), [("acme", True), ("a-1.b_c", True), ("Acme", False), ("-a", False), ("a" * 64, False)]
)
def test_names_of_tenants(text: str, fits: bool) -> None:
    assert (TENANT_NAME.fullmatch(text) is not None) is fits


def test_patterns_over_models_must_be_able_to_match() -> None:
    check_models(["*", "gpt-*", "anthropic/claude-5"])
    for pattern in ("", "gpt 4", "é", "x" * 201):
        with pytest.raises(InvalidSpecification):
            check_models(["*", pattern])


def test_networks_have_one_form() -> None:
    assert normal_networks(["10.1.2.3/8", "10.0.0.7", "2001:DB8::1/32", "::1"]) == (
        "10.0.0.0/8",
        "10.0.0.7/32",
        "2001:db8::/32",
        "::1/128",
    )
    for text in ("10.0.0.0/33", "10.0.0", "everywhere", "", "10.0.0.1-10.0.0.9"):
        with pytest.raises(InvalidSpecification):
            normal_networks([text])


@pytest.mark.parametrize("name", ["UTC", "Europe/Vienna", "Asia/Kolkata"])
def test_time_zones_that_exist(name: str) -> None:
    check_time_zone(name)


@pytest.mark.parametrize(
    "name", ["", "Europe/Atlantis", "../../etc/passwd", "/etc/passwd", "UTC\x00", "Europe", "x" * 400]
)
def test_time_zones_that_do_not(name: str) -> None:
    with pytest.raises(InvalidSpecification) as refusal:
        check_time_zone(name)

    assert refusal.value.param == "time_zone"


def test_a_change_to_something_that_was_changed_meanwhile_is_refused() -> None:
    check_version(None, 3)
    check_version(3, 3)
    with pytest.raises(VersionMismatch):
        check_version(2, 3)
