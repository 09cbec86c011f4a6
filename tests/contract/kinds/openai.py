"""OpenAI itself, and servers that do as it does."""

from tests.contract.kind import OPENAI_PATHS, Kind

KINDS = {
    "openai": Kind(
        paths=OPENAI_PATHS | {"openai_responses": "/responses"},
        address="https://api.openai.com/v1",
        output_field="max_completion_tokens",
    ),
    "openai_compatible": Kind(paths=OPENAI_PATHS, needs_key=False),
}
