"""Input on its way to a provider of this dialect, which keeps nothing and knows nothing of other providers."""

import re
from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import head, raw_json
from enfilade.dialects.members.openai_responses.wire import RAW_LIST
from enfilade.dialects.seals import MARK

_REASONING = re.compile(rb'"reasoning"')


class Thoughts(msgspec.Struct, gc=False):
    """As much of an item as is asked here."""

    type: Any = None
    encrypted_content: Any = None
    content: Any = None


_ITEM = msgspec.json.Decoder(Thoughts)


def sendable(given: msgspec.Raw) -> msgspec.Raw:
    """The input without reasoning that the provider could not read: it is sealed by another one, or known by its id
    alone, under which a provider that keeps nothing has nothing.
    """
    if head(given)[:1] != b"[" or not _REASONING.search(memoryview(given)):
        return given
    items = RAW_LIST.decode(given)
    sent = [item for item in items if _is_readable(item)]
    return given if len(sent) == len(items) else raw_json(sent)


def _is_readable(item: msgspec.Raw) -> bool:
    try:
        read = _ITEM.decode(item)
    except UNREADABLE:
        return True
    if read.type != "reasoning":
        return True
    sealed = read.encrypted_content
    if isinstance(sealed, str) and sealed:
        return not sealed.startswith(MARK)
    return bool(read.content)
