"""The neutral form: what a conversation and its completion mean, apart from how any dialect writes them.

Dialects translate between their bytes and this form; no dialect knows another. A call whose caller and provider
speak the same dialect never takes this form: its bytes pass through.
"""

from enum import StrEnum
from typing import Any

import msgspec

from enfilade.core.usage import Usage


class Role(StrEnum):
    """Who says something. The instructions of the system stand apart from the messages."""

    USER = "user"
    ASSISTANT = "assistant"


class Finish(StrEnum):
    """Why a completion ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    ERROR = "error"


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Words."""

    text: str


class Media(msgspec.Struct, frozen=True, tag="media"):
    """An image, a document or a sound: inline data, an address, or a file that the provider keeps."""

    kind: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call"):
    """The assistant asks for a tool. `arguments` is JSON text as the model wrote it, which may be no JSON."""

    id: str
    name: str
    arguments: str


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    """What a tool answered."""

    call_id: str
    content: tuple["Text | Media", ...] = ()
    is_error: bool = False


class Reasoning(msgspec.Struct, frozen=True, tag="reasoning"):
    """What the model thought; signature and sealed data must go back to the provider unchanged."""

    text: str = ""
    signature: str | None = None
    sealed: str | None = None


Part = Text | Media | ToolCall | ToolResult | Reasoning


class Message(msgspec.Struct, frozen=True):
    """One turn."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may ask for; `parameters` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Conversation(msgspec.Struct, frozen=True):
    """What is asked of a model."""

    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    """`auto`, `required`, `none`, or the name of a tool."""
    parallel_tool_calls: bool = True
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None
    choices: int = 1

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
