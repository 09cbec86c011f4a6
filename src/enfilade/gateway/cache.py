"""Answers to requests that were answered before, byte for byte: in memory, per tenant, for applications that opted in."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from enfilade.core.clock import Clock
from enfilade.core.messages import Finish
from enfilade.gateway.types import Call

MAX_BYTES = 64_000_000
ANSWER_BYTES = 500
"""What keeping an answer takes beside its body, so that many small ones are bounded too."""
TENANT_SHARE = 4
"""One tenant keeps at most a quarter of the space: nobody can push out everybody else's answers."""


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """A complete answer, as it was sent."""

    content_type: bytes
    body: bytes
    finish: Finish | None
    dropped: tuple[str, ...] = ()
    """The caller's fields that the answer knows nothing of."""
    cost_nano: int = 0


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer that is there to be given again."""

    given: GivenAnswer
    expires: float
    tenant: str

    @property
    def size(self) -> int:
        """The room that it takes."""
        return ANSWER_BYTES + len(self.given.body)


def is_repeatable(call: Call) -> bool:
    """Whether one answer can serve two identical requests: each that is kept to be continued is one of its own."""
    return not call.request.keeps and call.request.previous is None


class ReplyCache:
    """Least recently used answers go first."""

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        """Keep up to `max_bytes` of answers."""
        self._clock = clock
        self._max_bytes = max_bytes
        self._answers: OrderedDict[bytes, KeptAnswer] = OrderedDict()
        self._tenant_bytes: dict[str, int] = {}
        self.size = 0

    def key(self, call: Call, model: str) -> bytes | None:
        """What an identical request has in common with this one; None when the application keeps no answers.

        The tenant and the application are part of it: nobody is answered with what somebody else was told.
        """
        application = call.principal.application
        if application is None or application.spec.settings.cache_ttl_s <= 0:
            return None
        if not is_repeatable(call):
            return None
        request = call.request
        body = call.dialect.render_request(request, model, max_output=None)
        # Some dialects ask for a stream, and for its form, in the address.
        forms = (request.wants_usage, request.stream, request.as_array)
        digest = hashlib.sha256()
        for part in (call.scope.tenant, application.id, call.dialect.name, model, *map(str, forms)):
            digest.update(part.encode() + b"\x00")
        for name, value in call.headers:
            digest.update(name + b":" + value + b"\x00")
        digest.update(body)
        return digest.digest()

    def find(self, key: bytes) -> KeptAnswer | None:
        """The kept answer, unless it has expired."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.expires < self._clock.monotonic():
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def keep(self, key: bytes, call: Call, given: GivenAnswer) -> None:
        """Keep a complete answer, if its application wants answers of this size kept."""
        application = call.principal.application
        assert application is not None
        settings = application.spec.settings
        if len(given.body) > settings.cache_max_bytes:
            return
        tenant = call.scope.tenant
        expires = self._clock.monotonic() + settings.cache_ttl_s
        answer = KeptAnswer(given, expires, tenant)
        if answer.size > self._max_bytes // TENANT_SHARE:
            return
        self._drop(key)
        self._answers[key] = answer
        self.size += answer.size
        self._tenant_bytes[tenant] = self._tenant_bytes.get(tenant, 0) + answer.size
        while self._tenant_bytes.get(tenant, 0) > self._max_bytes // TENANT_SHARE:
            self._drop(next(k for k, kept in self._answers.items() if kept.tenant == tenant))
        while self.size > self._max_bytes:
            self._drop(next(iter(self._answers)))

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()
        self._tenant_bytes.clear()
        self.size = 0

    def _drop(self, key: bytes) -> None:
        answer = self._answers.pop(key, None)
        if answer is None:
            return
        self.size -= answer.size
        left = self._tenant_bytes[answer.tenant] - answer.size
        if left:
            self._tenant_bytes[answer.tenant] = left
        else:
            del self._tenant_bytes[answer.tenant]
