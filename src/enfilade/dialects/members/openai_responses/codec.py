"""The dialect's half of the way to and from the neutral form."""

from collections.abc import Mapping
from typing import Any

from enfilade.core.messages import Completion, Conversation, Finish
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.codec import Rules, Upstream
from enfilade.dialects.members.openai_responses.decode import ResponseDecoder
from enfilade.dialects.members.openai_responses.events import ResponseEventWriter
from enfilade.dialects.members.openai_responses.fitting import fit
from enfilade.dialects.members.openai_responses.frame import answer_id, base_of, ending, frame, is_refusal, used
from enfilade.dialects.members.openai_responses.output import items_of
from enfilade.dialects.members.openai_responses.question import conversation_of
from enfilade.dialects.members.openai_responses.reply import read
from enfilade.dialects.members.openai_responses.write import write
from enfilade.dialects.openai.files import OWN_FILES
from enfilade.dialects.types import Request

RULES = Rules(
    takes=frozenset(
        {
            "max_output_tokens",
            "temperature",
            "top_p",
            "logprobs",
            "tool_choice",
            "parallel_tool_calls",
            "response_format",
            "thinking",
            "verbosity",
            "service_tier",
            "user",
            "metadata",
            "cache_key",
            "cache_life",
            "detail",
        }
    ),
    media={
        "image": frozenset({"data", "url", "file_id"}),
        "document": frozenset({"data", "url", "file_id", "text"}),
    },
    file_id=OWN_FILES,
    result_media=frozenset({"image", "document"}),
    tool_id=r"[!-~]{1,64}",
    tool_choices=frozenset({"auto", "required", "none", "named", "allowed"}),
    custom_tools=True,
    response_formats=frozenset({"text", "json", "schema"}),
    json_by_word=True,
    seals=frozenset({"openai"}),
    system_turns=True,
    refusals=True,
    # As in chat: a new turn would be begun after the assistant's.
    prefill=False,
    fit=fit,
)
_CUT = frozenset({Finish.LENGTH, Finish.CONTENT_FILTER, Finish.ERROR})


class ResponsesCodec:
    """See `StreamingCodec`."""

    rules = RULES
    origin = "openai"
    field_names: Mapping[str, str] = {
        "system": "instructions",
        "messages": "input",
        "logprobs": "include",
        "response_format": "text.format",
        "thinking": "reasoning",
        "verbosity": "text.verbosity",
        "cache": "prompt_cache_breakpoint",
        "cache_key": "prompt_cache_key",
        "cache_life": "prompt_cache_retention",
    }

    def question(self, request: Request) -> Conversation:
        """See `Codec.question`."""
        return conversation_of(request)

    def write(self, question: Any, upstream: Upstream) -> bytes:
        """See `Codec.write`."""
        return write(question, upstream)

    def read(self, body: bytes, upstream: Upstream) -> Completion:
        """See `Codec.read`."""
        del upstream
        return read(body)

    def render(self, answer: Completion, asked: Request) -> bytes:
        """See `Codec.render`."""
        identifier = answer_id(asked, answer.id)
        status = "incomplete" if answer.finish in _CUT else "completed"
        items = items_of(answer.parts, base_of(identifier), status=status)
        refused = any(is_refusal(part) for part in answer.parts)
        begun = frame(asked, identifier, answer.model, answer.created_s)
        return ENCODER.encode(
            begun | ending(answer.finish, items, refused=refused) | used(answer.usage, answer.service_tier)
        )

    def decoder(self, upstream: Upstream) -> ResponseDecoder:
        """See `StreamingCodec.decoder`."""
        del upstream
        return ResponseDecoder()

    def writer(self, asked: Request, call_id: str, created_s: int) -> ResponseEventWriter:
        """See `StreamingCodec.writer`."""
        return ResponseEventWriter(asked, call_id, created_s)


CODEC = ResponsesCodec()
