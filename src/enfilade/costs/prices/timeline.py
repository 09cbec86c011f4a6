"""Versions over time. One holds until its own end or until the next one begins; the past is never rewritten."""

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

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
    def says(self) -> bool:
        """Whether it says something, instead of ending what came before."""
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
    if before and before[-1].says and new.says and not cuts and new.from_ns < (before[-1].to_ns or 0):
        return before[-1]
    following = next((version for version in versions if version.from_ns > new.from_ns), None)
    if following is not None and new.to_ns is not None and following.from_ns < new.to_ns:
        return following
    return None
