"""Canonical JSON, against another implementation of RFC 8785, for everything that records hold."""

import json
from typing import Any

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.canonical import canonical_json, canonical_text
from enfilade.core.events import Event
from tests.support.properties import examples

LARGEST = 2**53 - 1
text = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.text(st.characters(max_codepoint=127), max_size=12)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-LARGEST, LARGEST), text),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=30,
)


@given(values)
@examples(250)
def test_records_are_written_as_rfc_8785_says(value: Any) -> None:
    expected = rfc8785.dumps(value)

    assert canonical_json(value) == expected
    assert canonical_text(value) == expected.decode()
    assert json.loads(expected) == value


@given(st.dictionaries(keys, values, min_size=2, max_size=6))
@examples(200)
def test_the_order_in_which_names_came_does_not_matter(value: dict[str, Any]) -> None:
    backwards = dict(reversed(value.items()))

    assert canonical_json(backwards) == canonical_json(value)


@given(st.dictionaries(keys, values, max_size=5), text, st.integers(0, 4 * 10**18))
@examples(200)
def test_the_body_of_an_event_is_canonical(data: dict[str, Any], actor: str, at_ns: int) -> None:
    body = Event("SomethingHappened", "t", at_ns, actor, data).body()

    assert body.encode() == rfc8785.dumps(json.loads(body))
    assert json.loads(body)["data"] == data
