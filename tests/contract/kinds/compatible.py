"""Services and servers that speak OpenAI's dialects, and some Anthropic's."""

from tests.contract.kind import Kind

CHAT = {"openai_chat": "/chat/completions"}
RESPONSES = {"openai_responses": "/responses"}
EMBEDDINGS = {"openai_embeddings": "/embeddings"}
MESSAGES = {"anthropic_messages": "/messages"}
COUNT = {"anthropic_count": "/messages/count_tokens"}
NEWER = "max_completion_tokens"

KINDS = {
    # Servers of one's own: their address is not known, and they may need no key.
    "vllm": Kind(paths=CHAT | RESPONSES | MESSAGES | EMBEDDINGS | COUNT, needs_key=False),
    "ollama": Kind(paths=CHAT | RESPONSES | MESSAGES | EMBEDDINGS, needs_key=False),
    "tgi": Kind(paths=CHAT, needs_key=False),
    "sglang": Kind(paths=CHAT | RESPONSES | MESSAGES | EMBEDDINGS | COUNT, needs_key=False),
    "llamacpp": Kind(paths=CHAT | MESSAGES | EMBEDDINGS | COUNT, needs_key=False),
    # Services.
    "mistral": Kind(paths=CHAT | EMBEDDINGS, address="https://api.mistral.ai/v1"),
    "groq": Kind(paths=CHAT | RESPONSES, address="https://api.groq.com/openai/v1", output_field=NEWER),
    "deepseek": Kind(paths=CHAT | {"anthropic_messages": "/anthropic/v1/messages"}, address="https://api.deepseek.com"),
    "together": Kind(paths=CHAT | EMBEDDINGS, address="https://api.together.xyz/v1"),
    "fireworks": Kind(paths=CHAT | RESPONSES | MESSAGES | EMBEDDINGS, address="https://api.fireworks.ai/inference/v1"),
    "openrouter": Kind(paths=CHAT | RESPONSES | MESSAGES | EMBEDDINGS, address="https://openrouter.ai/api/v1"),
    "xai": Kind(paths=CHAT | RESPONSES, address="https://api.x.ai/v1", output_field=NEWER),
    "cohere": Kind(paths=CHAT | EMBEDDINGS, address="https://api.cohere.ai/compatibility/v1"),
}
