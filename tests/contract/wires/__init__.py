"""Each dialect's wire, for the golden cases: its events as bytes and back, and what its vendor's own package says."""

from tests.contract.wires.amazon import BEDROCK_COHERE_EMBED, BEDROCK_CONVERSE, BEDROCK_TITAN_EMBED
from tests.contract.wires.anthropic import ANTHROPIC_MESSAGES
from tests.contract.wires.google import GEMINI_EMBED, GEMINI_GENERATE
from tests.contract.wires.openai import OPENAI_CHAT, OPENAI_EMBEDDINGS, OPENAI_RESPONSES
from tests.contract.wires.wire import Wire

WIRES: dict[str, Wire] = {
    "openai_chat": OPENAI_CHAT,
    "openai_responses": OPENAI_RESPONSES,
    "anthropic_messages": ANTHROPIC_MESSAGES,
    "gemini_generate": GEMINI_GENERATE,
    "bedrock_converse": BEDROCK_CONVERSE,
    "openai_embeddings": OPENAI_EMBEDDINGS,
    "gemini_embed": GEMINI_EMBED,
    "bedrock_titan_embed": BEDROCK_TITAN_EMBED,
    "bedrock_cohere_embed": BEDROCK_COHERE_EMBED,
}
