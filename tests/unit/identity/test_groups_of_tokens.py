"""Which groups of a token are of interest."""

from datetime import UTC, datetime
from typing import Any

import pytest

from enfilade.identity.errors import InvalidSpecification
from enfilade.identity.tokens.arrivals import MAX_GROUPS, groups_in
from enfilade.identity.tokens.issuers import checked_issuer
from enfilade.identity.tokens.types import MAX_GROUP, Issuer, IssuerSettings, IssuerSpec

LONGEST = "g" * MAX_GROUP


@pytest.mark.parametrize(
    ("claimed", "found"),
    [
        (["staff", "others"], ("staff",)),
        ("staff", ("staff",)),
        ([LONGEST, LONGEST + "g"], (LONGEST,)),
        (["others"] * MAX_GROUPS + ["staff"], ()),
        ([["staff"], {"staff": 1}, 7, None], ()),
        (None, ()),
    ],
)
def test_groups_that_give_a_role_are_kept_and_no_others(claimed: Any, found: tuple[str, ...]) -> None:
    assert groups_in(_issuer("staff", LONGEST, LONGEST + "g"), {"groups": claimed}) == found


@pytest.mark.parametrize("name", ["", LONGEST + "g"])
def test_a_mapping_names_groups_that_tokens_can_name(name: str) -> None:
    with pytest.raises(InvalidSpecification, match="group's name"):
        checked_issuer(_issuer(name).spec)


def _issuer(*groups: str) -> Issuer:
    settings = IssuerSettings(audiences=("api",), roles=dict.fromkeys(groups, ("developer",)))
    spec = IssuerSpec("login", "https://login.example.com", settings)
    return Issuer("issuer", "tenant", spec, 1, datetime(2026, 1, 1, tzinfo=UTC))
