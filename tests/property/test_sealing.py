"""Whatever is sealed opens to the same bytes in its context, and in no other."""

import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from enfilade.sealing.errors import CannotOpen
from enfilade.sealing.forms import bound_to
from enfilade.sealing.keyring import Key

TEXT = st.text(max_size=40)
CONTEXTS = st.tuples(TEXT, TEXT, st.uuids(), st.integers(1, 2**31), TEXT)
Context = tuple[str, str, uuid.UUID, int, str]


@given(CONTEXTS, st.binary(max_size=500))
def test_what_is_sealed_opens_to_the_same(context: Context, plaintext: bytes) -> None:
    key, purpose = _key(context)
    assert key.open(purpose, key.seal(purpose, plaintext)) == plaintext


@given(CONTEXTS, CONTEXTS, st.binary(max_size=50))
def test_no_two_contexts_open_one_anothers(one: Context, other: Context, plaintext: bytes) -> None:
    assume(one != other)
    (key, purpose), (another, wrong) = _key(one), _key(other)
    with pytest.raises(CannotOpen):
        another.open(wrong, key.seal(purpose, plaintext))


@given(CONTEXTS, st.binary(max_size=200))
def test_bytes_that_nobody_sealed_open_nowhere(context: Context, noise: bytes) -> None:
    key, purpose = _key(context)
    with pytest.raises(CannotOpen):
        key.open(purpose, noise)


@given(st.lists(TEXT, max_size=5), st.lists(TEXT, max_size=5))
def test_only_equal_contexts_have_equal_bytes(one: list[str], other: list[str]) -> None:
    assert (bound_to(*one) == bound_to(*other)) == (one == other)


def _key(context: Context) -> tuple[Key, str]:
    tenant, subject, identifier, version, purpose = context
    return Key(tenant, subject, str(identifier), version, bytes(32)), purpose
