"""What is in memory of grants, asked at the moments when they begin and end."""

from enfilade.access.approvals.book import ApprovalBook, _add, _Entry
from enfilade.access.approvals.types import Asked, Grant
from enfilade.core.clock import ManualClock
from enfilade.identity.roles.temporary import NEVER_NS

TENANT, ANA, COPILOT = "t", "ana", "copilot"
START, END = 100, 200


def book_of(
    *asked: Asked, user: str | None = ANA, application: str | None = None, key: str | None = None
) -> ApprovalBook:
    book, entry = ApprovalBook(ManualClock()), _Entry()
    for number, each in enumerate(asked):
        grant = Grant(
            str(number), TENANT, "r", user, application, key, each, START, END, START, None, None, None, False
        )
        _add(entry, grant)
    entry.turns.sort()
    book._tenants[TENANT] = entry
    return book


def test_the_first_moment_belongs_to_a_grant_and_the_last_does_not() -> None:
    book = book_of(Asked("model", model="gpt-*"))
    answers = [book.active(TENANT, ANA, None, "gpt-4", None, now) for now in (START - 1, START, END - 1, END)]
    assert [bool(answer) for answer in answers] == [False, True, True, False]
    assert [book.next_turn(TENANT, now) for now in (0, START, END)] == [START, END, NEVER_NS]


def test_a_grant_is_for_its_holder_model_and_use_case_only() -> None:
    book = book_of(Asked("model", model="gpt-*", use_case="it"), Asked("use_case", use_case="hr"))
    ask = book.active
    assert ask(TENANT, ANA, None, "gpt-4", "it", START) == {"0"}
    assert ask(TENANT, ANA, COPILOT, "any", "hr", START) == {"1"}
    for user, model, use_case in (
        (ANA, "gpt-4", None),
        (ANA, "claude", "it"),
        ("ben", "gpt-4", "it"),
        (None, "gpt-4", "it"),
    ):
        assert ask(TENANT, user, None, model, use_case, START) == frozenset()
    assert ask("another", ANA, None, "gpt-4", "it", START) == frozenset()
    of_application = book_of(Asked("model", model="gpt-4"), user=None, application=COPILOT)
    assert of_application.active(TENANT, ANA, COPILOT, "gpt-4", None, START) == {"0"}


def test_a_data_class_is_granted_with_those_below_it_and_says_nothing_of_models() -> None:
    book = book_of(Asked("data_class", use_case="hr", data_class="confidential"), user=None)
    found = {
        name
        for name in ("public", "internal", "confidential", "restricted")
        if book.of_data_class(TENANT, "hr", name, START)
    }
    assert found == {"public", "internal", "confidential"}
    assert book.of_data_class(TENANT, "it", "public", START) == frozenset()
    assert book.of_data_class(TENANT, "hr", "public", END) == frozenset()
    assert book.active(TENANT, ANA, COPILOT, "gpt-4", "hr", START) == frozenset()


def test_roles_and_scopes_are_neither_calls_nor_each_others() -> None:
    book = book_of(Asked("role", role="operator", department="d"))
    now_ns = book._clock.now_ns()
    assert book.roles(TENANT, ANA) == ()
    assert now_ns > END
    assert book.active(TENANT, ANA, None, "gpt-4", None, START) == frozenset()
    assert book_of(Asked("key_scope", scopes=("keys:read",)), key="k").key_scopes(TENANT, "k") == frozenset()
