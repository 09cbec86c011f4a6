"""Flaws are told by the server's minor release, wherever the driver keeps it."""

import pytest
from asyncpg.serverversion import split_server_version_string

from enfilade.storage.server_flaws import flaws_of, release_of


class Connected:
    """A connection to a server that calls itself so."""

    def __init__(self, version: str) -> None:
        self._version = version

    def get_server_version(self) -> tuple[int, int, int, str, int]:
        return split_server_version_string(self._version)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("15.14 (Debian 15.14-1)", []),
        ("15.8", ["CVE-2024-10976", "CVE-2024-10978", "CVE-2025-8713"]),
        ("16.10", []),
        ("17.5", ["CVE-2025-8713"]),
        ("18.0", []),
    ],
)
def test_a_server_has_the_flaws_of_its_minor_release(version: str, names: list[str]) -> None:
    assert [flaw.name for flaw in flaws_of(*release_of(Connected(version)))] == names
