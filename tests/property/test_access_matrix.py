"""The matrix reads back from Cedar as what it was, and Cedar decides as a plain reading of the rows does."""

from fnmatch import fnmatchcase

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from enfilade.access.compiled import compile_content
from enfilade.access.content import Content, MatrixRow, check_form
from enfilade.access.decisions import TenantAccess
from enfilade.access.matrix import normal_row, rows_as_cedar, rows_from_cedar
from enfilade.access.table import PolicyTable
from enfilade.access.types import DATA_CLASSES, RANK, Caller, Circumstances, Resource, ResourceKind
from enfilade.identity.rows import MODEL_PATTERN, NAME
from tests.support.properties import examples

DEPARTMENTS, APPLICATIONS, ROLES = ("research", "sales"), ("bot", "desk"), ("admin", "developer")
USERS, MODELS, USE_CASES = ("ana@x.y", "ben@x.y"), ("gpt-4o", "gpt-4o-mini", "opus"), ("code", "writing")
PATTERNS = (*MODELS, "gpt-*", "*", "o*s", "*mini")


def some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Some of these, in any order."""
    return st.lists(st.sampled_from(values), max_size=3).map(tuple)


small_rows = st.builds(
    MatrixRow,
    name=st.just("row"),
    departments=some(DEPARTMENTS),
    applications=some(APPLICATIONS),
    roles=some(ROLES),
    users=some(USERS),
    models=some(PATTERNS),
    use_cases=some(USE_CASES),
    data_class=st.sampled_from(DATA_CLASSES),
    approval=st.booleans(),
    enabled=st.booleans(),
)
names = st.lists(st.from_regex(NAME, fullmatch=True), max_size=4).map(tuple)
odd_names = st.lists(
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp")), max_size=20), max_size=4
).map(tuple)
any_rows = st.builds(
    MatrixRow,
    name=st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True),
    departments=names,
    applications=odd_names,
    roles=names,
    users=odd_names,
    models=st.lists(st.from_regex(MODEL_PATTERN, fullmatch=True), max_size=5).map(tuple),
    use_cases=odd_names,
    data_class=st.sampled_from(DATA_CLASSES),
    approval=st.booleans(),
    description=st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp")), max_size=40),
    visible=st.booleans(),
    enabled=st.booleans(),
)
callers = st.builds(
    Caller,
    user=st.none() | st.sampled_from(USERS),
    application=st.none() | st.sampled_from(APPLICATIONS),
    key=st.just("key"),
    department=st.none() | st.sampled_from(DEPARTMENTS),
    roles=st.frozensets(st.sampled_from(ROLES)),
)
questions = st.tuples(
    callers,
    st.sampled_from(MODELS),
    st.none() | st.sampled_from((*USE_CASES, "other")),
    st.sampled_from(DATA_CLASSES),
    st.booleans(),
)


def plainly(
    row: MatrixRow, caller: Caller, model: str, use_case: str | None, data_class: str, *, approved: bool
) -> bool:
    """What the row says, read word by word."""
    who = (row.departments, row.applications, row.roles, row.users)
    concerned = not any(who) or (
        caller.department in row.departments
        or caller.application in row.applications
        or any(role in row.roles for role in caller.roles)
        or caller.user in row.users
    )
    return (
        row.enabled
        and concerned
        and (not row.models or any(fnmatchcase(model, pattern) for pattern in row.models))
        and (not row.use_cases or use_case in row.use_cases)
        and RANK[data_class] <= RANK[row.data_class]
        and (approved or not row.approval)
    )


@examples(150)
@given(st.lists(any_rows, max_size=4, unique_by=lambda row: row.name))
def test_rows_read_back_from_cedar_as_they_were(given_rows: list[MatrixRow]) -> None:
    rows = tuple(normal_row(row) for row in given_rows)
    check_form(Content(matrix=rows))
    text = rows_as_cedar(rows)
    assert rows_from_cedar(text) == rows
    assert rows_as_cedar(rows_from_cedar(text)) == text


@examples(150)
@given(st.lists(small_rows, min_size=1, max_size=5), st.lists(questions, min_size=1, max_size=6))
def test_cedar_decides_as_the_rows_read(
    given_rows: list[MatrixRow], asked: list[tuple[Caller, str, str | None, str, bool]]
) -> None:
    rows = [msgspec.structs.replace(normal_row(row), name=f"r{n}") for n, row in enumerate(given_rows)]
    content = Content(matrix=tuple(rows))
    table = PolicyTable(compile_content(content).policies)
    guard = TenantAccess("t", content, table, {}, "UTC")
    for caller, model, use_case, data_class, approved in asked:
        resource = Resource(ResourceKind.DEPLOYMENT, f"p/{model}", model, "p", "on_premise")
        seat = guard.find_seat(caller) or guard.seat(caller, caller)
        place = guard.find_place(resource) or guard.place(resource, resource)
        approvals = frozenset({"a"}) if approved else frozenset()
        context = Circumstances(use_case, data_class, None, 0, approvals, approved)
        decision = guard.decide(seat, "call", place, context)
        saying_so = {
            f"matrix/{row.name}" for row in rows if plainly(row, caller, model, use_case, data_class, approved=approved)
        }
        if not any(row.enabled for row in rows):
            assert decision.reason == "no_policies"
            continue
        assert decision.allowed == bool(saying_so)
        if saying_so:
            assert set(decision.policies) == saying_so
        would_do = any(plainly(row, caller, model, use_case, data_class, approved=True) for row in rows)
        assert (decision.missing == ("approval",)) == (not saying_so and would_do)
