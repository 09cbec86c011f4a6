"""What of its rights a key keeps: its scopes, which can only narrow.

A scope is a permission of the admin API (`keys:read`), a kind of call (`calls:chat`), a dialect
(`dialect:openai_chat`), models (`model:gpt-*`), or `scim`. A key without scopes keeps everything. A key with scopes keeps
what they name: no permission that is not among them, and no call unless one of them speaks of calls, of
dialects or of models; each of these three bounds calls by itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from enfilade.identity.errors import InvalidSpecification
from enfilade.identity.permissions import ALL_PERMISSIONS

CALLS = {"calls:chat": "generate", "calls:embeddings": "embed", "calls:count": "count"}
"""Kinds of calls, and the operation of dialects that each stands for."""
SCIM = "scim"
"""Provisioning of users and groups, which no role gives."""
MAX_SCOPES = 100

_DIALECT = re.compile(r"dialect:([a-z0-9_]{1,60})")
_MODEL = re.compile(r"model:([\x21-\x7e]{1,200})")


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What scopes leave; None where they leave everything."""

    permissions: frozenset[str] | None = None
    operations: frozenset[str] | None = None
    dialects: frozenset[str] | None = None
    models: tuple[str, ...] | None = None
    provisions: bool = False
    """Whether users and groups may be provisioned with it, which no key may that has no scopes."""

    def lets_call(self, operation: str, dialect: str) -> bool:
        """Whether such a call may be made."""
        return (self.operations is None or operation in self.operations) and (
            self.dialects is None or dialect in self.dialects
        )


UNBOUND = Narrowing()


def narrowing_of(scopes: Iterable[str]) -> Narrowing:
    """What the scopes leave. What is unknown leaves nothing."""
    held = frozenset(scopes)
    if not held:
        return UNBOUND
    operations = frozenset(CALLS[scope] for scope in held if scope in CALLS)
    dialects = frozenset(found[1] for scope in held if (found := _DIALECT.fullmatch(scope)))
    models = tuple(sorted(found[1] for scope in held if (found := _MODEL.fullmatch(scope))))
    calls = bool(operations or dialects or models)
    return Narrowing(
        permissions=held & ALL_PERMISSIONS,
        operations=(operations or None) if calls else frozenset(),
        dialects=dialects or None,
        models=models or None,
        provisions=SCIM in held,
    )


def checked_scopes(scopes: Iterable[str], permissions: frozenset[str]) -> tuple[str, ...]:
    """Scopes in their normal form. Raises InvalidSpecification for one that means nothing here."""
    wanted = tuple(sorted(set(scopes)))
    if len(wanted) > MAX_SCOPES:
        message = f"a key has at most {MAX_SCOPES} scopes"
        raise InvalidSpecification(message, param="scopes")
    for scope in wanted:
        known = scope in permissions or scope in CALLS or scope == SCIM
        if not (known or _DIALECT.fullmatch(scope) or _MODEL.fullmatch(scope)):
            message = (
                f"{scope!r} is no scope: use a permission such as keys:read, {', '.join(CALLS)}, "
                f"dialect:NAME, model:PATTERN or {SCIM}"
            )
            raise InvalidSpecification(message, param="scopes")
    return wanted
