"""Questions that were asked before, word for word, where no reply cache is on: what one would have saved."""

from enfilade.core.clock import Clock
from enfilade.gateway.cache import is_repeatable
from enfilade.gateway.types import Call

REMEMBERED = 50_000
"""Questions of a generation; two are kept, a few megabytes in all."""
GENERATION_S = 1800.0
MAX_SIZE = 64_000
"""Larger questions are hardly ever repeated, and hashing them would be felt."""


class Repeats:
    """Remembers the questions of the last half hour to hour by their hashes, and nothing of what they say."""

    def __init__(self, clock: Clock) -> None:
        """Start without a memory."""
        self._clock = clock
        self._recent: set[int] = set()
        self._earlier: set[int] = set()
        self._began = clock.monotonic()

    def seen(self, call: Call, model: str) -> bool:
        """Whether the caller's application has asked this lately, of the same model; from now on it has.

        Only what a reply cache could answer counts.
        """
        request, application = call.request, call.scope.application
        if application is None or request.size > MAX_SIZE or not is_repeatable(call):
            return False
        if len(self._recent) >= REMEMBERED or self._clock.monotonic() - self._began > GENERATION_S:
            self._earlier, self._recent = self._recent, set()
            self._began = self._clock.monotonic()
        digest = hash((application, call.dialect.name, model, call.headers, *map(bytes, request.fields.values())))
        if digest in self._recent:
            return True
        self._recent.add(digest)
        return digest in self._earlier
