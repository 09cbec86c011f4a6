"""Requests in which anything may stand anywhere: on the way to any dialect they are understood, or refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.errors import InvalidRequest
from enfilade.dialects.registry import load_dialects
from enfilade.dialects.traits import Traits
from enfilade.dialects.translation.passage import Asked, Destination, Translator
from tests.support.properties import examples
from tests.support.rich_requests import RICH, as_body, places, replaced

DIALECTS = load_dialects()
TRANSLATOR = Translator(DIALECTS)
TRAITS = Traits(takes_seals=True, reasoning_field="reasoning")
SPOKEN_AT = {
    path: next(
        dialect
        for dialect in map(DIALECTS.get, DIALECTS.names())
        for known in (dialect.path, *dialect.more_paths)
        if known and known.replace("{model}", "simulated/tools") == path
    )
    for path in RICH
}
WORDS = ("model", "user", "text", "type", "function", "auto", "f", "1", "data:image/png;base64,!", "https://[", "\x00")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 10**30, 2**63, 1e308])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner),
    max_leaves=6,
)


@pytest.mark.parametrize("path", RICH)
@examples(250)
@given(data=st.data())
def test_whatever_a_request_holds_is_translated_or_refused_by_name(path: str, data: st.DataObject) -> None:
    dialect, body = SPOKEN_AT[path], RICH[path]
    for _ in range(data.draw(st.integers(1, 2))):
        body = replaced(body, data.draw(st.sampled_from(list(places(body)))), data.draw(VALUES))
    try:
        request = dialect.parse(as_body(body), path)
        assert dialect.text_bound(request) >= 0
    except InvalidRequest:
        return
    for name in DIALECTS.names():
        target = DIALECTS.get(name)
        if target.operation is not dialect.operation or target.codec is None:
            continue
        asked = Asked(dialect, request, "call", 1, strict=data.draw(st.booleans()))
        to = Destination("some-model", (name,), TRAITS, max_output=data.draw(st.sampled_from([None, 20])))
        to.output_bound = 20
        try:
            passage = TRANSLATOR.open(asked, to)
        except InvalidRequest:
            continue
        assert isinstance(passage.body, bytes)
        assert all(passage.dropped)
