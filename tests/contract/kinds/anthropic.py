"""Anthropic."""

from tests.contract.kind import Kind
from tests.support.outbound import KEY

KINDS = {
    "anthropic": Kind(
        paths={"anthropic_messages": "/v1/messages", "anthropic_count": "/v1/messages/count_tokens"},
        key_header=("x-api-key", KEY),
        address="https://api.anthropic.com",
        own_headers=(("anthropic-version", "2023-06-01"),),
    ),
}
