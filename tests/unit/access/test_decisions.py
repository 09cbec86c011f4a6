"""Decisions: what a tenant's policies allow, remembered by everything they may depend on."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from enfilade.access import table as tables
from enfilade.access.compiled import compile_content, compile_policy
from enfilade.access.content import Content, MatrixRow, PolicySpec
from enfilade.access.table import PolicyTable
from enfilade.access.types import APPROVAL, Caller, Decision
from enfilade.access.use_cases import UseCaseSpec
from enfilade.core.clock import to_ns
from tests.unit.access.policies import ANA, CLOUD, HOME, OPUS, ask, changed, content, guard

ALL = 'permit (principal, action == Action::"call", resource);'
NOON = to_ns(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))


def test_without_any_policy_nothing_is_asked() -> None:
    assert ask(guard(Content())) == Decision(allowed=True, reason="no_policies")


def test_what_no_policy_speaks_of_goes_by_the_default() -> None:
    only_opus = 'permit (principal, action == Action::"call", resource in Model::"claude-3-opus");'
    assert ask(guard(content(only_opus))) == Decision(allowed=False, reason="no_permit")
    assert ask(guard(content(only_opus, default="allow"))) == Decision(allowed=True, reason="default")
    assert ask(guard(content(only_opus)), resource=OPUS) == Decision(True, ("p0",), (), "permitted")


def test_a_forbid_overrides_every_permit() -> None:
    who = guard(content(ALL, 'forbid (principal, action, resource) when { resource.zone == "public_cloud" };', ALL))
    assert ask(who) == Decision(False, ("p1",), (), "forbidden")
    assert ask(who, resource=HOME) == Decision(True, ("p0", "p2"), (), "permitted")


def test_a_policy_that_fails_denies_even_if_another_permits() -> None:
    failing = "forbid (principal, action, resource) when { 9223372036854775807 + context.hour > 0 };"
    decision = ask(guard(content(ALL, failing)), now_ns=NOON)
    assert decision == Decision(False, ("p1",), (), "error")


@pytest.mark.parametrize(
    ("scope", "caller", "allowed"),
    [
        ('principal in Department::"research"', ANA, True),
        ('principal in Department::"research"', changed(ANA, department="sales"), False),
        ('principal in Role::"developer"', ANA, True),
        ('principal in Role::"admin"', ANA, False),
        ('principal == User::"ana@acme.example"', ANA, True),
        ('principal == User::"ana@acme.example"', changed(ANA, application="bot"), True),
        ('principal in Application::"bot"', changed(ANA, application="bot"), True),
        ('principal in Application::"bot"', Caller(application="bot"), True),
        ('principal in Key::"bot-key"', Caller(application="bot", key="bot-key"), True),
        ("principal is User", Caller(application="bot"), False),
        ("principal is Application", Caller(application="bot"), True),
        ("principal is Key", Caller(key="k"), True),
        ('principal in User::"ana@acme.example"', Caller(application="bot"), False),
    ],
)
def test_callers_are_who_policies_speak_of(scope: str, caller: Caller, allowed: bool) -> None:
    who = guard(content(f'permit ({scope}, action == Action::"call", resource);'))
    assert ask(who, caller).allowed is allowed


def test_attributes_that_do_not_have_their_declared_type_are_not_there() -> None:
    cedar = (
        'permit (principal, action == Action::"call", resource) '
        "when { principal.attributes has level && principal.attributes.level >= 3 };"
    )
    who = guard(content(cedar, attributes={"level": "long"}))
    for level, allowed in ((3, True), (2, False), ("3", False), (True, False)):
        assert ask(who, changed(ANA, attributes=(("level", level),))).allowed is allowed, level
    assert not ask(who, changed(ANA, attributes=())).allowed


def test_the_hour_is_the_tenants_and_answers_do_not_outlive_it() -> None:
    who = guard(
        content(
            'permit (principal, action == Action::"call", resource) when { context.hour >= 8 && context.hour < 18 };'
        ),
        zone="Europe/Vienna",
    )
    vienna = ZoneInfo("Europe/Vienna")
    for hour, minute, allowed in ((7, 59, False), (8, 0, True), (17, 59, True), (18, 0, False), (8, 30, True)):
        moment = to_ns(datetime(2026, 11, 23, hour, minute, 30, tzinfo=vienna))
        assert ask(who, now_ns=moment).allowed is allowed, (hour, minute)


def test_time_goes_by_the_wall_also_while_clocks_are_put_back() -> None:
    who = guard(
        content('permit (principal, action == Action::"call", resource) when { context.hour == 2 };'),
        zone="Europe/Vienna",
    )
    start = to_ns(datetime(2026, 10, 25, 0, 0, tzinfo=UTC))
    found = [ask(who, now_ns=start + minute * 60 * 10**9).allowed for minute in range(-60, 180, 15)]
    assert found == [False] * 4 + [True] * 8 + [False] * 4


def test_days_and_minutes_are_looked_at_where_a_policy_names_them() -> None:
    who = guard(content("permit (principal, action, resource) when { context.weekday <= 5 && context.minute < 30 };"))
    assert ask(who, now_ns=NOON).allowed
    assert not ask(who, now_ns=NOON + 30 * 60 * 10**9).allowed
    assert not ask(who, now_ns=NOON - 24 * 3600 * 10**9).allowed
    dated = guard(content('permit (principal, action, resource) when { context.date == "2026-11-23" };'))
    assert ask(dated, now_ns=NOON).allowed
    assert not ask(dated, now_ns=NOON + 12 * 3600 * 10**9).allowed


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.0.0.1", False),
        ("fe80::1%eth0", False),
        (None, False),
        ("nonsense", False),
    ],
)
def test_networks_are_those_of_the_caller(address: str | None, allowed: bool) -> None:
    who = guard(content('permit (principal, action, resource) when { context.network.isInRange(ip("10.0.0.0/8")) };'))
    assert ask(who, address=address).allowed is allowed


def test_what_an_approval_would_change_is_said() -> None:
    who = guard(content('permit (principal, action == Action::"call", resource) when { context.approved };'))
    assert ask(who) == Decision(False, ("p0",), (APPROVAL,), "no_permit")
    assert ask(who, approvals=frozenset({"a"}), approved=True).allowed
    assert not ask(who).allowed, "answers with and without an approval are kept apart"
    forbidden = guard(content(ALL, "forbid (principal, action, resource) unless { context.approved };"))
    assert ask(forbidden).missing == (APPROVAL,)
    never = guard(
        content(
            "forbid (principal, action, resource);",
            ALL,
            "permit (principal, action, resource) when { context.approved };",
        )
    )
    assert ask(never).missing == ()


def test_the_register_speaks_before_any_policy() -> None:
    prohibited = UseCaseSpec("scoring", "o@x.y", "social scoring", "prohibited")
    ours = UseCaseSpec("reviews", "o@x.y", "code review", departments=("engineering",))
    for given in (content(ALL), Content()):
        who = guard(given, prohibited, ours)
        assert ask(who, use_case="scoring") == Decision(False, ("use_case/scoring",), (), "prohibited")
        assert ask(who, use_case="reviews").reason == "department"
        assert ask(who, changed(ANA, department="engineering"), use_case="reviews").allowed


def test_the_data_class_is_the_use_cases_highest_or_the_default() -> None:
    cedar = "permit (principal, action, resource) when { context.data_class_rank <= 1 };"
    secret = UseCaseSpec("legal", "o@x.y", "contracts", data_classes=("public", "restricted"))
    who = guard(content(cedar), secret)
    assert ask(who).allowed
    assert not ask(who, use_case="legal").allowed
    assert ask(who, use_case="legal", data_class="public").allowed
    assert not ask(guard(content(cedar, default_data_class="confidential"))).allowed


def test_disabled_policies_and_rows_are_not_there() -> None:
    off = Content(
        policies=(PolicySpec("a", ALL, enabled=False),), matrix=(MatrixRow("b", enabled=False),), default="deny"
    )
    assert ask(guard(off)).reason == "no_policies"


def test_only_what_can_concern_a_question_is_evaluated_and_nothing_is_left_out() -> None:
    texts = [
        'permit (principal in Department::"research", action == Action::"call", resource);',
        'permit (principal, action == Action::"call", resource in Model::"gpt-4o") when { context.use_case == "code" };',
        'permit (principal, action == Action::"call", resource) when { principal in [Department::"a", Department::"b"] };',
        'permit (principal, action == Action::"call", resource) when { principal in [Role::"x"] || principal in [User::"u"] };',
        'permit (principal, action == Action::"call", resource) when { context.approved && resource in [Model::"m"] };',
        'permit (principal is User in Department::"c", action, resource is Deployment);',
        'permit (principal, action in [Action::"call", Action::"train"], resource) unless { principal in Role::"y" };',
        'permit (principal, action == Action::"read", resource);',
        'permit (principal, action, resource) when { principal in [Role::"x"] || context.hour > 3 };',
    ]
    compiled = [compile_policy(PolicySpec(f"p{n}", text)) for n, text in enumerate(texts)]
    assert [(p.actions, p.principals, p.resources, p.use_cases) for p in compiled] == [
        (("call",), ("Department::research",), None, None),
        (("call",), None, ("Model::gpt-4o",), ("code",)),
        (("call",), ("Department::a", "Department::b"), None, None),
        (("call",), ("Role::x", "User::u"), None, None),
        (("call",), None, ("Model::m",), None),
        (None, ("Department::c",), None, None),
        (("call", "train"), None, None, None),
        (("read",), None, None, None),
        (None, None, None, None),
    ]
    assert compiled[4].mentions == ("approved",)
    asked = ("User::u", "Department::research"), "call", ("Deployment::d", "Model::gpt-4o")
    for use_case, names in (("code", ["p0", "p1", "p3", "p6", "p8"]), ("", ["p0", "p3", "p6", "p8"])):
        found = PolicyTable(compiled).slice(*asked, use_case)
        assert found is not None
        assert found.names == names
    assert PolicyTable(compiled[:1]).slice(("User::u",), "call", ("Deployment::d",), "") is None


@pytest.mark.parametrize(
    ("condition", "use_cases"),
    [
        ('context.use_case == "a"', ("a",)),
        ('"a" == context.use_case', ("a",)),
        ('["a", "b"].contains(context.use_case)', ("a", "b")),
        ('context.hour > 3 && (context.use_case == "a" || ["b"].contains(context.use_case))', ("a", "b")),
        ('context.use_case == ""', ("",)),
        ('context.use_case == "a" || context.hour > 3', None),
        ('!(context.use_case == "a")', None),
        ('context.use_case != "a"', None),
        ('context.use_case like "a*"', None),
        ("[context.data_class].contains(context.use_case)", None),
    ],
)
def test_a_policy_concerns_the_use_cases_that_it_insists_on(condition: str, use_cases: tuple[str, ...] | None) -> None:
    text = f"permit (principal, action, resource) when {{ {condition} }};"
    assert compile_policy(PolicySpec("p", text)).use_cases == use_cases
    assert compile_policy(PolicySpec("p", text.replace("when", "unless"))).use_cases is None


def test_policies_that_concern_everybody_are_named_rightly_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are parsed beforehand, and what is added to them is numbered after them."""
    wide = [f"permit (principal, action, resource) when {{ context.hour == {hour} }};" for hour in range(12)]
    own = ['permit (principal in Department::"research", action, resource);', "forbid (principal, action, resource)"]
    texts = [own[0], *wide, f'{own[1]} when {{ context.use_case == "no" }};']
    who = guard(content(*texts))
    for prepared in (False, True):
        if prepared:
            monkeypatch.setattr(tables, "MANY", 0)
            who = guard(content(*texts))
            who.table.prepare()
            assert who.table._wide_parsed is not None
        assert ask(who, now_ns=NOON - 3600 * 10**9).policies == ("p0", "p12")
        assert ask(who, changed(ANA, department=None), now_ns=NOON - 2 * 3600 * 10**9).policies == ("p11",)
        assert ask(who, changed(ANA, department=None), now_ns=NOON).reason == "no_permit"
        assert ask(who, use_case="no", now_ns=NOON).policies == ("p13",)
        assert ask(who, action="read", now_ns=NOON - 3600 * 10**9).policies == ("p0", "p12")


def test_what_was_asked_before_a_change_is_parsed_before_it_takes_effect() -> None:
    before, after = (
        PolicyTable(compile_content(content(*texts)).policies)
        for texts in ([ALL, 'permit (principal in Department::"b", action, resource);'], [ALL])
    )
    questions = [(("User::u", f"Department::{name}"), "call", ("Deployment::d",), "") for name in "ab"]
    for question in questions:
        before.slice(*question)
    assert before.asked() == questions[::-1]
    after.prepare(before.asked())
    assert after.kinds == 1, "both questions are of one kind now"
    assert after.slice(*questions[0]) is after.slice(*questions[1])


def test_what_the_engine_no_longer_reads_denies_what_it_concerns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MANY", 0)
    compiled = compile_content(content(*[ALL] * 12)).policies
    broken = [*compiled, msgspec.structs.replace(compiled[0], name="bad", text="permit (")]
    for policies in (broken, broken[-1:]):
        who = guard(Content()).with_table(PolicyTable(policies))
        who.has_policies = True
        who.table.prepare()
        assert ask(who) == Decision(allowed=False, reason="error")


def test_slices_and_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_PARSED", 20)
    texts = [f'permit (principal in Department::"d{n}", action, resource);' for n in range(6)]
    table = PolicyTable(compile_content(content(*texts)).policies)
    for number in range(1, 64):
        made = table.slice([f"Department::d{bit}" for bit in range(6) if number >> bit & 1], "call", (), "")
        kept = table._slices.values()
        assert made in kept
        assert sum(len(slice_.names) for slice_ in kept) <= 20
    who = guard(content('permit (principal, action, resource) when { context.use_case == "x" };'))
    for number in range(200):
        assert not ask(who, use_case=f"u{number}").allowed
    assert ask(who, use_case="x").allowed


def test_what_nests_too_deeply_to_be_looked_into_is_asked_always() -> None:
    deep = "permit (principal, action, resource) when { " + " && ".join(["context.hour < 24"] * 150) + " };"
    compiled = compile_policy(PolicySpec("deep", deep))
    assert (compiled.actions, compiled.principals, compiled.mentions) == (None, None, ("hour",))
    assert ask(guard(content(deep)), now_ns=NOON).allowed
    assert ask(guard(content(deep)), resource=HOME, now_ns=NOON).allowed
    assert CLOUD != HOME
