"""The neutral form: what a conversation and its completion mean, apart from how any dialect writes them.

Dialects translate between their bytes and this form; no dialect knows another. A call whose caller and provider
speak the same dialect never takes this form: its bytes pass through.
"""

from enum import StrEnum
from typing import Any, Literal

import msgspec

from enfilade.core.usage import Usage


class Role(StrEnum):
    """Who says something. Instructions before the first turn stand apart, in `Conversation.system`."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    """Instructions between the turns."""


class Finish(StrEnum):
    """Why a completion ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    """The model itself declined; some dialects tell this from a filter."""
    PAUSE = "pause"
    """The provider paused a long turn; the caller may send it back to have it continued."""
    ERROR = "error"


CacheLife = Literal["5m", "1h"]
"""How long the provider is asked to keep the prefix that ends here."""


class Sealed(msgspec.Struct, frozen=True):
    """What only the service that made it can read, and wants back unchanged: a signature, encrypted reasoning."""

    origin: str
    """The family of services that accepts it: `anthropic`, `gemini`, `openai`, `bedrock`."""
    value: str
    """Exactly as it came."""


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Words."""

    text: str
    cache: CacheLife | None = None
    citations: tuple[dict[str, Any], ...] = ()
    """In the form `{"url"?, "title"?, "cited_text"?, "start"?, "end"?}`; other details are the dialect's own."""
    logprobs: tuple[dict[str, Any], ...] = ()
    """One entry for each token: `{"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}]}`."""
    seal: Sealed | None = None
    """Gemini signs texts too."""


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The assistant's words when it declines, where a dialect tells them from an answer."""

    text: str


class Media(msgspec.Struct, frozen=True, tag="media"):
    """An image, a document, a sound or a video: exactly one of inline data, an address, or a provider's file."""

    kind: str
    """`image`, `document`, `audio` or `video`."""
    media_type: str | None = None
    """As in `image/png`; None when the caller did not say."""
    data: str | None = None
    """Base64, exactly as it came."""
    url: str | None = None
    """An address on the web; a `data:` address is `data`."""
    file_id: str | None = None
    """The name of a file that the provider keeps."""
    detail: str | None = None
    """`low`, `high`, `auto`: how closely an image is to be looked at."""
    name: str | None = None
    """A document's file name or title."""
    text: str | None = None
    """A document that is plain text."""
    cache: CacheLife | None = None
    seal: Sealed | None = None


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call"):
    """The assistant asks for a tool. `arguments` is JSON text as the model wrote it, which may be no JSON."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    """The tool takes free text: `arguments` is that text."""
    cache: CacheLife | None = None
    seal: Sealed | None = None
    item_id: str | None = None
    """The id of the item in OpenAI's responses, which is not the id of the call."""


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    """What a tool answered."""

    call_id: str
    content: tuple["Text | Media", ...] = ()
    is_error: bool = False
    name: str | None = None
    """The tool's name, where the dialect says it."""
    custom: bool = False
    cache: CacheLife | None = None


class Reasoning(msgspec.Struct, frozen=True, tag="reasoning"):
    """What the model thought; what is sealed must go back to its provider unchanged."""

    text: str = ""
    seal: Sealed | None = None
    """A signature over the text, or the reasoning itself in a form that only the provider reads."""
    redacted: bool = False
    """There is no text: the seal is all."""
    id: str | None = None


class Opaque(msgspec.Struct, frozen=True, tag="opaque"):
    """A block with a meaning only in its own dialect: a provider-side tool's call or result, a container, …"""

    origin: str
    """The dialect's name."""
    kind: str
    value: dict[str, Any]


Part = Text | Refusal | Media | ToolCall | ToolResult | Reasoning | Opaque


class Message(msgspec.Struct, frozen=True):
    """One turn."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


class Tool(msgspec.Struct, frozen=True):
    """Something that the model may ask for."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    """A JSON schema."""
    strict: bool | None = None
    custom: bool = False
    """Takes free text, perhaps in a grammar (`format`), instead of arguments."""
    format: dict[str, Any] | None = None
    hosted: Opaque | None = None
    """A tool that the provider runs itself; it exists only in its own dialect."""
    cache: CacheLife | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    """Whether tools must, may or must not be used; `named` has one name, `allowed` those to choose from."""

    mode: Literal["auto", "required", "none", "named", "allowed"]
    names: tuple[str, ...] = ()
    must: bool = False
    """Of `allowed`: one of them must be used."""


class ResponseFormat(msgspec.Struct, frozen=True):
    """What the answer's text must be."""

    kind: Literal["text", "json", "schema"]
    schema: dict[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Thinking(msgspec.Struct, frozen=True):
    """How much the model is to think before it answers; what is None was not said."""

    enabled: bool | None = None
    """False switches it off."""
    effort: str | None = None
    """`none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`."""
    budget_tokens: int | None = None
    shown: bool | None = None
    """Whether the thoughts, or a summary of them, are wanted in the answer."""
    summary: str | None = None
    """`auto`, `concise`, `detailed`."""

    @property
    def is_shown(self) -> bool | None:
        """Whether thoughts are wanted, by what was said or by what it means: whoever switches thinking on and says no
        more, as Anthropic's callers do, expects to see it. None where nothing was said.
        """
        if self.shown is not None:
            return self.shown
        return True if self.summary is not None or self.enabled else None


class Conversation(msgspec.Struct, frozen=True):
    """What is asked of a model. Every setting that is None, or empty, was not given: zero and "" are values."""

    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: int | None = None
    """How many alternatives to each token are wanted; 0 for the tokens alone."""
    choices: int = 1
    response_format: ResponseFormat | None = None
    thinking: Thinking | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    user: str | None = None
    """Who uses the application, in the provider's eyes."""
    metadata: dict[str, Any] | None = None
    cache_key: str | None = None
    cache_life: str | None = None
    modalities: tuple[str, ...] = ()
    """Outputs other than text."""
    harmless: tuple[str, ...] = ()
    """The caller's fields that have no meaning here and change nothing in the answer: they may be left out."""
    foreign: tuple[str, ...] = ()
    """The caller's fields that no other dialect can take: without them the answer would be another one."""

    def last_user_text(self) -> str:
        """The words of the latest user turn."""
        for message in reversed(self.messages):
            if message.role is Role.USER:
                return "".join(part.text for part in message.parts if isinstance(part, Text))
        return ""


class Completion(msgspec.Struct, frozen=True):
    """What a model answered."""

    id: str
    model: str
    created_s: int
    parts: tuple[Part, ...]
    finish: Finish
    usage: Usage | None
    stop_sequence: str | None = None
    """The stop sequence that ended it, where the provider says so."""
    service_tier: str | None = None


class Question(msgspec.Struct, frozen=True):
    """Texts whose embeddings are asked for."""

    inputs: tuple[str, ...]
    token_inputs: tuple[tuple[int, ...], ...] = ()
    """Inputs given as tokens, of a tokenizer that only their provider knows; instead of `inputs`."""
    dimensions: int | None = None
    task: str | None = None
    """What for: `query`, `document`, `similarity`, `classification`, `clustering`, or the dialect's own word."""
    title: str | None = None
    user: str | None = None
    base64: bool = False
    """Whether the caller wants packed floats."""
    harmless: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


class Embeddings(msgspec.Struct, frozen=True):
    """The vectors that answer a Question, in the order of its inputs; floats, or packed ones as they came."""

    vectors: tuple[tuple[float, ...] | str, ...]
    model: str
    usage: Usage | None
