"""Nothing that a provider sends breaks the reading."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.members.gemini_generate.codec import CODEC
from tests.support.properties import examples
from tests.unit.dialects.gemini.wires import UPSTREAM, collected, completion, events, reply


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"error":{"code":500}}', b"\xff", b'{"candidates":1}']
)
def test_what_is_no_reply_cannot_be_read(body: bytes) -> None:
    with pytest.raises(UnreadableReply):
        CODEC.read(body, UPSTREAM)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
RICH = reply(
    {"text": "a", "thought": True, "thoughtSignature": "x"},
    {"functionCall": {"name": "f", "args": {"a": 1}}},
    {
        "functionCall": {
            "name": "g",
            "partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "x"}],
            "willContinue": True,
        }
    },
    {"inlineData": {"mimeType": "image/png", "data": "A"}},
    {"executableCode": {"code": "1"}},
    usageMetadata={"promptTokenCount": 1, "candidatesTokenCount": 2},
    candidate={
        "groundingMetadata": {
            "groundingChunks": [{"web": {"uri": "u", "title": "t"}}],
            "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 1}, "groundingChunkIndices": [0]}],
        },
        "citationMetadata": {"citations": [{"uri": "u", "startIndex": 1, "endIndex": 2}]},
        "logprobsResult": {"chosenCandidates": [{"token": "a"}], "topCandidates": [{"candidates": [{"token": "a"}]}]},
    },
)


def places(value: Any) -> Any:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries):
        yield value, key
        yield from places(inner)


@examples(200)
@given(junk=JSON, data=st.data())
def test_nothing_that_comes_raises_anything_but_that_it_cannot_be_read(junk: Any, data: st.DataObject) -> None:
    body = json.loads(json.dumps(RICH))
    holder, key = data.draw(st.sampled_from(list(places(body))))
    holder[key] = junk
    for read in (completion, lambda chunk: collected(events(chunk, reply({"text": "z"})))):
        try:
            read(body)
        except UnreadableReply:
            continue
