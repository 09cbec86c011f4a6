"""The dialect's half of a translation. See `dialects.codec`."""

from collections.abc import Mapping

from enfilade.core.messages import Completion, Conversation
from enfilade.dialects.codec import Rules, Upstream
from enfilade.dialects.members.openai_chat import reply
from enfilade.dialects.members.openai_chat.decode import ChatDecoder
from enfilade.dialects.members.openai_chat.events import ChatWriter
from enfilade.dialects.members.openai_chat.fitting import fit
from enfilade.dialects.members.openai_chat.marks import FAMILY
from enfilade.dialects.members.openai_chat.question import question_of, speaks_older_form
from enfilade.dialects.members.openai_chat.write import body_of
from enfilade.dialects.openai.files import OWN_FILES
from enfilade.dialects.types import Request

RULES = Rules(
    takes=frozenset(
        {
            "tool_choice",
            "parallel_tool_calls",
            "max_output_tokens",
            "temperature",
            "top_p",
            "stop",
            "seed",
            "frequency_penalty",
            "presence_penalty",
            "logit_bias",
            "logprobs",
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
        "image": frozenset({"data", "url"}),
        "audio": frozenset({"data"}),
        "document": frozenset({"data", "file_id"}),
    },
    file_id=OWN_FILES,
    temperature=(0.0, 2.0),
    max_stop=4,
    tool_id=r"[!-~]{1,40}",
    tool_choices=frozenset({"auto", "required", "none", "named", "allowed"}),
    custom_tools=True,
    response_formats=frozenset({"text", "json", "schema"}),
    json_by_word=True,
    # OpenAI itself takes none of both. Some services do, as their traits say; `fit` drops it for the others.
    seals=frozenset({FAMILY}),
    unsealed_reasoning=True,
    thoughts_go_back=lambda traits: traits.takes_seals or traits.reasoning_field is not None,
    system_turns=True,
    names=True,
    refusals=True,
    # The assistant's turn may be the last, but a new one is begun after it.
    prefill=False,
    fit=fit,
)


class ChatCodec:
    """See `StreamingCodec`."""

    rules = RULES
    origin = FAMILY
    field_names: Mapping[str, str] = {
        "choices": "n",
        "max_output_tokens": "max_completion_tokens",
        "thinking": "reasoning_effort",
        "cache_key": "prompt_cache_key",
        "cache_life": "prompt_cache_retention",
        "cache": "prompt_cache_breakpoint",
        "reasoning": "reasoning_content",
    }

    def question(self, request: Request) -> Conversation:
        """See `Codec.question`."""
        return question_of(request)

    def write(self, question: Conversation, upstream: Upstream) -> bytes:
        """See `Codec.write`."""
        return body_of(question, upstream)

    def read(self, body: bytes, upstream: Upstream) -> Completion:
        """See `Codec.read`."""
        return reply.completion_of(body, upstream)

    def render(self, answer: Completion, asked: Request) -> bytes:
        """See `Codec.render`."""
        return reply.rendered(answer, older=speaks_older_form(asked))

    def decoder(self, upstream: Upstream) -> ChatDecoder:
        """See `StreamingCodec.decoder`."""
        return ChatDecoder(upstream)

    def writer(self, asked: Request, call_id: str, created_s: int) -> ChatWriter:
        """See `StreamingCodec.writer`."""
        return ChatWriter(asked, call_id, created_s)


CODEC = ChatCodec()
