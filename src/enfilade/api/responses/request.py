"""A request for something stored: who asks, for what, and which part of it."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec

from enfilade.core.errors import InvalidRequest, MalformedBody
from enfilade.core.scope import Scope
from enfilade.dialects.bodies import decode_object
from enfilade.gateway.stored.types import MAX_PAGE, Paging
from enfilade.identity.principal import Principal

DEFAULT_LIMIT = 20
MAX_CURSOR = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is authenticated and read."""

    principal: Principal
    scope: Scope
    names: tuple[str, ...]
    """What its path names: a response, or a conversation and an item."""
    query: dict[str, str]
    body: bytes

    def fields(self) -> dict[str, msgspec.Raw]:
        """The fields of its body; none when there is no body. Raises MalformedBody."""
        return decode_object(self.body) if self.body else {}

    def paging(self) -> Paging:
        """Which part of a list it wants. Raises InvalidRequest."""
        limit = self.query.get("limit", str(DEFAULT_LIMIT))
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= MAX_PAGE:
            message = f"`limit` must be a whole number between 1 and {MAX_PAGE}."
            raise InvalidRequest(message, param="limit")
        order = self.query.get("order", "desc")
        if order not in {"asc", "desc"}:
            message = "`order` must be asc or desc."
            raise InvalidRequest(message, param="order")
        after = self.query.get("after")
        if after is not None and ("\x00" in after or len(after) > MAX_CURSOR):
            message = "`after` must be an id from the list."
            raise InvalidRequest(message, param="after")
        return Paging(after, int(limit), newest_first=order == "desc")


def read_query(text: bytes) -> dict[str, str]:
    """The parameters of an address. Raises MalformedBody for what is no UTF-8."""
    try:
        return dict(parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50))
    except ValueError:
        message = "The query cannot be read."
        raise MalformedBody(message) from None
