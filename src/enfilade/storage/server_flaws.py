"""Flaws of PostgreSQL servers through which row-level security shows or takes more than its policies say.

From the project's security page, https://www.postgresql.org/support/security/. Each is mended in a minor release of every
major version that was maintained then.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Flaw:
    """One flaw: by major version, the minor release that mends it."""

    name: str
    what: str
    mended: dict[int, int]


FLAWS = (
    Flaw(
        "CVE-2023-2455",
        "policies of one role may be applied to another where a function is inlined",
        {15: 3, 14: 8, 13: 11},
    ),
    Flaw("CVE-2023-39418", "MERGE does not enforce policies for SELECT and UPDATE", {15: 4}),
    Flaw(
        "CVE-2024-10976",
        "a plan that is used again may apply the policies of another role below subqueries",
        {17: 1, 16: 5, 15: 9, 14: 14, 13: 17},
    ),
    Flaw(
        "CVE-2024-10978",
        "SET ROLE and SET SESSION AUTHORIZATION may be undone to the wrong role",
        {17: 1, 16: 5, 15: 9, 14: 14, 13: 17},
    ),
    Flaw(
        "CVE-2025-8713",
        "the planner's statistics may tell of rows that a policy hides",
        {17: 6, 16: 10, 15: 14, 14: 19, 13: 22},
    ),
)


def flaws_of(major: int, minor: int) -> list[Flaw]:
    """The known flaws of a server of that version."""
    return [flaw for flaw in FLAWS if minor < flaw.mended.get(major, 0)]


class Serving(Protocol):
    """A connection that knows its server's version."""

    def get_server_version(self) -> tuple[int, int, int, str, int]:
        """Major, minor, micro, release level and serial."""


def release_of(connection: Serving) -> tuple[int, int]:
    """The server's major version and its minor release, which the driver calls micro since PostgreSQL 10."""
    version = connection.get_server_version()
    return version[0], version[2]
