"""SCIM filters and paths: the grammar, its limits, and what becomes of them in SQL."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.identity.provisioning.compiling import Compiler
from enfilade.identity.provisioning.errors import InvalidFilter, InvalidPath
from enfilade.identity.provisioning.filters import (
    MAX_LENGTH,
    Among,
    ChangePath,
    Combination,
    Comparison,
    Negation,
    Path,
    parse_change_path,
    parse_filter,
    parse_path,
)
from enfilade.identity.provisioning.schemas import ENTERPRISE, GROUPS, USERS

A, B, C = (Comparison(Path(None, name), "pr") for name in "abc")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('userName eq "ana"', Comparison(Path(None, "userName"), "eq", "ana")),
        ('USERNAME Eq "a\\"b\\u00e9"', Comparison(Path(None, "USERNAME"), "eq", 'a"bé')),
        ("active eq true", Comparison(Path(None, "active"), "eq", True)),
        ("title eq null", Comparison(Path(None, "title"), "eq", None)),
        ("x ge -2.5", Comparison(Path(None, "x"), "ge", -2.5)),
        ("a pr or b pr and c pr", Combination("or", (A, Combination("and", (B, C))))),
        ("(a pr or b pr) and c pr", Combination("and", (Combination("or", (A, B)), C))),
        ("not (a pr) and b pr", Combination("and", (Negation(A), B))),
        ('name.givenName sw "A"', Comparison(Path(None, "name", "givenName"), "sw", "A")),
        (f'{ENTERPRISE}:manager.value eq "1"', Comparison(Path(ENTERPRISE, "manager", "value"), "eq", "1")),
        ("emails[a pr and b pr]", Among(Path(None, "emails"), Combination("and", (A, B)))),
        (
            'emails[a pr].value co "x"',
            Among(Path(None, "emails"), Combination("and", (A, Comparison(Path(None, "value"), "co", "x")))),
        ),
    ],
)
def test_the_grammar_is_read_as_it_is_meant(text: str, tree: Any) -> None:
    assert parse_filter(text) == tree


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "userName",
        "userName eq",
        'userName eq "open',
        "userName eq ana",
        "userName == 'ana'",
        'userName is "ana"',
        'eq "ana"',
        '"userName" eq "ana"',
        "a pr b pr",
        "a pr and",
        "a pr)",
        "(a pr",
        "emails[a pr",
        "emails]a pr[",
        "not a pr",
        "a.b.c pr",
        "a..b pr",
        "1 eq 1",
        'userName eq "\\x"',
        'userName eq "nul\\u0000"',
        "userName eq 1e400",
        'userName eq "a"; DROP TABLE users --',
        'userName eq "a" OR 1=1',
        "userName eq 'a' UNION SELECT hash FROM passwords",
        "urn:evil:User:userName pr",
        "a\u00e9 pr",
        "(" * 12 + "a pr" + ")" * 12,
        "not (" * 12 + "a pr" + ")" * 12,
        " and ".join(["a pr"] * 51),
        'userName eq "' + "x" * MAX_LENGTH + '"',
        'userName eq "' + "x" * 600 + '"',
        "a" * 1_000_000,
    ],
)
def test_what_is_no_filter_or_too_much_of_one_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_filter(text)


@given(st.text(alphabet='abe quiprnot()[]".\\:-01,$;%\x00é', max_size=80))
def test_whatever_is_sent_is_read_or_refused(text: str) -> None:
    try:
        tree = parse_filter(text)
    except InvalidFilter:
        return
    try:
        Compiler(USERS).condition(tree)
    except InvalidFilter:
        return


def compiled(text: str, kind: Any = USERS) -> tuple[str, list[object]]:
    compiler = Compiler(kind, ["a tenant"])
    return compiler.condition(parse_filter(text)), compiler.parameters[1:]


@pytest.mark.parametrize(
    ("text", "sql", "parameters"),
    [
        ('userName eq "Ana"', "(lower(u.email) IS NOT DISTINCT FROM $2::text)", ["ana"]),
        ('externalId eq "Ana"', "((u.external_id) IS NOT DISTINCT FROM $2::text)", ["Ana"]),
        ('active eq "False"', "((u.active) IS NOT DISTINCT FROM $2::boolean)", [False]),
        ("title pr", "((u.attributes->>'title') IS NOT NULL AND (u.attributes->>'title') <> '')", []),
        ('name.familyName co "%"', "(strpos(lower(u.attributes->>'family_name'), $2::text) > 0)", ["%"]),
        ("meta pr", "((u.created_at) IS NOT NULL OR (u.changed_at) IS NOT NULL)", []),
    ],
)
def test_what_was_sent_is_a_parameter_and_never_sql(text: str, sql: str, parameters: list[object]) -> None:
    assert compiled(text) == (sql, parameters)


@pytest.mark.parametrize(
    "attack",
    ["' OR '1'='1", "'; DROP TABLE users; --", "$1", "%s", "\\'; SELECT 1", "{}", '"]}', "u.email", "*/ OR TRUE /*"],
)
def test_sql_in_a_value_stays_a_value(attack: str) -> None:
    quoted = attack.replace("\\", "\\\\").replace('"', '\\"')
    sql, parameters = compiled(f'userName eq "{quoted}" or emails[value co "{quoted}"] or groups.display sw "{quoted}"')
    assert parameters == [attack.lower()] * 3
    assert attack not in {"$1", "{}"} or sql.count("$1::") == 0
    assert len(attack) < 3 or attack == "u.email" or attack.lower() not in sql


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("nope pr", USERS),
        ("password pr", USERS),
        ("userName.x pr", USERS),
        ("name.nope pr", USERS),
        ("userName eq 5", USERS),
        ("userName eq true", USERS),
        ("active eq 1", USERS),
        ('active eq "yes"', USERS),
        ("active gt false", USERS),
        ('active co "t"', USERS),
        ('meta.created eq "yesterday"', USERS),
        ('meta.created sw "2026"', USERS),
        ("meta.created gt 5", USERS),
        ('meta.version eq "1"', USERS),
        ("title gt null", USERS),
        ("userName[value pr]", USERS),
        ("emails[groups pr]", USERS),
        ("emails[emails[value pr]]", USERS),
        ("members pr", USERS),
        ("userName pr", GROUPS),
        (f"{ENTERPRISE}:userName pr", USERS),
        (f"{ENTERPRISE}:department pr", GROUPS),
    ],
)
def test_what_cannot_be_compared_is_refused(text: str, kind: Any) -> None:
    with pytest.raises(InvalidFilter):
        compiled(text, kind)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("userName", ChangePath(Path(None, "userName"))),
        (f"{ENTERPRISE.upper()}:manager", ChangePath(Path(ENTERPRISE, "manager"))),
        (
            'members[value eq "1"]',
            ChangePath(Path(None, "members"), Comparison(Path(None, "value"), "eq", "1")),
        ),
        (
            'emails[type eq "a]b"].value',
            ChangePath(Path(None, "emails", "value"), Comparison(Path(None, "type"), "eq", "a]b")),
        ),
    ],
)
def test_paths_of_changes_are_read(text: str, path: ChangePath) -> None:
    assert parse_change_path(text) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".b", "a b", "a[", "a[b pr", "a[b pr]c", "a[]", "1a", "a" * 5000, "é"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidPath):
        parse_change_path(text)


def test_a_path_says_which_schema_it_is_of() -> None:
    assert parse_path("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName").sub == "givenName"
