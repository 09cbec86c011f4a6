"""What Gemini's requests can hold."""

from enfilade.core.messages import Conversation, Media, ToolResult
from enfilade.dialects.codec import Rules, Upstream
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.gemini.contents import ORIGIN

_OWN_FILES = ("files/", "gs://", "https://", "http://")


def fit(question: Conversation, upstream: Upstream) -> tuple[Conversation, tuple[str, ...]]:
    """See `Rules.fit`: Google finds no file by another provider's id. Raises NotTranslatable."""
    del upstream
    for message in question.messages:
        for part in message.parts:
            for media in part.content if isinstance(part, ToolResult) else (part,):
                if isinstance(media, Media) and not (media.file_id or _OWN_FILES[0]).startswith(_OWN_FILES):
                    where = "messages"
                    text = f"`{where}` holds a file by an id of another provider, where Google has none: send its data."
                    raise NotTranslatable(text, param=where)
    return question, ()


_FORMS = frozenset({"data", "url", "file_id"})

RULES = Rules(
    # Not `choices`: several candidates can be asked for, but a completion in the neutral form is one.
    takes=frozenset(
        {
            "tool_choice",
            "max_output_tokens",
            "temperature",
            "top_p",
            "top_k",
            "stop",
            "seed",
            "frequency_penalty",
            "presence_penalty",
            "logprobs",
            "response_format",
            "thinking",
            "service_tier",
            "modalities",
            "detail",
        }
    ),
    media={"image": _FORMS, "audio": _FORMS, "video": _FORMS, "document": _FORMS | {"text"}},
    result_media=frozenset({"image", "document"}),
    temperature=(0.0, 2.0),
    max_stop=5,
    tool_name=r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}",
    tool_choices=frozenset({"auto", "required", "none", "named", "allowed"}),
    response_formats=frozenset({"text", "json", "schema"}),
    seals=frozenset({ORIGIN}),
    empty_texts=False,
    fit=fit,
)
