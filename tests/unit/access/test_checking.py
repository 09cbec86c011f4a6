"""Policies that cannot be published are refused, and the place is told."""

import pytest

from enfilade.access.checking import check, require_sound
from enfilade.access.content import Content, MatrixRow, PolicySpec
from enfilade.access.errors import InvalidAccess, InvalidPolicy
from enfilade.access.source import place
from tests.unit.access.policies import KNOWN, checked, content, problems

SCOPE = "permit (principal, action, resource)"
CALL = 'permit (principal, action == Action::"call", resource)'


@pytest.mark.parametrize(
    ("cedar", "at", "words"),
    [
        (f"{SCOPE}\nwhen {{ context.hour == }};", "}", "unexpected token"),
        (f"{SCOPE}\nwhen {{ true }}", None, "missing after this"),
        (f"{SCOPE} whn {{ true }};", "whn", "whn"),
        ("allow (principal, action, resource);", "allow", "allow"),
        (f"{SCOPE}\n  when {{ hour == 1 }};", "hour", "hour"),
        ('permit (principal, action == "call", resource);', '"call"', "entity uid"),
        (f'{SCOPE} when {{ "open }};', '"open', "no end"),
        ('permit (principal, action = Action::"call", resource);', "= Action", "is not a valid operator"),
        (f"{SCOPE} when {{ true & true }};", "& true", "no meaning"),
        ("permit (principal == ?principal, action, resource);", "?principal", "templates"),
        (f"{SCOPE};\nforbid (principal, action, resource);", "forbid", "one statement"),
        ("// nothing\n", "// nothing", "one statement"),
        (f"{SCOPE} when {{ {'(' * 40}true{')' * 40} }};", "(" * 11 + "true", "nested too deeply"),
        (f"{SCOPE} when {{ {'!' * 500}true }};", "!" * 200 + "true", "nested too deeply"),
        (f"{SCOPE} when {{ context{'.a' * 30} == 1 }};", ".a" * 10 + " ==", "nested too deeply"),
        (f"{SCOPE}\n// \u202e hidden\n;", "\u202e", "U+202E"),
        (f'{SCOPE} when {{ context.use_case == "co\u200bde" }};', "\u200b", "U+200B"),
        (f"{SCOPE};" + " " * 1_000_000, "permit", "1000000 are the most"),
    ],
)
def test_what_does_not_parse_is_shown_with_line_and_column(cedar: str, at: str | None, words: str) -> None:
    found = problems(cedar)
    assert [problem.severity for problem in found] == ["error"]
    assert words in found[0].message
    assert (found[0].line, found[0].column) == place(cedar, len(cedar) if at is None else cedar.index(at))


@pytest.mark.parametrize("cedar", [f"{'if true then ' * 30}true{' else false' * 30}", " || ".join(["true"] * 400)])
def test_what_would_end_the_process_is_refused_before_the_engine_sees_it(cedar: str) -> None:
    (problem,) = problems(f"{SCOPE} when {{ {cedar} }};")
    assert "nested too deeply" in problem.message


@pytest.mark.parametrize(
    ("cedar", "at", "words", "meant"),
    [
        (f'{CALL}\nwhen {{ context.use_cse == "x" }};', "use_cse", "use_cse", "use_case"),
        ('permit (principal, action == Action::"cal", resource);', '"cal"', "cal", "call"),
        ('permit (principal in Departmnt::"research", action, resource);', "Departmnt", "Departmnt", "Department"),
        ('permit (principal in Department::"reserch", action, resource);', '"reserch"', "no department", "research"),
        ('permit (principal in Department::"r\u0435search", action, resource);', '"r', "no department", "research"),
        ('permit (principal in Role::"develper", action, resource);', '"develper"', "no role", "developer"),
        ('permit (principal in Application::"bott", action, resource);', '"bott"', "no application", "bot"),
        ('permit (principal == User::"ann@acme.example", action, resource);', '"ann', "no user", "ana@acme.example"),
        ('permit (principal in Key::"bot-kei", action, resource);', '"bot-kei"', "no key", "bot-key"),
        ('permit (principal, action == Action::"call", resource in Model::"gpt-4");', '"gpt-4"', "no model", "gpt-4o"),
        ('permit (principal, action == Action::"call", resource in Model::"fast");', '"fast"', "is an alias", None),
        ('permit (principal, action, resource in Provider::"opnai");', '"opnai"', "no provider", "openai"),
        (f'{CALL} when {{ context.data_class == "secret" }};', '"secret"', "no data class", None),
        (f'{CALL} when {{ context.risk_tier == "hi" }};', '"hi"', "no risk tier", None),
        (f'{CALL} when {{ resource.zone == "on_premises" }};', '"on_premises"', "no zone", "on_premise"),
        (f"{CALL} when {{ principal.attributes.clearence > 3 }};", "clearence", "clearence", "clearance"),
        (f"{CALL} when {{ principal.attributes.clearance > 3 }};", "clearance", "attributes has", None),
        ('permit (principal, action == Action::"call", resource == Model::"gpt-4o");', "permit", "in Model", None),
        (f'{CALL} when {{ context.hour == "noon" }};', "permit", "not compatible", None),
    ],
)
def test_what_does_not_exist_is_named_with_its_place_and_what_was_meant(
    cedar: str, at: str, words: str, meant: str | None
) -> None:
    result = checked(cedar, attributes={"clearance": "long"})
    first = result.problems[0]
    assert first.severity == "error"
    line, column = place(cedar, cedar.index(at))
    assert words in first.message
    assert (first.line, first.column) == (line, column)
    assert first.meant == meant
    with pytest.raises(InvalidPolicy) as refusal:
        require_sound(result)
    assert f"line {line}, column {column}" in refusal.value.message
    assert refusal.value.details["problems"]


def test_what_can_be_published_has_no_errors() -> None:
    assert (
        problems(
            f"{CALL} when {{ principal.attributes has clearance && principal.attributes.clearance > 3 }};",
            'permit (principal, action == Action::"call", resource in Model::"local/llama");',
            'forbid (principal, action == Action::"call", resource) when { context.network.isInRange(ip("10.0.0.0/8")) };',
            attributes={"clearance": "long"},
        )
        == []
    )


@pytest.mark.parametrize(
    ("cedar", "odd", "words"),
    [
        ([f"{CALL};", f"{CALL};"], "p1", "says the same as 'p0'"),
        ([f"{CALL} when {{ context.approved }};", "forbid (principal, action, resource);"], "p0", "overridden by 'p1'"),
        (
            [
                'permit (principal == User::"ana@acme.example", action == Action::"call", resource);',
                'forbid (principal in User::"ana@acme.example", action, resource);',
            ],
            "p0",
            "overridden by 'p1'",
        ),
        (["forbid (principal, action, resource) when { context.approved };"], "p0", "nothing will be allowed"),
        ([f'{CALL} when {{ context.use_case == "cod" }};'], "p0", "no use case 'cod'"),
    ],
)
def test_policies_that_contradict_are_told_of_and_taken(cedar: list[str], odd: str, words: str) -> None:
    result = checked(*cedar)
    assert [(problem.severity, problem.policy) for problem in result.problems] == [("warning", odd)]
    assert words in result.problems[0].message
    assert len(require_sound(result).policies) == len(cedar)


def test_of_a_row_of_the_matrix_no_place_is_told_for_nobody_wrote_its_text() -> None:
    (problem,) = problems(matrix=(MatrixRow("row", departments=("reserch",)),))
    assert (problem.policy, problem.line, problem.column, problem.meant) == ("matrix/row", None, None, "research")
    assert str(problem) == "matrix/row: there is no department 'reserch'; did you mean 'research'?"


def test_what_is_switched_off_contradicts_nothing() -> None:
    off = (PolicySpec("off", "forbid (principal, action, resource);", enabled=False),)
    on = (PolicySpec("on", f"{CALL};"),)
    assert check(Content(policies=off + on), KNOWN).problems == []


def test_a_permit_that_is_overridden_only_sometimes_is_nothing_odd() -> None:
    assert problems(f"{CALL};", "forbid (principal, action, resource) when { context.hour < 6 };") == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"default_data_class": "secret"}, "default_data_class"),
        ({"attributes": {"if": "long"}}, "attributes"),
        ({"attributes": {"Level": "long"}}, "attributes"),
        ({"attributes": {"level": "float"}}, "attributes.level"),
        ({"matrix": (MatrixRow("a"), MatrixRow("a"))}, "matrix[1].name"),
        ({"matrix": (MatrixRow("\u0430"),)}, "matrix[0].name"),
        ({"matrix": (MatrixRow("a", data_class="secret"),)}, "matrix[0].data_class"),
        ({"matrix": (MatrixRow("a", models=tuple(f"m{n}*" for n in range(60))),)}, "matrix[0].models"),
        ({"matrix": tuple(MatrixRow(f"r{n}") for n in range(5_001))}, "matrix"),
    ],
)
def test_a_wrong_form_is_refused_by_name(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidAccess) as refusal:
        problems(**fields)
    assert refusal.value.param == param


def test_too_many_policies_are_refused_before_any_is_read() -> None:
    with pytest.raises(InvalidAccess, match="10000 are the most"):
        problems(*["permit"] * 10_001)


def test_hundreds_of_policies_are_checked_and_only_so_many_problems_told() -> None:
    found = problems(*[f"{CALL} when {{ context.ours == {n} }};" for n in range(150)])
    assert len(found) == 100
    assert content(CALL).rules == 1
