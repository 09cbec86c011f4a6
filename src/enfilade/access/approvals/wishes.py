"""Reading what somebody asks for: it must name what there is, and no more than one thing."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec

from enfilade.access.approvals import store
from enfilade.access.approvals.errors import DurationExceeded, InvalidAccessRequest
from enfilade.access.approvals.people import Reviewers
from enfilade.access.approvals.types import KINDS, Asked, Person, Wish
from enfilade.access.types import DATA_CLASSES
from enfilade.core.clock import NANOSECONDS
from enfilade.identity.permissions import TENANT_PERMISSIONS, TENANT_ROLES
from enfilade.identity.roles.narrowing import checked_scopes
from enfilade.identity.rows import text_id
from enfilade.storage.unit_of_work import UnitOfWork

MAX_TEXT = 2_000
MAX_AHEAD_S = 366 * 86_400
NAME_LENGTH = 200

FIELDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "model": (frozenset({"model"}), frozenset({"use_case"})),
    "use_case": (frozenset({"use_case"}), frozenset()),
    "role": (frozenset({"role"}), frozenset({"department", "application"})),
    "key_scope": (frozenset({"scopes"}), frozenset()),
    "data_class": (frozenset({"use_case", "data_class"}), frozenset()),
}
"""Of each kind, what must be said and what may be."""
FOR_APPLICATIONS = frozenset({"model", "use_case"})
"""What an application can have; the rest is a person's, a key's or a use case's."""


class WishReader:
    """Checks wishes against the tenant."""

    def __init__(self, reviewers: Reviewers) -> None:
        """Find people with `reviewers`."""
        self._reviewers = reviewers

    async def checked(self, unit: UnitOfWork, wish: Wish, now_ns: int) -> Wish:
        """The wish, with what does not matter left out. Raises InvalidAccessRequest."""
        check_asked(wish.asked)
        kind = wish.asked.kind
        if (wish.key is not None) != (kind == "key_scope"):
            message = "`key` is named where scopes of a key are asked for, and nowhere else"
            raise InvalidAccessRequest(message, param="key")
        if wish.application is not None and kind not in FOR_APPLICATIONS:
            message = f"an application cannot have a {kind.replace('_', ' ')}"
            raise InvalidAccessRequest(message, param="application")
        if wish.starts_ns is not None and not now_ns <= wish.starts_ns <= now_ns + MAX_AHEAD_S * NANOSECONDS:
            message = "access begins in the future, within 366 days; without a start it begins when it is approved"
            raise InvalidAccessRequest(message, param="starts_at")
        if kind == "role":
            await self._check_role(unit, str(wish.asked.role))
        return replace(wish, reason=check_text(wish.reason, "reason"))

    async def holder(self, unit: UnitOfWork, wish: Wish, person: Person) -> str | None:
        """The user who would have it: whoever asks, unless it is for an application, a key or a use case."""
        if wish.key is not None:
            row = await unit.fetch_row(store.KEY_OWNER, unit.tenant, wish.key)
            if row is None:
                message = "there is no such key in this tenant"
                raise InvalidAccessRequest(message, param="key")
            return text_id(row["user_id"])
        if wish.application is not None:
            if not await unit.fetch_value(store.LIVE_APPLICATION, unit.tenant, wish.application):
                message = "there is no such application in this tenant"
                raise InvalidAccessRequest(message, param="application")
            return None
        return None if wish.asked.kind == "data_class" else person.id

    async def _check_role(self, unit: UnitOfWork, role: str) -> None:
        if role not in TENANT_ROLES and not await unit.fetch_value(store.OWN_ROLE_EXISTS, unit.tenant, role):
            message = f"{role!r} is no role of this tenant"
            raise InvalidAccessRequest(message, param="role")


def check_asked(asked: Asked) -> None:
    """Refuse what names too little, too much, or what cannot be. Raises InvalidAccessRequest."""
    if asked.kind not in FIELDS:
        message = f"{asked.kind!r} cannot be asked for; there are {', '.join(KINDS)}"
        raise InvalidAccessRequest(message, param="kind")
    needed, allowed = FIELDS[asked.kind]
    given = {name for name in asked.__struct_fields__ if name != "kind" and getattr(asked, name)}
    for name in sorted(needed - given):
        message = f"a request for a {asked.kind.replace('_', ' ')} names its `{name}`"
        raise InvalidAccessRequest(message, param=name)
    for name in sorted(given - needed - allowed):
        message = f"a request for a {asked.kind.replace('_', ' ')} has no `{name}`"
        raise InvalidAccessRequest(message, param=name)
    for name in ("model", "use_case"):
        text = getattr(asked, name)
        if text is not None and (not 0 < len(text) <= NAME_LENGTH or not text.isprintable()):
            message = f"a {name.replace('_', ' ')} has 1 to {NAME_LENGTH} characters"
            raise InvalidAccessRequest(message, param=name)
    if asked.data_class is not None and asked.data_class not in DATA_CLASSES:
        message = f"there are the data classes {', '.join(DATA_CLASSES)}"
        raise InvalidAccessRequest(message, param="data_class")
    _check_places(asked)


def _check_places(asked: Asked) -> None:
    if asked.department is not None and asked.application is not None:
        message = "a role holds in a department, in an application, or in the whole tenant"
        raise InvalidAccessRequest(message, param="application")
    for name in ("department", "application"):
        if (text := getattr(asked, name)) is not None:
            try:
                UUID(text)
            except ValueError:
                message = f"`{name}` is an id here"
                raise InvalidAccessRequest(message, param=name) from None
    checked_scopes(asked.scopes, TENANT_PERMISSIONS)


def check_duration(duration_s: int, most_s: int, rule: str) -> None:
    """Refuse what lasts too long. Raises DurationExceeded, InvalidAccessRequest."""
    if duration_s < 1:
        message = "access lasts for a second at least"
        raise InvalidAccessRequest(message, param="duration")
    if duration_s > most_s:
        message = f"By the rule {rule!r} this can be had for {most_s} seconds at most."
        raise DurationExceeded(message, param="duration", details={"max_duration_s": most_s, "rule": rule})


def check_text(text: str, param: str, least: int = 1) -> str:
    """A text of a person's. Raises InvalidAccessRequest."""
    text = text.strip()
    if not least <= len(text) <= MAX_TEXT:
        message = f"`{param}` has {least} to {MAX_TEXT} characters"
        raise InvalidAccessRequest(message, param=param)
    return text


def described(asked: Asked, user: str | None, application: str | None, key: str | None) -> dict[str, Any]:
    """What events say of access: whose, and to what."""
    holders = {"user": user, "application": application, "key": key}
    return {"asked": msgspec.to_builtins(asked)} | {name: value for name, value in holders.items() if value}
