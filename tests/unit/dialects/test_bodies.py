"""Reading JSON bodies: limits, and one meaning for us and for the provider."""

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.errors import InvalidRequest, MalformedBody
from enfilade.dialects import bodies
from enfilade.dialects.bodies import decode_object, may_name, read, read_any, read_positive, text_size
from enfilade.dialects.errors import WrongType
from enfilade.dialects.members.anthropic_messages import DIALECT as MESSAGES
from enfilade.dialects.members.anthropic_messages.codec import CODEC as MESSAGES_CODEC
from enfilade.dialects.members.openai_chat import DIALECT as CHAT
from enfilade.dialects.members.openai_chat.codec import CODEC as CHAT_CODEC
from tests.support.properties import examples

NAMES = st.sampled_from(["model", "n", "max_tokens", "a", "b", 'q"q', "é", "x\\y"])


def escaped(name: str) -> str:
    """A field's name with every character escaped."""
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in name) + '"'


@examples(150)
@given(pairs=st.lists(st.tuples(NAMES, st.integers(), st.booleans()), max_size=6))
def test_a_name_twice_is_refused_and_otherwise_everybody_reads_the_same(pairs: list[tuple[str, int, bool]]) -> None:
    written = [f"{escaped(name) if disguised else json.dumps(name)}: {value}" for name, value, disguised in pairs]
    body = ("{" + ", ".join(written) + "}").encode()
    names = [name for name, _, _ in pairs]
    plainly = [name for name, _, disguised in pairs if not disguised and json.dumps(name) == f'"{name}"']
    if len(set(plainly)) < len(plainly):
        with pytest.raises(MalformedBody) as refusal:
            decode_object(body)
        assert refusal.value.param in names
        return
    try:
        fields = decode_object(body)
    except MalformedBody:
        assert len(set(names)) < len(names)
        return
    # Of a name and its disguise the last counts, in what we act on as in what we send on.
    assert {name: int(bytes(raw)) for name, raw in fields.items()} == json.loads(body)


def test_a_name_that_is_only_quoted_in_a_text_is_no_duplicate() -> None:
    body = json.dumps({"model": "a", "messages": [{"model": 'the "model" and "messages"'}], "x": '"x"'}).encode()
    assert list(decode_object(body)) == ["model", "messages", "x"]


def test_names_inside_objects_are_not_ours_to_judge() -> None:
    assert list(decode_object(b'{"tools":[{"a":1,"a":2}],"tools_":{"tools":1}}')) == ["tools", "tools_"]


def test_in_a_long_body_the_last_of_two_fields_counts_for_us_and_for_the_provider() -> None:
    filler = "x" * bodies.MAX_CHECKED_FOR_DUPLICATES
    body = (
        '{"model":"dear","model":"cheap","max_tokens":900,"max_tokens":5,"messages":[{"role":"user","content":"'
        + filler
        + '"}]}'
    ).encode()
    for dialect in (CHAT, MESSAGES):
        request = dialect.parse(body)
        assert (request.model, request.max_output) == ("cheap", 5)
        sent = dialect.render_request(request, "up", max_output=None)
        assert sent.count(b'"model"') == sent.count(b'"max_tokens"') == 1
        assert json.loads(sent)["max_tokens"] == 5


RESULTS = ('{"type":"tool_result","content":[', "]}")
INPUT = ('{"type":"tool_use","input":{"a":', "}}")


@pytest.mark.parametrize("depth", [50, 400, *range(900, 1000, 7), 1000, 100_000])
@pytest.mark.parametrize(("opening", "end"), [("[", "]"), RESULTS, ('{"a":', "}")])
def test_depth_is_read_or_refused_but_never_breaks(depth: int, opening: str, end: str) -> None:
    inner = opening * depth + ("1" if opening.endswith(":") else "") + end * depth
    for content in (inner, f"[{inner}]", f"[{INPUT[0]}{inner}{INPUT[1]}]"):
        body = f'{{"model":"a","max_tokens":1,"messages":[{{"role":"user","content":{content}}}]}}'.encode()
        for dialect, codec in ((CHAT, CHAT_CODEC), (MESSAGES, MESSAGES_CODEC)):
            refused = False
            try:
                request = dialect.parse(body)
                dialect.text_bound(request)
            except (MalformedBody, WrongType):
                refused = True
            else:
                with suppress(InvalidRequest):  # Only its depth is sound: what lies there is of another type.
                    codec.question(request)
            assert refused or depth < 1000
            assert not refused or depth > 50


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400, "1" + "0" * 5000, "0." + "1" * 400, "1e-400"])
def test_absurd_numbers_are_passed_on_or_refused_by_name(number: str) -> None:
    body = json.dumps({"model": "a", "messages": [{"role": "user", "content": "b"}]})
    request = CHAT.parse(f'{body[:-1]},"temperature":{number},"seed":{number}}}'.encode())
    sent = CHAT.render_request(request, "up", max_output=None)
    assert b'"seed":' + number.encode() + b"}" in sent
    if abs(float(number)) == float("inf"):
        with pytest.raises(WrongType, match="`temperature` must be a number"):
            CHAT_CODEC.question(request)
    else:
        with pytest.raises(WrongType, match="`seed` must be a whole number"):
            CHAT_CODEC.question(request)
        del request.fields["seed"]
        assert CHAT_CODEC.question(request).temperature is not None


@pytest.mark.parametrize("name", ["n", "max_tokens"])
@pytest.mark.parametrize("number", ["1e400", "9" * 400, "-9223372036854775809", "18446744073709551616", "1.0", "1e2"])
def test_absurd_numbers_in_fields_that_bound_the_cost_are_refused(name: str, number: str) -> None:
    body = json.dumps({"model": "a", "messages": [{"role": "user", "content": "b"}]})
    with pytest.raises(WrongType) as refusal:
        CHAT.parse(f'{body[:-1]},"{name}":{number}}}'.encode())
    assert refusal.value.param == name


@pytest.mark.parametrize("count", [1, 2, 128])
def test_choices_are_counted(count: int) -> None:
    body = json.dumps({"model": "a", "messages": [{"role": "user", "content": "b"}], "n": count}).encode()
    request = CHAT.parse(body)
    assert request.choices == count
    assert json.loads(CHAT.render_request(request, "up", max_output=9))["n"] == count


def test_choices_of_nothing_are_one() -> None:
    body = b'{"model":"a","messages":[{"role":"user","content":"b"}],"n":null}'
    assert CHAT.parse(body).choices == 1


@pytest.mark.parametrize("value", ["temperature", "\\u0074emperature", "temp\\u0065rature"])
def test_a_name_may_stand_in_a_body_in_any_spelling(value: str) -> None:
    assert may_name(f'{{"{value}":1}}'.encode(), b"temperature")


@pytest.mark.parametrize("body", [b'{"top_p":1}', b'{"x":"temperature of today"}', b'{"x":"gr\\u00fcn"}'])
def test_other_bodies_do_not_name_it(body: bytes) -> None:
    assert not may_name(body, b"temperature")


@examples(150)
@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_text_is_larger_than_its_bound(value: object) -> None:
    def size(item: object) -> int:
        if isinstance(item, dict):
            return sum(size(key) + size(entry) for key, entry in item.items())
        if isinstance(item, list):
            return sum(map(size, item))
        return len(str(item).encode("utf-8", "surrogatepass"))

    assert text_size(value) >= size(value)


def test_half_a_character_is_refused() -> None:
    body = b'{"model":"a","max_tokens":1,"messages":[{"role":"user","content":"\\ud83d broken"}]}'
    for dialect in (CHAT, MESSAGES):
        with pytest.raises(MalformedBody, match="escape"):
            dialect.parse(body)


def test_a_field_is_read_as_its_type_or_named() -> None:
    fields = decode_object(b'{"flag":true,"count":7,"text":"x","none":null,"list":[1]}')
    assert read(fields, "flag", bool) is True
    assert read(fields, "count", int) == 7
    assert read(fields, "text", str) == "x"
    assert read(fields, "none", str) is None
    assert read(fields, "absent", str) is None


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("flag", str, "a string"),
        ("count", bool, "true or false"),
        ("text", int, "a whole number"),
        ("text", float, "a number"),
        ("list", dict, "an object"),
        ("count", list, "an array"),
    ],
)
def test_a_field_of_another_type_is_named_with_what_it_must_be(name: str, kind: type, words: str) -> None:
    fields = decode_object(b'{"flag":true,"count":7,"text":"x","list":[1]}')
    with pytest.raises(WrongType) as refusal:
        read(fields, name, kind)
    assert refusal.value.message == f"`{name}` must be {words}."
    assert refusal.value.param == name


@pytest.mark.parametrize("text", ["0", "-1", "11", "1.5", '"3"', "true", "1e2"])
def test_a_positive_number_in_bounds_is_nothing_else(text: str) -> None:
    with pytest.raises(WrongType):
        read_positive({"n": msgspec.Raw(text.encode())}, "n", 10)
    assert read_positive({"n": msgspec.Raw(b"10")}, "n", 10) == 10


def test_a_value_that_cannot_be_read_is_named() -> None:
    with pytest.raises(WrongType, match="`x`"):
        read_any(msgspec.Raw(b"[" * 5000 + b"]" * 5000), "x")
