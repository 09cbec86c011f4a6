"""Kept answers: whose they are, how long they live, how much room they take."""

from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.core.messages import Finish
from enfilade.gateway.cache import ANSWER_BYTES, TENANT_SHARE, GivenAnswer, ReplyCache
from enfilade.gateway.types import Call
from enfilade.identity.types import ApplicationSpec
from tests.unit.gateway.parts import caching, call, principal

JSON = b"application/json"
SPACE = 40_000
SHARE = SPACE // TENANT_SHARE


class Shelf:
    """A cache and answers in it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cache = ReplyCache(self.clock, SPACE)

    def keep(self, question: str, size: int, tenant: str = "acme", **settings: Any) -> bytes:
        """Keep an answer of so many bytes; returns its key."""
        asked = call(principal(application=caching(**settings), name=tenant), user=question)
        key = self.cache.key(asked, "chat")
        assert key is not None
        self.cache.keep(key, asked, GivenAnswer(JSON, b"x" * size, Finish.STOP))
        return key

    def holds(self, key: bytes) -> bool:
        return self.cache.find(key) is not None


def key_of(asked: Call, model: str = "chat") -> bytes | None:
    """The key under which an answer would be kept."""
    return ReplyCache(ManualClock()).key(asked, model)


def test_an_answer_is_given_back_byte_for_byte() -> None:
    shelf = Shelf()
    asked = call(principal(application=caching()))
    key = shelf.cache.key(asked, "chat")
    assert key is not None
    assert shelf.cache.find(key) is None

    shelf.cache.keep(key, asked, GivenAnswer(JSON, b'{"a": "\xc3\xa9"}', Finish.STOP))

    kept = shelf.cache.find(key)
    assert kept is not None
    assert kept.given == GivenAnswer(JSON, b'{"a": "\xc3\xa9"}', Finish.STOP)


@pytest.mark.parametrize("application", [ApplicationSpec("copilot"), caching(0), caching(-5)])
def test_only_applications_that_asked_for_it_have_answers_kept(application: ApplicationSpec) -> None:
    assert key_of(call(principal(application=application))) is None


def test_a_user_without_an_application_has_no_answers_kept() -> None:
    asked = call(principal(application=caching()))
    asked.principal.application = None

    assert key_of(asked) is None


def test_equal_requests_share_an_answer_and_others_do_not() -> None:
    caller = principal(application=caching())
    alike = [call(caller, temperature=0), call(caller, temperature=0)]
    different = [
        call(caller),
        call(caller, temperature=1),
        call(caller, temperature=0, stream=True),
        call(caller, temperature=0, stream=True, stream_options={"include_usage": True}),
        call(caller, temperature=0, messages=[{"role": "user", "content": "Hello "}]),
        call(principal(application=caching(), name="globex"), temperature=0),
        call(principal(application=caching(name="review")), temperature=0),
        call(caller, dialect="anthropic_messages", max_tokens=5),
        call(caller, dialect="openai_embeddings"),
    ]

    assert key_of(alike[0]) == key_of(alike[1])
    keys = [key_of(asked) for asked in (alike[0], *different)]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key_of(alike[0], "chat-2") not in keys


def test_forwarded_headers_are_part_of_the_question() -> None:
    plain, with_header = (call(principal(application=caching())) for _ in range(2))
    with_header.headers = ((b"openai-beta", b"x"),)

    assert key_of(plain) != key_of(with_header)


def test_an_answer_lives_as_long_as_its_application_says() -> None:
    shelf = Shelf()
    short, long = shelf.keep("short", 10, ttl_s=5), shelf.keep("long", 10, ttl_s=50)
    shelf.clock.advance(5)
    assert shelf.holds(short)

    shelf.clock.advance(0.1)

    assert (shelf.holds(short), shelf.holds(long)) == (False, True)
    assert shelf.cache.size == ANSWER_BYTES + 10


def test_the_wall_clock_does_not_matter() -> None:
    shelf = Shelf()
    key = shelf.keep("q", 10, ttl_s=5)
    shelf.clock.jump(10_000)

    assert shelf.holds(key)


def test_a_kept_answer_is_replaced_by_a_newer_one() -> None:
    shelf = Shelf()
    key = shelf.keep("q", 100, ttl_s=5)
    shelf.clock.advance(4)
    shelf.keep("q", 30, ttl_s=5)
    shelf.clock.advance(4)

    assert shelf.holds(key)
    assert shelf.cache.size == ANSWER_BYTES + 30


def test_answers_that_are_too_large_are_not_kept() -> None:
    shelf = Shelf()

    assert not shelf.holds(shelf.keep("for the application", 101, max_bytes=100))
    assert shelf.holds(shelf.keep("just right", 100, max_bytes=100))
    assert not shelf.holds(shelf.keep("for a tenant's share", SHARE - ANSWER_BYTES + 1))
    assert shelf.cache.size == ANSWER_BYTES + 100


def test_the_least_recently_used_answers_of_the_tenant_go_first() -> None:
    shelf = Shelf()
    keys = [shelf.keep(f"q{number}", SHARE // 4 - ANSWER_BYTES) for number in range(4)]
    assert shelf.holds(keys[0])

    newest = shelf.keep("q4", SHARE // 4 - ANSWER_BYTES)

    assert [shelf.holds(key) for key in (*keys, newest)] == [True, False, True, True, True]
    assert shelf.cache.size == SHARE


def test_one_tenant_cannot_push_out_the_answers_of_others() -> None:
    shelf = Shelf()
    others = [shelf.keep("q", 9000, tenant=f"tenant-{number}") for number in range(3)]

    for number in range(50):
        shelf.keep(f"flood {number}", SHARE // 2 - ANSWER_BYTES)

    assert all(shelf.holds(key) for key in others)
    assert shelf.cache.size == 3 * (9000 + ANSWER_BYTES) + SHARE


def test_all_tenants_together_stay_within_the_space() -> None:
    shelf = Shelf()
    for number in range(60):
        shelf.keep(f"q{number}", 1000 + number * 70 % 9000, tenant=f"tenant-{number % 7}")
        assert shelf.cache.size <= SPACE
    shelf.cache.clear()
    assert shelf.cache.size == 0


def test_empty_answers_do_no_harm() -> None:
    shelf = Shelf()
    empty = [shelf.keep(f"empty {number}", 0, ttl_s=5) for number in range(3)]
    full = shelf.keep("full", 10, ttl_s=5)
    assert all(shelf.holds(key) for key in (full, *empty))
    shelf.clock.advance(6)

    assert not any(shelf.holds(key) for key in (full, *empty))
    assert shelf.cache.size == 0


def test_many_small_answers_are_bounded_by_what_keeping_them_takes() -> None:
    shelf = Shelf()

    keys = [shelf.keep(f"tiny {number}", 1) for number in range(100)]

    assert 0 < sum(shelf.holds(key) for key in keys) <= SHARE // ANSWER_BYTES
