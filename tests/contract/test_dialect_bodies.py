"""Every dialect: requests and whole replies."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.errors import InvalidRequest, MalformedBody
from enfilade.core.messages import Finish, Text, ToolCall
from enfilade.dialects.errors import UnreadableReply
from tests.contract.conftest import SAMPLES
from tests.contract.shapes import DialectSample
from tests.support.properties import examples

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def codec_of(sample: DialectSample) -> Any:
    """The dialect's half of every translation."""
    assert sample.dialect.codec is not None
    return sample.dialect.codec


def body_of(request: Any, **changes: Any) -> bytes:
    """A request as a caller sends it; None takes a field away."""
    fields = {name: value for name, value in (dict(request) | changes).items() if value is not None}
    return json.dumps(fields).encode()


def test_what_is_acted_on_is_read(sample: DialectSample) -> None:
    body = body_of(sample.request)
    request = sample.dialect.parse(body)
    assert request.model == sample.request["model"]
    assert not request.stream
    assert request.size == len(body)
    assert request.media == sample.media
    assert request.choices == 1
    bounds = [sample.request[name] for name in sample.output_fields if name in sample.request]
    assert request.max_output == (min(bounds) if bounds else None)


def test_the_neutral_form_says_the_same(sample: DialectSample) -> None:
    question = codec_of(sample).question(sample.dialect.parse(body_of(sample.request)))
    assert question == sample.question


def test_all_else_goes_upstream_to_the_byte(sample: DialectSample) -> None:
    body = body_of(sample.request)
    sent = sample.dialect.render_request(sample.dialect.parse(body), "up/1", max_output=None)
    was, now = raw_fields(body), raw_fields(sent)
    assert list(now) == list(was)
    assert json.loads(now.pop("model")) == "up/1"
    was.pop("model")
    assert now == was


def test_falsy_values_are_not_lost(sample: DialectSample) -> None:
    body = body_of(sample.plain, temperature=0, top_p=0.0, seed=0, user="", metadata={}, stop_sequences=[])
    sent = sample.dialect.render_request(sample.dialect.parse(body), "up", max_output=None)
    assert json.loads(sent) == json.loads(body) | {"model": "up"}


def test_an_output_bound_replaces_the_callers(sample: DialectSample) -> None:
    for name in sample.output_fields:
        others = dict.fromkeys(sample.output_fields)
        request = sample.dialect.parse(body_of(sample.plain, **(others | {name: 500})))
        assert request.max_output == 500
        sent = json.loads(sample.dialect.render_request(request, "up", max_output=7))
        assert {field: sent.get(field) for field in sample.output_fields} == others | {name: 7}


def test_an_output_bound_is_set_where_the_provider_reads_it(sample: DialectSample) -> None:
    for name in sample.output_fields:
        request = sample.dialect.parse(body_of(sample.plain))
        sent = json.loads(sample.dialect.render_request(request, "up", max_output=7, max_output_field=name))
        present = [field for field in sample.output_fields if field in sample.plain] or [name]
        assert {field: sent[field] for field in sample.output_fields if field in sent} == dict.fromkeys(present, 7)


def test_the_smaller_of_two_output_bounds_counts(sample: DialectSample) -> None:
    if not sample.output_fields:
        assert sample.dialect.parse(body_of(sample.plain)).makes_output is sample.nested_bound
        return
    for low in sample.output_fields:
        given_bounds = dict.fromkeys(sample.output_fields, 90) | {low: 30}
        assert sample.dialect.parse(body_of(sample.plain, **given_bounds)).max_output == 30


def test_the_text_bound_covers_every_text_and_is_no_wider_than_needed(sample: DialectSample) -> None:
    marker = "€" * 1000
    body = json.dumps(sample.plain).replace("Hi", marker).encode()
    bound = sample.dialect.text_bound(sample.dialect.parse(body))
    assert len(marker.encode()) <= bound < len(marker.encode()) + 200


def test_usage_is_asked_of_the_provider_for_every_stream(sample: DialectSample) -> None:
    if not sample.streams:
        return
    for own in ({}, {"stream_options": {"include_usage": False, "kept": 1}}, {"stream_options": None}):
        request = sample.dialect.parse(body_of(sample.plain, stream=True, **own))
        sent = json.loads(sample.dialect.render_request(request, "up", max_output=None))
        for name, expected in sample.asks_for_usage.items():
            assert sent[name].items() >= expected.items()
            assert sent[name].get("kept") == (own.get(name) or {}).get("kept")
        assert sent["stream"] is True


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b'{"model":"a",}', "JSON"),
        (b"{'model':'a'}", "JSON"),
        (b"null", "object"),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b"{} {}", "JSON"),
        (b'{"model":"\xff"}', "UTF-8 (byte 10)"),
        (b'{"model":"\xed\xa0\x80"}', "UTF-8"),
        (b'{"model":"a","temperature":NaN}', "JSON"),
        (b'{"model":"a","temperature":Infinity}', "JSON"),
        (b'{"model":"a","temperature":01}', "JSON"),
        (b'{"model":"a","x":"\n"}', "JSON"),
        (b'{"model":"a","model":"b"}', "'model' twice"),
        (b'{"a_new":1,"b":2,"a_new":3}', "'a_new' twice"),
        (b'{"x":' * 1000 + b"1" + b"}" * 1000, "deep"),
        (b'{"x":' * 100_000, "deep"),
        (b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "deep"),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_a_malformed_body_gets_a_clear_refusal(sample: DialectSample, body: bytes, words: str) -> None:
    with pytest.raises(MalformedBody) as refusal:
        sample.dialect.parse(body)
    assert refusal.value.status == 400
    assert words in refusal.value.message


def test_a_wrong_field_is_named(sample: DialectSample, case: str) -> None:
    changes, code, param = sample.refused[case]
    with pytest.raises(InvalidRequest) as refusal:
        sample.dialect.parse(body_of(sample.plain, **changes))
    assert refusal.value.code == code
    assert refusal.value.param == param
    assert refusal.value.status == 400
    assert str(param) in refusal.value.message


def test_a_field_name_in_disguise_is_the_same_field(sample: DialectSample) -> None:
    body = body_of(sample.plain).replace(b'"model"', b'"mod\\u0065l"')
    request = sample.dialect.parse(body)
    assert request.model == sample.plain["model"]
    assert json.loads(sample.dialect.render_request(request, "up", max_output=None))["model"] == "up"
    with pytest.raises(MalformedBody, match="twice"):
        sample.dialect.parse(body.replace(b"{", b'{"model":"cheap","model":"cheap",', 1))


def test_media_in_disguise_is_counted(sample: DialectSample) -> None:
    if not sample.media:
        return
    body = body_of(sample.request)
    for name in ("image", "document", "input_audio", "file", "inlineData", "fileData"):
        disguised = "".join(f"\\u{ord(letter):04x}" for letter in name)
        body = body.replace(b'"' + name.encode(), b'"' + disguised.encode())
    assert sample.dialect.parse(body).media == sample.media


@examples(300)
@given(junk=JSON, data=st.data())
def test_no_value_of_any_field_breaks_the_reading(junk: Any, data: st.DataObject) -> None:
    sample = SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))]
    request = json.loads(json.dumps(dict(sample.request)))
    spots = list(places(request))
    holder, key = data.draw(st.sampled_from(spots))
    holder[key] = junk
    with suppress(InvalidRequest):
        parsed = sample.dialect.parse(body_of(request))
        sample.dialect.text_bound(parsed)
        sample.dialect.render_request(parsed, "up", max_output=5)
        codec_of(sample).question(parsed)


def test_a_reply_says_what_was_used_and_why_it_ended(sample: DialectSample) -> None:
    facts = sample.dialect.read_reply(json.dumps(sample.reply).encode())
    assert facts.usage == sample.usage
    assert facts.finish is sample.finish
    assert facts.model == sample.reply.get("model", sample.reply.get("modelVersion"))


@pytest.mark.parametrize("usage", [None, {}, {"unheard_of": 1}])
def test_a_reply_without_usage_is_readable_and_reports_none(sample: DialectSample, usage: Any) -> None:
    reply = {name: value for name, value in sample.reply.items() if name != sample.usage_field}
    if usage is not None:
        reply[sample.usage_field] = usage
    assert sample.dialect.read_reply(json.dumps(reply).encode()).usage is None


def test_figures_may_be_fractions_or_absurd_but_never_break(sample: DialectSample) -> None:
    if sample.usage is None:
        assert sample.usage_field not in sample.reply
        return
    usage = dict(sample.reply[sample.usage_field])
    for figure in (3.0, -5, 10**30, 1e300):
        changed = {name: figure if isinstance(value, int) else value for name, value in usage.items()}
        facts = sample.dialect.read_reply(json.dumps(dict(sample.reply) | {sample.usage_field: changed}).encode())
        assert facts.usage is not None
        assert facts.usage.is_plausible() is False or figure == 3.0


@examples(300)
@given(junk=JSON, data=st.data())
def test_no_value_in_a_reply_breaks_the_reading(junk: Any, data: st.DataObject) -> None:
    sample = SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))]
    reply = json.loads(json.dumps(dict(sample.reply)))
    holder, key = data.draw(st.sampled_from(list(places(reply))))
    holder[key] = junk
    with suppress(UnreadableReply):
        facts = sample.dialect.read_reply(json.dumps(reply).encode())
        assert facts.usage is None or all(isinstance(figure, int) for figure in msgspec.structs.astuple(facts.usage))
        assert facts.finish is None or isinstance(facts.finish, Finish)


def test_what_is_no_reply_is_refused(sample: DialectSample) -> None:
    for body in sample.not_replies:
        with pytest.raises(UnreadableReply):
            sample.dialect.read_reply(body)


def test_a_completion_is_read_back_as_it_was_written(sample: DialectSample) -> None:
    for completion in sample.completions:
        body = codec_of(sample).render(completion, sample.dialect.parse(body_of(sample.plain)))
        facts = sample.dialect.read_reply(body)
        assert facts.usage == completion.usage or (completion.usage and written_as_one(facts.usage))
        assert facts.finish is completion.finish
        assert facts.model == completion.model
        for part in completion.parts:
            if isinstance(part, Text):
                assert json.dumps(part.text, ensure_ascii=False).encode() in body
            elif isinstance(part, ToolCall):
                assert f'"{part.name}"'.encode() in body
                assert part.id.encode() in body
    assert {completion.finish for completion in sample.completions} <= set(Finish)


def written_as_one(usage: Any) -> bool:
    """Whether cache writes came back; their kinds are one figure on some wires."""
    return bool(usage.cache_write_tokens)


def raw_fields(body: bytes) -> dict[str, str]:
    """The fields with their values as they are written."""
    decoder = json.JSONDecoder()
    text, fields, position = body.decode(), {}, 1
    while position < len(text) - 1:
        while text[position] in ", \n":
            position += 1
        name, position = decoder.raw_decode(text, position)
        while text[position] in ": ":
            position += 1
        _, end = decoder.raw_decode(text, position)
        fields[name] = text[position:end]
        position = end
    return fields


def places(value: Any) -> Any:
    """Every place in a document where something stands."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries):
        yield value, key
        yield from places(inner)
