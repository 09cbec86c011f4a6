"""Passwords: which are taken, how they are compared, and that a flood of them does not eat the machine."""

import asyncio

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from enfilade.identity.accounts.errors import SignInBusy, WeakPassword
from enfilade.identity.accounts.passwords import Passwords, check_password

EMAIL = "annabel@initech.example"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.mark.parametrize(
    "password",
    [
        "seven green lamps over the river",
        "x7-Kq2-93-Lm",
        "twelve chars",
        "annabel likes long walks in the rain",
        "пароль из пяти слов",
        "a" * 11 + "bcdefghijk",
    ],
)
def test_a_password_that_is_not_easily_guessed_is_taken(password: str) -> None:
    assert check_password(password, EMAIL)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "elevenchars",
        "x" * 257,
        "aaaaaaaaaaaa",
        "abababababab",
        "abcdefghijkl",
        "123412341234",
        "Password1234",
        "PASSWORDPASSWORD",
        "p4ssw0rd-p4ssw0rd",
        "correct horse battery staple",
        "annabel2026!!",
        "initech-Initech-1",
        "annabel@initech.example",
    ],
)
def test_a_password_that_anybody_would_try_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        check_password(password, EMAIL)


async def test_a_password_matches_its_hash_however_its_characters_are_written() -> None:
    passwords = Passwords(CHEAP)
    hashed = await passwords.hash(check_password("caf\u00e9 au lait, encore", EMAIL))
    assert await passwords.matches(hashed, "cafe\u0301 au lait, encore")
    assert not await passwords.matches(hashed, "cafe au lait, encore")


async def test_nobody_has_a_password_though_one_is_compared() -> None:
    passwords = Passwords(CHEAP)
    assert not await passwords.matches(None, "nobody has this password")
    assert not await passwords.matches("no hash at all", "nobody has this password")


async def test_the_parameters_are_the_recommended_ones_and_weaker_ones_are_noticed() -> None:
    passwords = Passwords()
    hashed = await passwords.hash("seven green lamps over the river")
    found = extract_parameters(hashed)
    assert (found.type, found.time_cost, found.memory_cost) == (Type.ID, 3, 65536)
    assert not passwords.is_weaker(hashed)
    assert passwords.is_weaker(CHEAP.hash("seven green lamps over the river"))


async def test_of_more_than_can_wait_the_last_are_told_to_come_again() -> None:
    passwords = Passwords(CHEAP, waiting=2)
    results = await asyncio.gather(
        *(passwords.matches(None, "whatever it may be") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, SignInBusy) for result in results) == 3
    assert await passwords.matches(None, "whatever it may be") is False
