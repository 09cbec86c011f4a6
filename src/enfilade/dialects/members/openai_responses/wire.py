"""As much of responses, and of the events that stream them, as is acted on."""

from typing import Any

import msgspec

from enfilade.core.messages import Finish
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import NOTHING
from enfilade.dialects.members.openai_responses.usage import RESPONSES, SEARCH_CALL, is_search, searches_among
from enfilade.dialects.usage import with_searches

FINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
LIFECYCLE = FINAL | {"response.created", "response.in_progress", "response.queued"}

CALLS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "mcp_approval_request",
    }
)
"""Items that wait for something from the caller."""
FAILED = frozenset({"failed", "cancelled"})


class Item(msgspec.Struct, gc=False):
    """What an item of the output is."""

    type: str | None = None
    action: msgspec.Raw = NOTHING


class Incomplete(msgspec.Struct, gc=False):
    """Why a response is not whole."""

    reason: str | None = None


class ResponseReply(msgspec.Struct, gc=False):
    """A response, whole or so far."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[Item] | None = None
    usage: msgspec.Raw = NOTHING
    incomplete_details: Incomplete | None = None
    service_tier: str | None = None
    error: msgspec.Raw = NOTHING

    def finish(self) -> Finish:
        """Why it ended."""
        return finish_of(self.status, self.incomplete_details, {item.type for item in self.output or ()})

    def reported(self) -> Usage | None:
        """What it says was used."""
        usage = RESPONSES.read(self.usage)
        searches = sum(item.type == SEARCH_CALL and is_search(item.action) for item in self.output or ())
        return with_searches(usage, searches) if searches else usage


def finish_of(status: str | None, details: Incomplete | None, kinds: set[str | None]) -> Finish:
    """The neutral finish; what is new to us counts as a plain stop."""
    if status == "incomplete":
        filtered = details is not None and details.reason == "content_filter"
        return Finish.CONTENT_FILTER if filtered else Finish.LENGTH
    if status in FAILED:
        return Finish.ERROR
    return Finish.STOP if kinds.isdisjoint(CALLS) else Finish.TOOL_CALLS


class WholeReply(msgspec.Struct, gc=False):
    """A response with all that its translation reads."""

    id: str | None = None
    created_at: int | float | None = None
    model: str | None = None
    status: str | None = None
    output: list[dict[str, Any]] | None = None
    usage: msgspec.Raw = NOTHING
    incomplete_details: Incomplete | None = None
    service_tier: str | None = None
    error: msgspec.Raw = NOTHING

    def reported(self) -> Usage | None:
        """What it says was used."""
        return with_searches(RESPONSES.read(self.usage), searches_among(self.output or ()))


class Delta(msgspec.Struct, gc=False):
    """The commonest events: more of something."""

    type: str = ""
    delta: str | None = None
    output_index: int = 0
    content_index: int = 0
    logprobs: msgspec.Raw = NOTHING


class Event(msgspec.Struct, gc=False):
    """Any other event."""

    type: str = ""
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item: dict[str, Any] | None = None
    part: dict[str, Any] | None = None
    response: WholeReply | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    code: Any = None
    message: str | None = None
    error: msgspec.Raw = NOTHING


REPLY = msgspec.json.Decoder(ResponseReply)
WHOLE = msgspec.json.Decoder(WholeReply)
DELTA = msgspec.json.Decoder(Delta)
EVENT = msgspec.json.Decoder(Event)
RAW_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
