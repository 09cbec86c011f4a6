"""Hugging Face's Text Generation Inference: https://huggingface.co/docs/text-generation-inference/messages_api.

A server of one's own, or an inference endpoint; `base_url` ends in `/v1`. It serves one model, whose name in requests
does not matter, and chat only: embeddings have a server of their own.

At most four stop sequences, unless the server was started otherwise. It knows `max_tokens` alone, which Enfilade
writes for the newer field. `logit_bias` and `user` are ignored. Errors are
`{"error": "…", "error_type": "validation" | "generation" | "overloaded" | …}`.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.chat_bodies import OLDER_BOUND, renaming
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="tgi",
    needs_key=False,
    paths={"openai_chat": "/chat/completions"},
    authorize=bearer,
    reshape=renaming(OLDER_BOUND),
    traits=Traits(
        output_field="max_tokens",
        max_stop=4,
        lacks=frozenset(
            {
                "parallel_tool_calls",
                "logit_bias",
                "user",
                "metadata",
                "service_tier",
                "verbosity",
                "thinking",
                "cache_key",
                "cache_life",
            }
        ),
    ),
)
