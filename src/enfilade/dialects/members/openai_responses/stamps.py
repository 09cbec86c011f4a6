"""What a response says of where it is kept: true of us, whatever its provider was told."""

import msgspec

from enfilade.dialects.bodies import ENCODER, NOTHING, as_object, is_given, raw_json, read_any
from enfilade.dialects.members.openai_responses.wire import RAW_FIELDS
from enfilade.dialects.types import Request


def stamps(request: Request) -> dict[str, msgspec.Raw]:
    """The fields to be written over, none when nothing is kept and nothing was continued."""
    if request.answer_id is None and request.previous is None:
        return {}
    fields = {
        "previous_response_id": request.fields.get("previous_response_id", NULL),
        "conversation": raw_json(conversation_of(request)),
        "store": raw_json(request.answer_id is not None),
    }
    if request.answer_id is not None:
        fields["id"] = raw_json(request.answer_id)
    return fields


def conversation_of(request: Request) -> dict[str, object] | None:
    """The conversation that the request belongs to, as responses show it."""
    given = request.fields.get("conversation", NOTHING)
    if not is_given(given):
        return None
    value = read_any(given, "conversation")
    return {"id": as_object(value).get("id") if isinstance(value, dict) else value}


def stamped(reply: bytes, request: Request) -> bytes:
    """A response object with its stamps."""
    changes = stamps(request)
    return ENCODER.encode(RAW_FIELDS.decode(reply) | changes) if changes else reply


NULL = raw_json(None)
