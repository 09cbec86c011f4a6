"""What Gemini's requests can hold."""

from enfilade.dialects.codec import Rules
from enfilade.dialects.gemini.contents import ORIGIN

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
    # Google finds no file by another provider's id.
    file_id=r"(files/|gs://|https?://).*",
    temperature=(0.0, 2.0),
    max_stop=5,
    tool_name=r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}",
    tool_choices=frozenset({"auto", "required", "none", "named", "allowed"}),
    response_formats=frozenset({"text", "json", "schema"}),
    seals=frozenset({ORIGIN}),
    empty_texts=False,
)
