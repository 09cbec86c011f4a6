"""Last changes of chat requests, for services that take the dialect's newer or other fields amiss.

They concern calls that pass through in the caller's own words as well as translated ones. What has to be changed is
looked for in the bytes first: most requests have nothing of it, and go out as they are.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

from enfilade.dialects.bodies import ENCODER, raw_json
from enfilade.dialects.translation.turns import allowed_id
from enfilade.providers.types import Outgoing

Fields = dict[str, msgspec.Raw]

OLDER_BOUND = {"max_completion_tokens": "max_tokens"}
"""The field that OpenAI deprecated is the only one that many services know. They ignore the newer one, and would
answer without a bound.
"""

_FIELDS = msgspec.json.Decoder(Fields)
_MESSAGES = msgspec.json.Decoder(list[Fields])
_CALLS = msgspec.json.Decoder(list[Fields])
_TEXT = msgspec.json.Decoder(str)


def renaming(names: Mapping[str, str | None]) -> Callable[[Outgoing], bytes]:
    """A reshaping that renames top-level fields of chat requests; those without a new name are left out.

    Where both the old and the new name are given, the new one counts.
    """
    marks = [f'"{name}"'.encode() for name in names]

    def reshape(outgoing: Outgoing) -> bytes:
        body = outgoing.body
        if outgoing.dialect.name != "openai_chat" or not any(mark in body for mark in marks):
            return body
        fields = _FIELDS.decode(body)
        if names.keys().isdisjoint(fields):
            return body  # The words stand somewhere inside.
        for name, other in names.items():
            value = fields.pop(name, None)
            if value is not None and other is not None:
                fields.setdefault(other, value)
        return ENCODER.encode(fields)

    return reshape


def with_tool_ids(body: bytes, pattern: re.Pattern[str]) -> bytes:
    """A chat request in which every id of a tool call fits; the same id always becomes the same."""
    if b'"tool_call' not in body:
        return body
    fields = _FIELDS.decode(body)
    try:
        messages = _MESSAGES.decode(fields.get("messages", b"[]"))
        changed = [_with_ids(message, pattern) for message in messages]
    except msgspec.DecodeError:
        return body  # Not as the dialect has it: the service says what is wrong.
    if not any(changed):
        return body
    fields["messages"] = msgspec.Raw(ENCODER.encode(messages))
    return ENCODER.encode(fields)


def _with_ids(message: Fields, pattern: re.Pattern[str]) -> bool:
    changed = _fit(message, "tool_call_id", pattern)
    raw = message.get("tool_calls")
    if raw is None or bytes(raw) == b"null":
        return changed
    calls = _CALLS.decode(raw)
    if any([_fit(call, "id", pattern) for call in calls]):  # noqa: C419 - all of them must be fitted
        message["tool_calls"] = msgspec.Raw(ENCODER.encode(calls))
        changed = True
    return changed


def _fit(fields: Fields, name: str, pattern: re.Pattern[str]) -> bool:
    raw = fields.get(name)
    if raw is None or bytes(raw) == b"null":
        return False
    identifier = _TEXT.decode(raw)
    if pattern.fullmatch(identifier):
        return False
    fields[name] = raw_json(allowed_id(identifier, pattern))
    return True
