"""The nouns of stored responses."""

import re
from dataclasses import dataclass
from datetime import datetime

import msgspec

from enfilade.core.scope import Scope
from enfilade.gateway.errors import KeyCannotCall

RESPONSE, CONVERSATION = "resp", "conv"

MAX_CHAIN = 2_000
"""So many responses one after the other may be continued from the last of them."""
MAX_ITEMS = 10_000
"""So many items may be the context of a request."""
MAX_PAGE = 100

_PUBLIC_ID = re.compile(r"(resp|conv)_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")


def public_id(kind: str, identifier: str) -> str:
    """An identifier as callers know it, e.g. `resp_01a1…`."""
    return f"{kind}_{identifier.replace('-', '')}"


def internal_id(kind: str, text: str) -> str | None:
    """The identifier behind what a caller wrote; None for what is no id of ours."""
    match = _PUBLIC_ID.fullmatch(text)
    if match is None or match[1] != kind:
        return None
    return "-".join(match.groups()[1:])


def owner_of(scope: Scope) -> str:
    """For whom something is stored: the application, or the user where the key is a user's. Raises KeyCannotCall."""
    owner = scope.application or scope.user
    if owner is None:
        message = "This key stands for no application and no user, so nothing is stored for it."
        raise KeyCannotCall(message)
    return owner


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request of the Responses API and its whole reply, to be kept."""

    call_id: str
    """The response's id is made of it: `public_id(RESPONSE, call_id)`."""
    model: str
    started_ns: int
    items: tuple[msgspec.Raw, ...]
    """What this request added: its own input, without what it continued."""
    reply: bytes
    """The response object."""
    previous_response_id: str | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseEntry:
    """What is said of a stored response in a list: nothing of its contents."""

    id: str
    model: str
    status: str
    created_at: datetime
    expires_at: datetime
    previous_response_id: str | None
    conversation_id: str | None


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation without its items."""

    id: str
    created_at: datetime
    expires_at: datetime
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item under its public id."""

    id: str
    content: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is wanted."""

    after: str | None = None
    limit: int = 20
    newest_first: bool = True
