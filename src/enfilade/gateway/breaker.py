"""A circuit breaker for one deployment: after several failures in a row it is left alone for a while."""

from enfilade.core.clock import Clock

FAILURES_TO_OPEN = 5
OPEN_S = 10.0
MAX_OPEN_S = 120.0


class Breaker:
    """Closed lets calls through, open does not, half-open lets one through to find out."""

    __slots__ = ("_clock", "_failures", "_open_for", "_opened_at", "_trying")

    def __init__(self, clock: Clock) -> None:
        """Start closed."""
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._open_for = OPEN_S
        self._trying = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        if self._opened_at is None:
            return "closed"
        return "open" if self.seconds_until_trial() > 0 else "half_open"

    def seconds_until_trial(self) -> float:
        """How long no call is let through."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._open_for - self._clock.monotonic())

    def allows(self) -> bool:
        """Whether a call may go through now; in the half-open state this claims the one trial."""
        if self._opened_at is None:
            return True
        if self._trying or self.seconds_until_trial() > 0:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures = 0
        self._opened_at = None
        self._open_for = OPEN_S
        self._trying = False

    def failed(self) -> None:
        """A call found the deployment broken."""
        self._failures += 1
        if self._trying:
            self._open_for = min(self._open_for * 2, MAX_OPEN_S)
        if self._trying or self._failures >= FAILURES_TO_OPEN:
            self._opened_at = self._clock.monotonic()
        self._trying = False

    def gave_up(self) -> None:
        """A trial ended without telling anything: the caller left, or the fault was the request's."""
        self._trying = False
