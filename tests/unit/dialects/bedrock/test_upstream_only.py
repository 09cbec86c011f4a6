"""Dialects that only providers speak: nobody calls in them, and whoever tries is told so."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from enfilade.core.messages import Completion, Finish
from enfilade.core.usage import Usage
from enfilade.dialects.registry import load_dialects
from enfilade.dialects.types import Dialect, LimitHeaders, Request
from enfilade.dialects.upstream_only import NotSpoken
from tests.support.strict_bedrock import Reply, converse_body

NAMES = ("bedrock_converse", "bedrock_titan_embed", "bedrock_cohere_embed")
REQUEST = Request({}, "m", stream=False, size=7)
COMPLETION = Completion("c", "m", 0, (), Finish.STOP, None)


def dialect(name: str) -> Dialect:
    return load_dialects().get(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "use",
    [
        lambda spoken: spoken.parse(b"{}"),
        lambda spoken: spoken.render_request(REQUEST, "m", max_output=None),
        lambda spoken: spoken.stream_reader(REQUEST),
        lambda spoken: spoken.codec.question(REQUEST),
        lambda spoken: spoken.codec.render(COMPLETION, REQUEST),
    ],
)
def test_what_is_for_callers_is_refused(name: str, use: Callable[[Any], Any]) -> None:
    with pytest.raises(NotSpoken, match="Nobody calls"):
        use(dialect(name))


@pytest.mark.parametrize("name", NAMES)
def test_it_has_no_address_and_still_writes_errors(name: str) -> None:
    spoken = dialect(name)
    error = NotSpoken("No.")
    assert (spoken.path, list(spoken.more_paths), spoken.error_status(error)) == ("", [], 404)
    shown = json.loads(spoken.render_error(error, "r-1"))
    assert shown == {"message": "No.", "code": "dialect_not_spoken", "request_id": "r-1"}
    assert json.loads(spoken.render_error_event(error, "r-1")) == shown
    assert spoken.limit_headers(LimitHeaders()) == []
    assert spoken.text_bound(REQUEST) == 7


def test_replies_say_what_they_used() -> None:
    facts = dialect("bedrock_converse").read_reply(json.dumps(converse_body(Reply())).encode())
    assert (facts.usage, facts.finish) == (Usage(input_tokens=30, output_tokens=12), Finish.STOP)
    facts = dialect("bedrock_titan_embed").read_reply(b'{"embedding":[1],"inputTextTokenCount":4}')
    assert (facts.usage, facts.finish) == (Usage(input_tokens=4), None)
