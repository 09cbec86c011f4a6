"""A draft is held against what was called: by what is known of each call, and by nothing that is not."""

from datetime import UTC, datetime

import pytest

from enfilade.access.past import MINUTE, QUARTER, piece_of_time
from enfilade.access.types import Resource
from enfilade.access.what_if import PastUse, WhatIf, replay
from tests.unit.access.policies import ANA, CLOUD, HOME, content, guard

ALL = "permit (principal, action, resource);"
OFFICE = 'context.network.isInRange(ip("10.0.0.0/8"))'
AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def use(*resources: Resource, calls: int = 5, denied: int = 0, approvals: frozenset[str] = frozenset()) -> PastUse:
    """Some calls of Ana's."""
    now_ns = int(AT.timestamp()) * 10**9
    return PastUse(ANA, "call", resources or (CLOUD,), None, now_ns, approvals, calls, denied, AT)


def tried(uses: list[PastUse], *cedar: str, **more: str) -> WhatIf:
    """What the draft would have done to them."""
    return replay(guard(content(*cedar, **more)), uses, is_complete=True)


@pytest.mark.parametrize(
    ("cedar", "default", "outcome"),
    [
        # (newly denied, newly allowed, undecidable) of five calls, one of which was denied
        ([f"permit (principal, action, resource) when {{ {OFFICE} }};"], "deny", (0, 0, 5)),
        ([f"permit (principal, action, resource) when {{ {OFFICE} }};", ALL], "deny", (0, 1, 0)),
        ([ALL, f"forbid (principal, action, resource) unless {{ {OFFICE} }};"], "deny", (0, 0, 5)),
        ([f"forbid (principal, action, resource) unless {{ {OFFICE} }};"], "deny", (4, 0, 0)),
        ([f"forbid (principal, action, resource) unless {{ {OFFICE} }};"], "allow", (0, 0, 5)),
        ([f"permit (principal, action, resource) when {{ {OFFICE} }};"], "allow", (0, 1, 0)),
        (
            ["forbid (principal, action, resource);", f"permit (principal, action, resource) when {{ {OFFICE} }};"],
            "deny",
            (4, 0, 0),
        ),
        ([ALL, f'forbid (principal in Role::"admin", action, resource) unless {{ {OFFICE} }};'], "deny", (0, 1, 0)),
        (
            [ALL, f'forbid (principal, action, resource) when {{ context.use_case == "x" && {OFFICE} }};'],
            "deny",
            (0, 1, 0),
        ),
    ],
)
def test_calls_are_claimed_to_be_decided_only_where_the_network_does_not_matter(
    cedar: list[str], default: str, outcome: tuple[int, int, int]
) -> None:
    found = tried([use(denied=1)], *cedar, default=default)
    assert (found.newly_denied, found.newly_allowed, found.undecidable) == outcome
    assert found.unknown == (("network",) if found.undecidable else ())
    assert (found.calls, found.combinations) == (5, 1)


def test_one_deployment_that_is_surely_allowed_decides() -> None:
    home_or_office = (
        'permit (principal, action, resource) when { resource.zone == "on_premise" };',
        f'permit (principal, action, resource) when {{ resource.zone == "public_cloud" && {OFFICE} }};',
    )
    found = tried([use(CLOUD, HOME, denied=5)], *home_or_office)
    # The second policy cannot be told apart from one about every deployment, so the first deployment is open.
    assert (found.newly_allowed, found.undecidable) == (5, 0)
    assert tried([use(CLOUD)], *home_or_office).undecidable == 5


def test_calls_count_with_the_approvals_of_their_time() -> None:
    needed = "permit (principal, action, resource) when { context.approved };"
    found = tried([use(), use(approvals=frozenset({"a"}), calls=3, denied=3)], needed)
    assert (found.newly_denied, found.newly_allowed) == (5, 3)
    assert [(entry.allowed, entry.calls, entry.decision.missing) for entry in found.differences] == [
        (False, 5, ("approval",)),
        (True, 3, ()),
    ]


def test_calls_are_put_together_within_what_policies_cannot_tell_apart() -> None:
    assert piece_of_time([]) is None
    assert piece_of_time(["hour", "minute"]) is MINUTE
    assert piece_of_time(["weekday"]) is QUARTER
