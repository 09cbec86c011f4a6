"""The language of the simulated models' names."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.providers.errors import UpstreamModelMissing
from enfilade.providers.simulated.script import DIRECTIVES, MAX_SECONDS, MAX_TOKENS, Failure, Script, parse_script
from tests.support.properties import examples

FORMS = {
    "echo": Script(),
    "text-0": Script(tokens=0),
    "text-200": Script(tokens=200),
    "text-9999999": Script(tokens=MAX_TOKENS),
    "tools": Script(tools=True),
    "slow-2s": Script(slow_s=2.0),
    "slow-250ms": Script(slow_s=0.25),
    "slow-1.5s": Script(slow_s=1.5),
    "slow-9999999s": Script(slow_s=MAX_SECONDS),
    "pace-20ms": Script(pace_s=0.02),
    "fail-429": Script(failure=Failure(429)),
    "fail-429-retry-after-2s": Script(failure=Failure(429, None, 2.0)),
    "fail-503-retry-after-500ms": Script(failure=Failure(503, None, 0.5)),
    "fail-503-then-ok": Script(failure=Failure(503, 1)),
    "fail-503-then-ok-2": Script(failure=Failure(503, 2)),
    "fail-429-retry-after-2s-then-ok": Script(failure=Failure(429, 1, 2.0)),
    "flaky-500": Script(flaky=500),
    "cut-after-0": Script(cut_after=0),
    "cut-after-3": Script(cut_after=3),
    "error-after-3": Script(error_after=3),
    "hang": Script(hang_after=0),
    "hang-after-3": Script(hang_after=3),
    "garbage": Script(garbage=True),
    "no-usage": Script(no_usage=True),
    "unreachable": Script(unreachable=True),
    "ignores-max": Script(ignores_max=True),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_directive_is_understood(name: str) -> None:
    assert parse_script(name) == FORMS[name]
    assert parse_script(f"simulated/{name}") == FORMS[name]
    assert parse_script(f"{name}+echo") == FORMS[name]


def test_every_directive_that_the_message_offers_is_one() -> None:
    for directive in DIRECTIVES:
        parse_script(directive.replace("-N", "-3"))


def test_directives_join() -> None:
    joined = parse_script("simulated/text-200+slow-2s+pace-20ms+no-usage")
    assert joined == Script(tokens=200, slow_s=2.0, pace_s=0.02, no_usage=True)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "simulated/",
        "nothing",
        "Echo",
        "echo ",
        "echo+",
        "+echo",
        "echo++echo",
        "text",
        "text-",
        "text--5",
        "text-1e9",
        "text-99999999999",
        "slow-2",
        "slow-2m",
        "slow--2s",
        "slow-infs",
        "fail",
        "fail-42",
        "fail-4290",
        "fail-200",
        "fail-000",
        "fail-999",
        "fail-429-then",
        "fail-429-then-ok-",
        "fail-429-then-ok-100",
        "fail-429-retry-after-2",
        "flaky",
        "flaky-200",
        "cut-after",
        "cut-after-x",
        "hang-3",
        "simulated/simulated/echo",
        "echo/../echo",
        "echo\n",
    ],
)
def test_a_name_that_means_nothing_says_what_would(name: str) -> None:
    with pytest.raises(UpstreamModelMissing) as refusal:
        parse_script(name)
    assert repr(name) in refusal.value.message
    assert all(directive in refusal.value.message for directive in DIRECTIVES)
    assert not refusal.value.may_retry


@examples(300)
@given(st.text(max_size=20) | st.lists(st.sampled_from([*FORMS, "x", ""]), max_size=4).map("+".join))
def test_any_name_is_a_script_or_refused(name: str) -> None:
    with suppress(UpstreamModelMissing):
        assert isinstance(parse_script(name), Script)
