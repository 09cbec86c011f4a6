"""Anthropic: https://docs.anthropic.com/en/api."""

from enfilade.dialects.traits import Traits
from enfilade.providers.authority import Headers
from enfilade.providers.http_provider import HttpAdapter


def _api_key(key: str | None) -> Headers:
    return ((b"x-api-key", (key or "").encode()),)


ADAPTER = HttpAdapter(
    kind="anthropic",
    default_base_url="https://api.anthropic.com",
    paths={"anthropic_messages": "/v1/messages", "anthropic_count": "/v1/messages/count_tokens"},
    authorize=_api_key,
    default_headers=((b"anthropic-version", b"2023-06-01"),),
    traits=Traits(output_field="max_tokens"),
)
