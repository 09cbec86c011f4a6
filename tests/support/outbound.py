"""Providers as the gateway has them ready, without a gateway: for tests of what goes out and what comes back."""

import json
from collections.abc import Mapping
from typing import Any

from enfilade.core.clock import ManualClock
from enfilade.core.deadlines import DeadlineSweeper
from enfilade.dialects.registry import load_dialects
from enfilade.providers.credentials import Credential, SecretSources
from enfilade.providers.registry import Adapters
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.types import Outgoing, Provider, ProviderSpec, SecretReference, TimeoutSpec

KEY = "sk-test-0123456789abcdef"
KEY_NAME = "UP_API_KEY"
REQUESTS: dict[str, dict[str, Any]] = {
    "openai_chat": {"model": "ours", "messages": [{"role": "user", "content": "Good morning"}]},
    "openai_responses": {"model": "ours", "input": "Good morning", "store": False},
    "openai_embeddings": {"model": "ours", "input": "Good morning"},
    "anthropic_count": {"model": "ours", "messages": [{"role": "user", "content": "Good morning"}]},
    "anthropic_messages": {
        "model": "ours",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "Good morning"}],
    },
    "gemini_generate": {"model": "ours", "contents": [{"role": "user", "parts": [{"text": "Good morning"}]}]},
    "gemini_embed": {"model": "ours", "content": {"parts": [{"text": "Good morning"}]}},
    "gemini_count": {"model": "ours", "contents": [{"role": "user", "parts": [{"text": "Good morning"}]}]},
}
REPLIES: dict[str, dict[str, Any]] = {
    "openai_chat": {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}], "model": "up-1"},
    "openai_responses": {"object": "response", "output": [], "status": "completed", "model": "up-1"},
    "openai_embeddings": {"data": [{"index": 0, "embedding": [1.0]}], "model": "up-1"},
    "anthropic_count": {"input_tokens": 3},
    "anthropic_messages": {"type": "message", "content": [{"type": "text", "text": "Hi"}], "model": "up-1"},
    "gemini_generate": {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}],
        "modelVersion": "up-1",
    },
    "gemini_embed": {"embedding": {"values": [1.0]}},
    "gemini_count": {"totalTokens": 3},
}


class Outbound:
    """A clock that stands still, a client, and providers that use both."""

    def __init__(self) -> None:
        """Start without connections."""
        self.clock = ManualClock()
        self.sweeper = DeadlineSweeper(self.clock)
        self.client = HttpClient(self.clock, self.sweeper)
        self.adapters = Adapters()
        self.dialects = load_dialects()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and expire what is late."""
        self.clock.advance(seconds)
        self.sweeper.sweep()

    def provider(
        self,
        base_url: str | None = None,
        *,
        kind: str = "openai_compatible",
        key: str | None = KEY,
        timeout: Mapping[str, float] | None = None,
        allow_private_network: bool = True,
        proxy_login: str | None = None,
        **more: Any,
    ) -> Provider:
        """A provider ready to be called, with a key from the environment unless `key` is None."""
        reference = SecretReference(env=KEY_NAME) if key is not None else None
        spec = ProviderSpec(
            name="up",
            kind=kind,
            base_url=base_url,
            api_key=reference,
            timeout=TimeoutSpec(**(timeout or {})),
            allow_private_network=allow_private_network,
            **more,
        )
        self.adapters.check(spec)
        sources = SecretSources({KEY_NAME: key or ""}, ["*_API_KEY"], ())
        credential = Credential(reference, sources, self.clock)
        return self.adapters.make(spec, credential, self.client, self.clock, proxy_login)

    def ask(
        self,
        dialect: str = "openai_chat",
        *,
        model: str = "up-1",
        attempt: int = 1,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        **changes: Any,
    ) -> Outgoing:
        """One attempt at a call."""
        speaks = self.dialects.get(dialect)
        request = speaks.parse(json.dumps(REQUESTS[dialect] | changes).encode())
        body = speaks.render_request(request, model, max_output=None)
        return Outgoing("call-1", speaks, request, body, model, headers, attempt, request.stream)

    def close(self) -> None:
        """Let go of all connections."""
        self.client.close()
