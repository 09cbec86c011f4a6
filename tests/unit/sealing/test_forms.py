"""What is sealed opens in its own context alone; what was altered opens in none."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enfilade.sealing.cipher import MessageCipher
from enfilade.sealing.errors import CannotOpen, ContentErased
from enfilade.sealing.forms import bound_to, is_old, reference_of
from enfilade.sealing.keyring import Key, Keyring, TenantKeys
from enfilade.sealing.old_form import OldForm
from enfilade.sealing.prepared import Prepared

TENANT, OTHER = "00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"
ANA, BEN = "00000000-0000-7000-8000-0000000000a1", "00000000-0000-7000-8000-0000000000b1"
FIRST, SECOND = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
SECRET = bytes(32)
NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"


@pytest.mark.parametrize(
    ("key", "associated", "ciphertext"),
    [
        (1, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (3, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ],
    ids=["no mask to reduce", "with associated data"],
)
def test_messages_are_sealed_as_the_published_vectors_say(key: int, associated: bytes, ciphertext: str) -> None:
    cipher = MessageCipher(bytes([key]) * 32)
    assert cipher.encrypt_with(NONCE, b"XAES-256-GCM", associated).hex() == ciphertext
    assert cipher.decrypt(NONCE + bytes.fromhex(ciphertext), associated) == b"XAES-256-GCM"


def test_the_same_message_is_never_sealed_twice_the_same() -> None:
    key = Key(TENANT, None, FIRST, 1, SECRET)
    assert len({key.seal("purpose", b"text") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("key", "purpose"),
    [
        pytest.param(Key(OTHER, ANA, FIRST, 1, SECRET), "purpose", id="another tenant"),
        pytest.param(Key(TENANT, BEN, FIRST, 1, SECRET), "purpose", id="another subject"),
        pytest.param(Key(TENANT, None, FIRST, 1, SECRET), "purpose", id="the tenant itself"),
        pytest.param(Key(TENANT, ANA, SECOND, 1, SECRET), "purpose", id="another key id"),
        pytest.param(Key(TENANT, ANA, FIRST, 2, SECRET), "purpose", id="another version"),
        pytest.param(Key(TENANT, ANA, FIRST, 1, b"\x01" * 32), "purpose", id="another key"),
        pytest.param(Key(TENANT, ANA, FIRST, 1, SECRET), "purposes", id="another purpose"),
        pytest.param(Key(TENANT, ANA, FIRST, 1, SECRET), "", id="no purpose"),
    ],
)
def test_what_is_sealed_opens_in_its_own_context_alone(key: Key, purpose: str) -> None:
    sealed = Key(TENANT, ANA, FIRST, 1, SECRET).seal("purpose", b"a secret")
    with pytest.raises(CannotOpen, match="cannot be opened") as caught:
        key.open(purpose, sealed)
    assert "a secret" not in caught.value.message


def test_a_forged_header_does_not_open_under_the_key_that_it_names() -> None:
    ana, ben = Key(TENANT, ANA, FIRST, 1, SECRET), Key(TENANT, BEN, SECOND, 1, SECRET)
    sealed = ana.seal("purpose", b"a secret")
    forged = ben.seal("purpose", b"")[:21] + sealed[21:]
    assert reference_of(forged, "purpose").key == SECOND
    with pytest.raises(CannotOpen):
        ben.open("purpose", forged)


def test_every_flipped_bit_and_every_truncation_is_noticed() -> None:
    key = Key(TENANT, None, FIRST, 1, SECRET)
    sealed = key.seal("purpose", b"x")
    altered = [sealed[:length] for length in range(len(sealed))] + [sealed + b"\x00"]
    altered += [
        sealed[:place] + bytes([sealed[place] ^ 1 << bit]) + sealed[place + 1 :]
        for place in range(len(sealed))
        for bit in range(8)
    ]
    for one in altered:
        with pytest.raises(CannotOpen):
            key.open("purpose", one)


def test_contexts_are_told_apart_wherever_their_parts_end() -> None:
    assert bound_to("ab", "c") != bound_to("a", "bc")
    assert bound_to("ab", "") != bound_to("ab")


def test_the_old_form_opens_under_either_master_key_and_under_no_other() -> None:
    sealed = b"\x01" + bytes(12) + _old(bytes(32), b"purpose", b"former")
    assert is_old(sealed)
    assert OldForm([b"\x01" * 32, bytes(32)]).open(sealed, "purpose") == b"former"
    for keys, purpose in (([b"\x01" * 32], "purpose"), ([], "purpose"), ([bytes(32)], "other")):
        with pytest.raises(CannotOpen):
            OldForm(keys).open(sealed, purpose)
    with pytest.raises(CannotOpen):
        OldForm([bytes(32)]).open(b"\x01short", "purpose")


def test_what_was_erased_is_told_apart_from_what_was_altered() -> None:
    key = Key(TENANT, ANA, FIRST, 1, SECRET)
    sealed = key.seal("purpose", b"gone")
    prepared = Prepared(TENANT, key, {}, frozenset({FIRST}), OldForm(()))
    for gone in (sealed, b""):
        with pytest.raises(ContentErased):
            prepared.open("purpose", gone)
    with pytest.raises(CannotOpen):
        Prepared(TENANT, key, {}, frozenset(), OldForm(())).open("purpose", sealed)


def test_a_fingerprint_is_the_same_for_the_same_secret_purpose_and_key_only() -> None:
    key = Key(TENANT, None, FIRST, 1, SECRET)
    same = key.fingerprint("one", b"secret")
    assert key.fingerprint("one", b"secret") == same
    others = (
        key.fingerprint("two", b"secret"),
        key.fingerprint("one", b"secrets"),
        Key(TENANT, None, FIRST, 1, b"\x01" * 32).fingerprint("one", b"secret"),
    )
    assert same not in others


def test_the_ring_lets_go_of_the_keys_used_least_lately_and_never_of_the_pinned_ones() -> None:
    ring = Keyring(most_tenants=2, most_subjects=2)
    ring.put(_keys("platform"), pinned=True)
    for tenant in ("a", "b"):
        ring.put(_keys(tenant))
    assert ring.tenant("a") is not None
    ring.put(_keys("c"))
    assert [ring.tenant(name) is not None for name in ("platform", "a", "b", "c")] == [True, True, False, True]
    for number in range(4):
        ring.put_subject(Key("a", f"subject-{number}", f"00000000-0000-7000-8000-00000000000{number}", 1, SECRET))
    assert [ring.subject("a", f"subject-{number}") is not None for number in range(4)] == [False, False, True, True]
    ring.drop_tenant("a")
    assert ring.tenant("a") is None
    assert ring.subject("a", "subject-3") is None


def test_no_key_shows_itself() -> None:
    key = Key(TENANT, None, FIRST, 1, b"0123456789abcdef0123456789abcdef")
    assert "0123456789abcdef0123456789abcdef" not in repr((key, _keys("a")))


def _keys(tenant: str) -> TenantKeys:
    key = Key(tenant, None, FIRST, 1, SECRET)
    return TenantKeys(tenant, key, {FIRST: key})


def _old(key: bytes, purpose: bytes, plaintext: bytes) -> bytes:

    return AESGCM(key).encrypt(bytes(12), plaintext, purpose)
