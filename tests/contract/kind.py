"""What the contract of adapters must know of each kind of provider: the words of its service's documentation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.outbound import KEY

OPENAI_PATHS = {"openai_chat": "/chat/completions", "openai_embeddings": "/embeddings"}
BEARER = ("authorization", f"Bearer {KEY}")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the service's documentation says."""

    paths: Mapping[str, str]
    """For each dialect the path below the base address, as it goes over the wire for the model `up-1`."""
    key_header: tuple[str, str] | None = BEARER
    """The header that carries the key; None where each request is signed or carries a token."""
    address: str | None = None
    needs_key: bool = True
    own_headers: tuple[tuple[str, str], ...] = ()
    output_field: str | None = "max_tokens"
    model_in_body: bool = True
    """Whether the body names the model; else the path does."""
    body_unchanged: bool = True
    """Whether the body goes out exactly as the dialect wrote it."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """What a specification of this kind must say besides: a region, options."""
    answers: Mapping[str, Any] = field(default_factory=dict)
    """What the service answers, for those dialects in which its adapter makes the dialect's reply of it."""
