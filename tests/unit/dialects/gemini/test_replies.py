"""What Google answers, in the neutral form: whole, and as it arrives."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.happenings import Began, Ended, Failed, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import Finish, Media, Opaque, Part, Reasoning, Sealed, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.members.gemini_generate.codec import CODEC
from tests.support.properties import examples
from tests.unit.dialects.gemini.wires import UPSTREAM, collected, completion, events, happenings, reply

SIGNED = Sealed("gemini", "c2ln")
FIRST = "gem_0199aaaabbbb_0"
SECOND = "gem_0199aaaabbbb_1"
CASES: list[tuple[list[dict[str, Any]], tuple[Part, ...]]] = [
    ([], ()),
    ([{"text": ""}], ()),
    ([{"text": "Hel"}, {"text": "lo"}], (Text("Hello"),)),
    ([{"text": "a", "thought": True}, {"text": "b", "thought": True}, {"text": "c"}], (Reasoning("ab"), Text("c"))),
    ([{"text": "a"}, {"text": "b", "thought": True}, {"text": "c"}], (Text("a"), Reasoning("b"), Text("c"))),
    (
        [{"text": "a", "thought": True}, {"text": "b", "thought": True, "thoughtSignature": "c2ln"}],
        (Reasoning("ab", SIGNED),),
    ),
    ([{"text": "", "thought": True, "thoughtSignature": "c2ln"}], (Reasoning("", SIGNED),)),
    (
        [{"text": "a"}, {"text": "b", "thoughtSignature": "c2ln"}, {"text": "c"}],
        (Text("a"), Text("b", seal=SIGNED), Text("c")),
    ),
    ([{"text": "a"}, {"text": "", "thoughtSignature": "c2ln"}], (Text("a"), Text("", seal=SIGNED))),
    (
        [
            {"functionCall": {"name": "f", "args": {"a": "é"}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "g"}},
        ],
        (ToolCall(FIRST, "f", '{"a": "\\u00e9"}', seal=SIGNED), ToolCall(SECOND, "g", "{}")),
    ),
    ([{"functionCall": {"id": "own", "name": "f", "args": {}}}], (ToolCall("own", "f", "{}"),)),
    (
        [{"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thoughtSignature": "c2ln"}],
        (Media("image", "image/png", data="AA==", seal=SIGNED),),
    ),
    (
        [{"fileData": {"mimeType": "video/mp4", "fileUri": "gs://a"}}],
        (Media("video", "video/mp4", file_id="gs://a"),),
    ),
    (
        [{"text": "a"}, {"executableCode": {"code": "1"}, "thoughtSignature": "x"}, {"text": "b"}],
        (
            Text("a"),
            Opaque("gemini_generate", "executableCode", {"executableCode": {"code": "1"}, "thoughtSignature": "x"}),
            Text("b"),
        ),
    ),
    ([{"unheardOf": [1]}], (Opaque("gemini_generate", "unheardOf", {"unheardOf": [1]}),)),
    ([{}, {"thoughtSignature": "c2ln"}], (Text("", seal=SIGNED),)),
]


@pytest.mark.parametrize(("parts", "expected"), CASES)
def test_parts_are_the_same_whole_and_streamed(parts: list[dict[str, Any]], expected: tuple[Part, ...]) -> None:
    assert completion(reply(*parts)).parts == expected
    chunks = [reply(part, finish=None) for part in parts] + [reply()]
    assert collected(events(*chunks)).parts == expected


@examples(60)
@given(case=st.sampled_from(CASES), cuts=st.lists(st.integers(0, 5000), max_size=20))
def test_a_stream_may_be_cut_anywhere(case: tuple[list[dict[str, Any]], tuple[Part, ...]], cuts: list[int]) -> None:
    wire = events(*(reply(part, finish=None) for part in case[0]), reply())
    assert happenings(wire, cuts) == happenings(wire)
    unix = wire.replace(b"\r\n", b"\n")
    assert happenings(unix, cuts) == happenings(wire)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", Finish.STOP),
        ("MAX_TOKENS", Finish.LENGTH),
        ("CONTINUATION", Finish.LENGTH),
        *((reason, Finish.CONTENT_FILTER) for reason in ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "SPII")),
        *((reason, Finish.CONTENT_FILTER) for reason in ("PROHIBITED_CONTENT", "MODEL_ARMOR", "IMAGE_SAFETY")),
        *((reason, Finish.CONTENT_FILTER) for reason in ("IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "NO_IMAGE")),
        *((reason, Finish.ERROR) for reason in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "OTHER")),
        *((reason, Finish.ERROR) for reason in ("TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE")),
        ("MALFORMED_RESPONSE", Finish.ERROR),
        ("SOMETHING_NEW", Finish.STOP),
        (1, Finish.STOP),
        (2, Finish.LENGTH),
        (9, Finish.ERROR),
        (10, Finish.CONTENT_FILTER),
        (99, Finish.STOP),
        (-1, Finish.STOP),
    ],
)
def test_every_reason_to_end_is_known(reason: str | int, finish: Finish) -> None:
    body = reply({"text": "a"}, finish=reason)
    assert completion(body).finish is finish
    assert collected(events(body)).finish is finish


def test_a_stop_after_a_call_is_a_call_even_when_it_comes_in_a_later_chunk() -> None:
    chunks = [reply({"functionCall": {"name": "f"}}, finish=None), reply({"text": ""})]
    assert collected(events(*chunks)).finish is Finish.TOOL_CALLS
    assert completion(reply({"functionCall": {"name": "f"}}, finish="MAX_TOKENS")).finish is Finish.LENGTH


@pytest.mark.parametrize("feedback", [{"blockReason": "SAFETY"}, {"blockReason": 1, "blockReasonMessage": "no"}])
def test_a_blocked_prompt_is_filtered(feedback: dict[str, Any]) -> None:
    body = {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 3}, "modelVersion": "g-1"}
    for found in (completion(body), collected(events(body))):
        assert found.finish is Finish.CONTENT_FILTER
        assert found.parts == ()
        assert found.usage == Usage(3)


def test_usage_is_that_of_the_last_chunk_in_our_convention() -> None:
    early = {"promptTokenCount": 9, "candidatesTokenCount": 1}
    last = {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 6,
        "toolUsePromptTokenCount": 7,
        "totalTokenCount": 28,
    }
    chunks = [reply({"text": "a"}, finish=None, usageMetadata=early), reply(usageMetadata=last)]
    assert collected(events(*chunks)).usage == Usage(17, 4, 0, 0, 11, 6)
    assert completion(reply(usageMetadata={"trafficType": "ON_DEMAND"})).usage is None


def test_arguments_may_come_in_pieces() -> None:
    def piece(path: str, more: bool = True, **value: Any) -> dict[str, Any]:
        return {"functionCall": {"partialArgs": [{"jsonPath": path} | value], "willContinue": more}}

    chunks = [
        {"functionCall": {"name": "f", "willContinue": True}, "thoughtSignature": "c2ln"},
        piece("$.place.name", stringValue="Bo", willContinue=True),
        piece("$.place.name", stringValue="nn"),
        piece("$.days[1]", numberValue=2.0),
        piece("$['odd.key']", boolValue=False),
        piece("$.none", nullValue="NULL_VALUE"),
        {"functionCall": {}},
        {"functionCall": {"name": "g", "args": {}}},
    ]
    found = collected(events(*(reply(part, finish=None) for part in chunks), reply()))
    arguments = '{"place":{"name":"Bonn"},"days":[null,2],"odd.key":false,"none":null}'
    assert found.parts == (ToolCall(FIRST, "f", arguments, seal=SIGNED), ToolCall(SECOND, "g", "{}"))
    assert found.finish is Finish.TOOL_CALLS


def test_arguments_that_contradict_one_another_cannot_be_read() -> None:
    call = {"name": "f", "partialArgs": [{"jsonPath": "$.a", "numberValue": 1}, {"jsonPath": "$.a.b"}]}
    with pytest.raises(UnreadableReply):
        happenings(events(reply({"functionCall": call})))
    call = {"name": "f", "partialArgs": [{"jsonPath": "$.a[99999999]", "numberValue": 1}]}
    with pytest.raises(UnreadableReply):
        happenings(events(reply({"functionCall": call})))


def test_ids_are_invented_for_each_call_and_no_longer_than_others_take_them() -> None:
    upstream = type(UPSTREAM)("g", call_id="0199f0f0-0000-7000-8000-00000000000a")
    body = json.dumps(reply(*({"functionCall": {"name": "f"}} for _ in range(12)))).encode()
    ids = [part.id for part in CODEC.read(body, upstream).parts if isinstance(part, ToolCall)]
    assert len(set(ids)) == 12
    assert all(len(entry) <= 40 for entry in ids)


def test_sources_are_citations_of_the_text_with_places_in_characters() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}, {"maps": {}}],
        "groundingSupports": [
            {"segment": {"startIndex": 3, "endIndex": 6, "text": "abc"}, "groundingChunkIndices": [0, 1, 7]}
        ],
    }
    cited = {"citations": [{"uri": "https://b.example", "endIndex": 3}], "citationSources": [{"uri": 3}, 3]}
    body = reply({"text": "€abc"}, candidate={"groundingMetadata": grounding, "citationMetadata": cited})
    expected = (
        {"url": "https://b.example", "start": 0, "end": 1},
        {"url": "https://a.example", "title": "A", "cited_text": "abc", "start": 1, "end": 4},
    )
    assert completion(body).parts == (Text("€abc", citations=expected),)
    chunks = [
        reply({"text": "€a"}, finish=None),
        reply({"text": "bc"}, candidate={"groundingMetadata": grounding, "citationMetadata": cited}),
    ]
    assert collected(events(*chunks)).parts == (Text("€abc", citations=expected),)


def test_probabilities_of_tokens_are_kept_in_order() -> None:
    def result(token: str) -> dict[str, Any]:
        entry = {"token": token, "logProbability": -0.5, "tokenId": 7}
        return {"logprobsResult": {"chosenCandidates": [entry], "topCandidates": [{"candidates": [entry]}]}}

    token = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    expected = token | {"top_logprobs": [token]}
    assert completion(reply({"text": "é"}, candidate=result("é"))).parts == (Text("é", logprobs=(expected,)),)
    chunks = [reply({"text": "é"}, finish=None, candidate=result("é")), reply({"text": "é"}, candidate=result("é"))]
    assert collected(events(*chunks)).parts == (Text("éé", logprobs=(expected, expected)),)


def test_happenings_come_in_their_order() -> None:
    chunks = [
        reply({"text": "Hm", "thought": True}, finish=None),
        reply({"text": "a"}, finish=None, usageMetadata={"promptTokenCount": 1}),
        reply({"functionCall": {"id": "c", "name": "f", "args": {}}}),
    ]
    assert happenings(events(*chunks)) == [
        Began("r1", "g-1"),
        PartBegan(0, Reasoning()),
        PartGrew(0, "Hm"),
        PartEnded(0),
        PartBegan(1, Text("")),
        PartGrew(1, "a"),
        Reported(Usage(1)),
        PartEnded(1),
        PartBegan(2, ToolCall("c", "f", "")),
        PartGrew(2, "{}"),
        PartEnded(2),
        Ended(Finish.TOOL_CALLS),
    ]


def test_a_stream_without_a_reason_to_end_was_cut() -> None:
    wire = events(reply({"text": "a"}, finish=None), reply({"text": "b"}))
    assert not any(isinstance(entry, Ended) for entry in happenings(wire[:-60]))
    assert happenings(wire)[-1] == Ended(Finish.STOP)
    assert happenings(wire[:-4])[-1] == Ended(Finish.STOP), "the last event may lack its blank line"


def test_an_error_inside_a_stream_ends_it() -> None:
    wire = events(reply({"text": "a"}, finish=None), {"error": {"code": 503, "message": "Overloaded"}}, reply())
    found = happenings(wire)
    assert isinstance(found[-1], Failed)
    assert "Overloaded" in found[-1].error
    decoder = CODEC.decoder(UPSTREAM)
    decoder.feed(wire)
    assert decoder.done


def test_other_candidates_are_not_mixed_in() -> None:
    body = reply({"text": "a"})
    body["candidates"].append({"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "MAX_TOKENS"})
    found = completion(body)
    assert found.parts == (Text("a"),)
    assert found.finish is Finish.STOP
