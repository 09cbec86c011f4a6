"""Versions over time. One holds until its own end or until the next one begins; the past is never rewritten."""

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from enfilade.core.clock import to_rfc3339
from enfilade.core.errors import InvalidRequest
from enfilade.costs.errors import InvalidRule, OverlappingPrices

FOREVER_NS = 1 << 63


class Dated(Protocol):
    """What holds from a moment on, until its end if it has one."""

    @property
    def from_ns(self) -> int:
        """The first moment at which it holds."""
        ...

    @property
    def to_ns(self) -> int | None:
        """The first moment at which it no longer holds."""
        ...

    @property
    def content(self) -> object:
        """What it says; None where it ends what came before."""
        ...


T = TypeVar("T", bound=Dated)


class InForce(NamedTuple, Generic[T]):
    """What holds at a moment, and until when that stays so."""

    version: T | None
    until_ns: int


def in_force(versions: Sequence[T], now_ns: int) -> InForce[T]:
    """The version that holds at a moment. They ascend by their beginning; of two that begin together the later counts."""
    current: T | None = None
    until = FOREVER_NS
    for version in versions:
        if version.from_ns > now_ns:
            until = version.from_ns
            break
        current = version
    if current is not None and current.to_ns is not None:
        if current.to_ns <= now_ns:
            return InForce(None, until)
        until = min(until, current.to_ns)
    return InForce(current, until)


def ordered(versions: Iterable[T]) -> list[T]:
    """By their beginning; those that begin together keep their order."""
    return sorted(versions, key=lambda version: version.from_ns)


def conflict(versions: Sequence[T], new: T, *, cuts: bool = False) -> T | None:
    """The version whose span the new one cuts, or is cut by, although an end was declared for it.

    A version without an end makes way for whatever begins later; one with an end was promised for all of its span.
    """
    before = [version for version in versions if version.from_ns < new.from_ns]
    if before and not cuts and new.content is not None:
        earlier = before[-1]
        if earlier.content is not None and new.from_ns < (earlier.to_ns or 0):
            return earlier
    following = next((version for version in versions if version.from_ns > new.from_ns), None)
    if following is not None and new.to_ns is not None and following.from_ns < new.to_ns:
        return following
    return None


def is_there(versions: Sequence[T], new: T, *, exact: bool) -> bool:
    """Whether a version says the same: from the same moment, or, of what holds from now on, at all."""
    present = in_force(versions, new.from_ns).version
    if exact and (present is None or present.from_ns != new.from_ns):
        return False
    if present is None:
        return new.content is None
    return present.content == new.content and present.to_ns == new.to_ns


def check_new(versions: Sequence[T], new: T, now_ns: int, what: str, *, cuts: bool = False) -> None:
    """Raise InvalidRequest for what would reach back, OverlappingPrices for what cuts another's span; `what` names both.

    Raises InvalidRule for what ends before it begins.
    """
    if new.from_ns < now_ns:
        message = "A price cannot be set for the past: what was charged stays charged."
        raise InvalidRequest(message, param="effective_from")
    if new.to_ns is not None and new.to_ns <= new.from_ns:
        message = "It would end before it began."
        raise InvalidRule(message, param="effective_to")
    cut = conflict(versions, new, cuts=cuts)
    if cut is not None:
        message = f"{what} {span(new)} overlaps the one {span(cut)}."
        raise OverlappingPrices(message, param="effective_from")


def span(version: Dated) -> str:
    """`from 2026-11-01T00:00:00Z until …`, for messages."""
    until = "" if version.to_ns is None else f" until {to_rfc3339(version.to_ns)}"
    return (f"from {to_rfc3339(version.from_ns)}" if version.from_ns else "from the beginning") + until
