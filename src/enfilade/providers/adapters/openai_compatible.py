"""Any server that speaks OpenAI's dialects (vLLM, Ollama, TGI, …). It may need no key, and knows the older field."""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="openai_compatible",
    needs_key=False,
    paths={"openai_chat": "/chat/completions", "openai_embeddings": "/embeddings"},
    authorize=bearer,
    traits=Traits(output_field="max_tokens"),
)
