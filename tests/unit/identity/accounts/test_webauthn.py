"""Security keys: what is accepted, what is refused, and that the reference implementation agrees."""

from collections.abc import Callable
from typing import Any

import pytest
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers.exceptions import WebAuthnException

from enfilade.identity.accounts.cbor import decode_first
from enfilade.identity.accounts.errors import AuthenticatorRefused
from enfilade.identity.accounts.webauthn import (
    Credential,
    RelyingParty,
    authentication_options,
    registration_options,
    verify_authentication,
    verify_registration,
)
from tests.support.authenticator import PRESENT, VERIFIED, Authenticator, cbor, encode

NONCE = bytes(range(32))
PARTY = RelyingParty.at("https://ai.example.com")
USER = ("01a19c21-7200-7000-8000-000000000001", "ana@acme.example", "Ana")
ORIGIN = "https://ai.example.com"


def register(key: Authenticator) -> Credential:
    answer = key.create(registration_options(PARTY, NONCE, USER, []))
    return verify_registration(PARTY, NONCE, answer)


def sign(key: Authenticator) -> dict[str, Any]:
    return key.get(authentication_options(PARTY, NONCE, [key.credential_id]))


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_a_key_is_registered_and_signs_as_the_reference_implementation_has_it(algorithm: int) -> None:
    key = Authenticator(algorithm, ORIGIN)
    answer = key.create(registration_options(PARTY, NONCE, USER, []))
    credential = verify_registration(PARTY, NONCE, answer)
    theirs = verify_registration_response(
        credential=answer,
        expected_challenge=NONCE,
        expected_rp_id="ai.example.com",
        expected_origin=ORIGIN,
        require_user_verification=True,
    )
    assert (credential.id, credential.public_key) == (theirs.credential_id, theirs.credential_public_key)
    key.count = 5
    signed = sign(key)
    assert verify_authentication(PARTY, NONCE, signed, [credential]) == (credential, 5)
    reference = verify_authentication_response(
        credential=signed,
        expected_challenge=NONCE,
        expected_rp_id="ai.example.com",
        expected_origin=ORIGIN,
        credential_public_key=credential.public_key,
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    assert reference.new_sign_count == 5


LIES: dict[str, Callable[[Authenticator], None]] = {
    "another page": lambda key: setattr(key, "origin", "https://ai.example.com.evil.example"),
    "a longer port": lambda key: setattr(key, "origin", "https://ai.example.com:8443"),
    "another address": lambda key: setattr(key, "rp_id", "evil.example"),
    "another challenge": lambda key: setattr(key, "challenge", encode(bytes(32))),
    "another question": lambda key: setattr(key, "kind", "payment.get"),
    "nobody there": lambda key: setattr(key, "flags", VERIFIED),
    "nobody verified": lambda key: setattr(key, "flags", PRESENT),
    "a copy that is no copy": lambda key: setattr(key, "flags", PRESENT | VERIFIED | 0x10),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_does_not_fit_is_refused_as_the_reference_implementation_does(lie: str) -> None:
    key = Authenticator(origin=ORIGIN)
    credential = register(key)
    LIES[lie](key)
    signed = sign(key)
    with pytest.raises(AuthenticatorRefused):
        verify_authentication(PARTY, NONCE, signed, [credential])
    with pytest.raises(WebAuthnException):
        verify_authentication_response(
            credential=signed,
            expected_challenge=NONCE,
            expected_rp_id="ai.example.com",
            expected_origin=ORIGIN,
            credential_public_key=credential.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    made = key.create(registration_options(PARTY, NONCE, USER, []))
    with pytest.raises(AuthenticatorRefused):
        verify_registration(PARTY, NONCE, made)
    with pytest.raises(WebAuthnException):
        verify_registration_response(
            credential=made,
            expected_challenge=NONCE,
            expected_rp_id="ai.example.com",
            expected_origin=ORIGIN,
            require_user_verification=True,
        )


@pytest.mark.parametrize(("stored", "shown"), [(5, 5), (5, 4), (5, 0)])
def test_a_counter_that_does_not_rise_is_a_copys(stored: int, shown: int) -> None:
    key = Authenticator(origin=ORIGIN)
    made = register(key)
    credential = Credential(made.id, made.public_key, stored)
    key.count = shown
    with pytest.raises(AuthenticatorRefused, match="counter"):
        verify_authentication(PARTY, NONCE, sign(key), [credential])


def test_a_key_without_a_counter_may_be_used_again() -> None:
    key = Authenticator(origin=ORIGIN)
    credential = register(key)
    assert verify_authentication(PARTY, NONCE, sign(key), [credential]) == (credential, 0)


def test_of_several_keys_the_one_that_signed_is_told_and_a_strangers_is_refused() -> None:
    ours, other = Authenticator(origin=ORIGIN), Authenticator(origin=ORIGIN, credential_id=b"o" * 20)
    known = [register(ours), register(other)]
    assert verify_authentication(PARTY, NONCE, sign(other), known)[0] == known[1]
    stranger = Authenticator(origin=ORIGIN, credential_id=b"s" * 20)
    with pytest.raises(AuthenticatorRefused):
        verify_authentication(PARTY, NONCE, sign(stranger), known)
    # The name of ours, signed by a key of their own.
    stranger.credential_id = ours.credential_id
    with pytest.raises(AuthenticatorRefused, match="signature"):
        verify_authentication(PARTY, NONCE, sign(stranger), known)


def test_without_a_public_address_only_this_machines_own_pages_fit() -> None:
    party = RelyingParty.at(None)
    assert party.id == "localhost"
    assert party.is_origin("http://localhost:8080")
    assert not party.is_origin("http://localhost:8080.evil.example")
    assert not party.is_origin("http://127.0.0.1:8080")
    assert not party.is_origin(None)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"type": "public-key"},
        {"type": "public-key", "id": "AA", "response": []},
        {"type": "public-key", "id": "AA", "response": {"clientDataJSON": 5}},
        {"type": "public-key", "id": "AA", "response": {"clientDataJSON": "!!"}},
        {"type": "public-key", "id": "AA", "response": {"clientDataJSON": encode(b"[1]"), "attestationObject": "AA"}},
        {"type": "public-key", "id": "A" * 20_000, "response": {"clientDataJSON": "A" * 20_000}},
    ],
)
def test_what_is_no_answer_at_all_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(AuthenticatorRefused):
        verify_registration(PARTY, NONCE, answer)
    with pytest.raises(AuthenticatorRefused):
        verify_authentication(PARTY, NONCE, answer, [Credential(b"x", b"y", 0)])


@pytest.mark.parametrize(
    "public_key",
    [
        b"",
        cbor({1: 2}),
        cbor({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)}),
        cbor({1: 2, 3: -257, -1: 1, -2: bytes(32), -3: bytes(32)}),
        cbor({1: 3, 3: -257, -1: (3).to_bytes(1, "big"), -2: b"\x03"}),
        cbor({1: 1, 3: -8, -1: 6, -2: b"short"}),
        cbor({1: 2, 3: -7, -1: 1, -2: "text", -3: 7}),
    ],
)
def test_a_public_key_that_is_none_is_refused(public_key: bytes) -> None:
    key = Authenticator(origin=ORIGIN)
    with pytest.raises(AuthenticatorRefused):
        verify_authentication(PARTY, NONCE, sign(key), [Credential(key.credential_id, public_key, 0)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81" * 20,
        b"\x9f\xff",
        b"\xa2\x01\x02\x01\x03",
        b"\x5a\xff\xff\xff\xff",
        b"\xbb" + b"\xff" * 8,
        b"\xf9\x00\x00",
        b"\xc0\x00",
        b"\xa1\x80\x01",
        b"\x62\xff\xff",
    ],
    ids=["empty", "deep", "indefinite", "twice", "long", "huge", "float", "tag", "list as a name", "no text"],
)
def test_cbor_that_no_authenticator_writes_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"CBOR|authenticator"):
        decode_first(data)


def test_cbor_is_read_and_its_length_told() -> None:
    written = cbor({1: 2, -7: b"bytes", "text": "é"})
    assert decode_first(written + b"rest") == ({1: 2, -7: b"bytes", "text": "é"}, len(written))
