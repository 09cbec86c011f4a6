"""A reply, or a chunk of one, as Google sends it: as much of it as we act on."""

import msgspec

from enfilade.core.messages import Finish
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import NOTHING
from enfilade.dialects.gemini.usage import GENERATE, queries_in, searches_of

_FILTERED = [
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "JAILBREAK",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "NO_IMAGE",
]
_FAILED = [
    "OTHER",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE",
]
FINISHES: dict[str, Finish] = {
    "STOP": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "CONTINUATION": Finish.LENGTH,
    **dict.fromkeys(_FILTERED, Finish.CONTENT_FILTER),
    **dict.fromkeys(_FAILED, Finish.ERROR),
}
_NUMBERED = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "UNEXPECTED_TOOL_CALL",
    "NO_IMAGE",
]
"""The reasons in the order of their numbers on Vertex, for callers who ask for `enum-encoding=int`."""
_UNSPECIFIED = frozenset({"", "FINISH_REASON_UNSPECIFIED"})
FINISH_REASONS = {
    Finish.STOP: "STOP",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.TOOL_CALLS: "STOP",
    Finish.CONTENT_FILTER: "SAFETY",
    Finish.REFUSAL: "SAFETY",
    Finish.PAUSE: "STOP",
    Finish.ERROR: "OTHER",
}


class FunctionCall(msgspec.Struct, gc=False, rename="camel"):
    """A call, whole or in pieces."""

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = NOTHING
    partial_args: msgspec.Raw = NOTHING
    will_continue: bool | None = None


class Blob(msgspec.Struct, gc=False, rename="camel"):
    """Media inside a reply, or elsewhere."""

    mime_type: str | None = None
    data: str | None = None
    file_uri: str | None = None
    display_name: str | None = None


class ReplyPart(msgspec.Struct, gc=False, rename="camel"):
    """A part, if it is one of those that we know."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None
    file_data: Blob | None = None


class Content(msgspec.Struct, gc=False):
    """What a candidate says."""

    parts: list[ReplyPart] | None = None


class Candidate(msgspec.Struct, gc=False, rename="camel"):
    """One answer of several."""

    content: Content | None = None
    finish_reason: str | int | None = None
    index: int | None = None
    grounding_metadata: msgspec.Raw = NOTHING
    citation_metadata: msgspec.Raw = NOTHING
    logprobs_result: msgspec.Raw = NOTHING


class PromptFeedback(msgspec.Struct, gc=False, rename="camel"):
    """Why a prompt was blocked."""

    block_reason: str | int | None = None


class Chunk(msgspec.Struct, gc=False, rename="camel"):
    """A reply, or a piece of it."""

    candidates: list[Candidate] | None = None
    usage_metadata: msgspec.Raw = NOTHING
    model_version: str | None = None
    response_id: str | None = None
    prompt_feedback: PromptFeedback | None = None
    error: msgspec.Raw = NOTHING


CHUNK = msgspec.json.Decoder(Chunk)


class Consumption:
    """What an answer has consumed so far: each report replaces the one before, queries add up."""

    __slots__ = ("_model", "_queries", "usage")

    def __init__(self) -> None:
        """Nothing yet."""
        self.usage: Usage | None = None
        self._queries: frozenset[str] = frozenset()
        self._model: str | None = None

    def take(self, chunk: Chunk) -> Usage | None:
        """What the answer has consumed by now, where this chunk tells of it."""
        self._model = self._model or chunk.model_version
        reported = GENERATE.read(chunk.usage_metadata) if chunk.usage_metadata else None
        self.usage = reported or self.usage
        found = len(self._queries)
        for candidate in chunk.candidates or ():
            if candidate.grounding_metadata:
                self._queries |= queries_in(candidate.grounding_metadata)
        if self._queries and self.usage is not None:
            searches = searches_of(self._queries, self._model)
            self.usage = msgspec.structs.replace(self.usage, web_searches=searches)
        return self.usage if reported is not None or len(self._queries) > found else None


def finish_of(reason: str | int | None, *, calls: bool) -> Finish | None:
    """The neutral finish; Google calls a tool call a plain stop, and reasons that are new to us count as one."""
    if isinstance(reason, int):
        reason = _NUMBERED[reason] if 0 <= reason < len(_NUMBERED) else "STOP"
    if reason is None or reason in _UNSPECIFIED:
        return None
    finish = FINISHES.get(reason, Finish.STOP)
    return Finish.TOOL_CALLS if calls and finish is Finish.STOP else finish


def is_blocked(chunk: Chunk) -> bool:
    """Whether the prompt was refused: then there are no candidates."""
    feedback = chunk.prompt_feedback
    return feedback is not None and bool(feedback.block_reason) and not chunk.candidates
