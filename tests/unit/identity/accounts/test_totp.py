"""Codes of apps: of this step or a neighbour, and never twice."""

import pyotp
import pytest

from enfilade.identity.accounts.totp import STEP_S, code_at, find_step, new_secret, uri_of

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW_NS = 1_800_000_015 * 10**9
STEP = NOW_NS // 10**9 // STEP_S


@pytest.mark.parametrize(("distance", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_of_this_step_or_a_neighbour_fits(distance: int, fits: bool) -> None:
    found = find_step(SECRET, code_at(SECRET, STEP + distance), NOW_NS, 0)
    assert found == (STEP + distance if fits else None)


def test_a_code_that_was_taken_and_those_before_it_do_not_fit() -> None:
    assert find_step(SECRET, code_at(SECRET, STEP), NOW_NS, STEP) is None
    assert find_step(SECRET, code_at(SECRET, STEP - 1), NOW_NS, STEP) is None
    assert find_step(SECRET, code_at(SECRET, STEP + 1), NOW_NS, STEP) == STEP + 1


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345", "12345\x00"])
def test_what_is_no_code_does_not_fit(code: str) -> None:
    assert find_step(SECRET, code, NOW_NS, 0) is None


def test_spaces_do_not_matter() -> None:
    code = code_at(SECRET, STEP)
    assert find_step(SECRET, f" {code[:3]} {code[3:]} ", NOW_NS, 0) == STEP


def test_an_app_makes_the_same_codes_from_what_it_reads() -> None:
    secret = new_secret()
    app = pyotp.parse_uri(uri_of(secret, "ana@acme.example", "acme"))
    assert isinstance(app, pyotp.TOTP)
    assert find_step(secret, app.at(NOW_NS // 10**9), NOW_NS, 0) == STEP
    assert (app.issuer, app.name) == ("Enfilade", "acme:ana@acme.example")
