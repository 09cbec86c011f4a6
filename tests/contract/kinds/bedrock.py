"""AWS Bedrock. Its requests are signed, or carry an API key as a token; see `tests/unit/providers/test_bedrock.py`."""

from tests.contract.kind import Kind

KINDS = {
    "bedrock": Kind(
        paths={
            "bedrock_converse": "/model/up-1/converse",
            "anthropic_messages": "/model/up-1/invoke",
            "anthropic_count": "/model/up-1/count-tokens",
            "bedrock_titan_embed": "/model/up-1/invoke",
            "bedrock_cohere_embed": "/model/up-1/invoke",
        },
        key_header=None,
        address="https://bedrock-runtime.us-east-1.amazonaws.com",
        needs_key=False,
        model_in_body=False,
        body_unchanged=False,
        spec={"region": "us-east-1"},
    ),
}
