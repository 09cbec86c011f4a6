"""A call in a dialect of any name, with a body as somebody wrote it: for tests of what providers make of bodies."""

import json
from types import SimpleNamespace
from typing import Any, cast

from enfilade.dialects.types import Dialect, Request
from enfilade.providers.types import Outgoing


def outgoing(dialect: str, model: str, body: object = None, *, stream: bool = False) -> Outgoing:
    """An attempt whose dialect does nothing but have a name."""
    named = cast("Dialect", SimpleNamespace(name=dialect))
    content = json.dumps({} if body is None else body).encode()
    return Outgoing("call-1", named, cast("Request", None), content, model, stream=stream)


def body_of(sent: bytes) -> Any:
    """What a body says."""
    return json.loads(sent)
