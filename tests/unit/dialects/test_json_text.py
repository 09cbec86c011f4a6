"""JSON inside of texts and events."""

import json

import msgspec
import pytest

from enfilade.dialects.json_text import arguments_object, in_one_line, object_in


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", {}),
        (" \n", {}),
        ('{"a":1.50}', b'{"a":1.50}'),
        ('\n{"a":\r\n[1]}', b' {"a":  [1]}'),
        ("[1]", {"raw": "[1]"}),
        ('"a"', {"raw": '"a"'}),
        ("null", {"raw": "null"}),
        ('{"a":1', {"raw": '{"a":1'}),
        ("{a}", {"raw": "{a}"}),
        ('{"a":' * 5000 + "1" + "}" * 5000, {"raw": '{"a":' * 5000 + "1" + "}" * 5000}),
    ],
)
def test_arguments_are_an_object_whatever_a_model_wrote(text: str, written: bytes | dict[str, str]) -> None:
    found = arguments_object(text, "raw")
    assert (bytes(found) if isinstance(found, msgspec.Raw) else found) == written


def test_json_fits_one_line_and_says_the_same() -> None:
    spread = json.dumps({"a": "x\ny", "b": [1, {"c": None}]}, indent=2).replace("\n", "\r\n").encode()
    line = in_one_line(spread)
    assert not {b"\n", b"\r"} & {line[at : at + 1] for at in range(len(line))}
    assert json.loads(line) == json.loads(spread)
    assert in_one_line(b'{"a": 1}') == b'{"a": 1}'


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"null", b"7", b"[" * 5000])
def test_what_is_no_object_is_an_empty_one(data: bytes) -> None:
    assert object_in(data) == {}
    assert object_in(b'{"a":' + b'"b"}') == {"a": "b"}
