"""Google: Gemini with an API key, and Vertex AI."""

from tests.contract.kind import Kind
from tests.support.outbound import KEY

PLACE = "/projects/p-1/locations/europe-west4/publishers"
KEY_HEADER = ("x-goog-api-key", KEY)

KINDS = {
    "gemini": Kind(
        paths={
            "gemini_generate": "/models/up-1:generateContent",
            "gemini_embed": "/models/up-1:embedContent",
            "gemini_count": "/models/up-1:countTokens",
        },
        key_header=KEY_HEADER,
        address="https://generativelanguage.googleapis.com/v1beta",
        output_field=None,
        model_in_body=False,
    ),
    "vertex": Kind(
        paths={
            "gemini_generate": f"{PLACE}/google/models/up-1:generateContent",
            "anthropic_messages": f"{PLACE}/anthropic/models/up-1:rawPredict",
            "gemini_embed": f"{PLACE}/google/models/up-1:predict",
            "gemini_count": f"{PLACE}/google/models/up-1:countTokens",
            "anthropic_count": f"{PLACE}/anthropic/models/count-tokens:rawPredict",
        },
        key_header=KEY_HEADER,
        address="https://europe-west4-aiplatform.googleapis.com/v1",
        output_field=None,
        model_in_body=False,
        body_unchanged=False,
        answers={"gemini_embed": {"predictions": [{"embeddings": {"values": [1.0]}}]}},
        spec={"options": {"project": "p-1", "location": "europe-west4"}},
    ),
}
