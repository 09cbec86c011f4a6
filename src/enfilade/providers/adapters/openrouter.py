"""OpenRouter: https://openrouter.ai/docs/api-reference/overview.

It routes to other providers, so what a model takes depends on who serves it; a field that one does not know is left out
there, unless the request says `"provider": {"require_parameters": true}`. Reasoning stands in `reasoning`, and in
`reasoning_details` with what the model wants back. `usage.cost` is what OpenRouter charges.

Streams begin with comments while nobody answers yet. Errors have a number as their code, and may stand next to `choices`
in the middle of a stream. 402 means that the account has no credit; 403 with `metadata.reasons` that moderation refused
the input.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.error_reports import ErrorReport, HeaderMap, decode, read_error
from enfilade.providers.http_provider import HttpAdapter, bearer


def _read_error(status: int, headers: HeaderMap, body: bytes) -> ErrorReport:
    report = read_error(status, headers, body)
    reply = decode(body)
    error = reply.get("error") if isinstance(reply, dict) else None
    metadata = error.get("metadata") if isinstance(error, dict) else None
    if isinstance(metadata, dict) and metadata.get("reasons"):
        report.words = ("content_filter", *report.words)
    return report


ADAPTER = HttpAdapter(
    kind="openrouter",
    default_base_url="https://openrouter.ai/api/v1",
    paths={
        "openai_chat": "/chat/completions",
        "openai_responses": "/responses",
        "anthropic_messages": "/messages",
        "openai_embeddings": "/embeddings",
    },
    authorize=bearer,
    read_error=_read_error,
    traits=Traits(output_field="max_tokens", reasoning_field="reasoning", takes_seals=True),
)
