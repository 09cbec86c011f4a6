"""Mistral: https://docs.mistral.ai/api.

It refuses fields that it does not know (422, `extra_forbidden`). Those that only have another name there are renamed:
`max_completion_tokens` to `max_tokens`, `seed` to `random_seed`; `stream_options` is left out, since every stream ends
with its usage. Other fields of OpenAI's, `store` or `user` say, are refused when they pass through.

Ids of tool calls must be exactly nine letters or digits. Others, from a conversation that began elsewhere, are mapped:
the same id always becomes the same. Tool calls come whole in one chunk of a stream. Reasoning is a part of the content.
"""

import re

from enfilade.dialects.traits import Traits
from enfilade.providers.chat_bodies import OLDER_BOUND, renaming, with_tool_ids
from enfilade.providers.http_provider import HttpAdapter, bearer
from enfilade.providers.types import Outgoing

TOOL_ID = "[a-zA-Z0-9]{9}"
_tool_id = re.compile(TOOL_ID)
_rename = renaming({**OLDER_BOUND, "seed": "random_seed", "stream_options": None})


def _reshape(outgoing: Outgoing) -> bytes:
    body = _rename(outgoing)
    return with_tool_ids(body, _tool_id) if outgoing.dialect.name == "openai_chat" else body


ADAPTER = HttpAdapter(
    kind="mistral",
    default_base_url="https://api.mistral.ai/v1",
    paths={"openai_chat": "/chat/completions", "openai_embeddings": "/embeddings"},
    authorize=bearer,
    reshape=_reshape,
    traits=Traits(
        output_field="max_tokens",
        tool_id_pattern=TOOL_ID,
        stream_usage=False,
        lacks=frozenset(
            {
                "logit_bias",
                "logprobs",
                "user",
                "metadata",
                "service_tier",
                "verbosity",
                "cache_key",
                "cache_life",
                "detail",
            }
        ),
    ),
)
