"""DeepSeek: https://api-docs.deepseek.com, with Anthropic's messages: https://api-docs.deepseek.com/guides/anthropic_api.

Reasoning stands in `reasoning_content` and goes back with the tool calls that it led to. JSON can be asked for, but by no
schema. There are no images, no embeddings and no seed; penalties have no effect any more. It knows `max_tokens` alone,
which Enfilade writes for the newer field.

While a request waits it sends empty lines, or comments in a stream. A model that it does not know is answered by another
one in Anthropic's dialect. An account without balance gets 402.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.chat_bodies import OLDER_BOUND, renaming
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="deepseek",
    default_base_url="https://api.deepseek.com",
    paths={"openai_chat": "/chat/completions", "anthropic_messages": "/anthropic/v1/messages"},
    authorize=bearer,
    reshape=renaming(OLDER_BOUND),
    traits=Traits(
        output_field="max_tokens",
        reasoning_field="reasoning_content",
        flat_texts=True,
        max_stop=16,
        lacks=frozenset(
            {
                "parallel_tool_calls",
                "logit_bias",
                "seed",
                "frequency_penalty",
                "presence_penalty",
                "user",
                "metadata",
                "service_tier",
                "verbosity",
                "cache_key",
                "cache_life",
                "json_schema",
                "images",
                "documents",
                "audio",
            }
        ),
    ),
)
