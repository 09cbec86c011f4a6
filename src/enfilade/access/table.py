"""A tenant's policies, found by whom and what they concern: only those that can concern a question are evaluated.

Sets of policies are numbers whose bits are the policies' positions: joining and crossing ten thousand costs less than a
microsecond.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import cedarpy

from enfilade.access.compiled import CompiledPolicy
from enfilade.access.types import ActionName

MAX_PARSED = 20_000
"""So many policies are kept parsed for a tenant, counted in each slice that they are in: a few kilobytes each."""
FEW = 8
"""So few policies are parsed as fast as they are added to a set that is parsed already."""

MANY = 50
"""So many keep whoever asks first waiting for two milliseconds."""

MOST_PREPARED = 500

Index = dict[str | None, int]
Asked = tuple[Iterable[str], str, Iterable[str], str]
"""The caller with all that they belong to, an action, a resource with all that it belongs to, and a use case."""


class Slice:
    """The policies that can concern one kind of question, parsed."""

    __slots__ = ("asked", "mentions", "names", "policies")

    def __init__(self, policies: Sequence[CompiledPolicy], parsed: cedarpy.PolicySet, asked: Asked) -> None:
        """`parsed` holds these, in this order; `asked` is a question that they can concern."""
        self.asked = asked
        self.names = [policy.name for policy in policies]
        self.mentions = frozenset(name for policy in policies for name in policy.mentions)
        self.policies = parsed


class PolicyTable:
    """A tenant's policies, indexed."""

    def __init__(self, policies: Sequence[CompiledPolicy]) -> None:
        """Index them; nothing is parsed yet."""
        self.policies = policies
        self.by_name = {policy.name: policy for policy in policies}
        self.mentions = frozenset(name for policy in policies for name in policy.mentions)
        self.by_action = _index(policies, lambda policy: policy.actions)
        self.by_principal = _index(policies, lambda policy: policy.principals)
        self.by_resource = _index(policies, lambda policy: policy.resources)
        self.by_use_case = _index(policies, lambda policy: policy.use_cases)
        everybody = self.by_principal[None] & self.by_resource[None] & self.by_use_case[None]
        self._wide = everybody & (self.by_action[None] | self.by_action.get(ActionName.CALL, 0))
        self._slices: dict[int, Slice] = {}
        self._parsed = 0
        self._wide_parsed: cedarpy.PolicySet | None = None

    def prepare(self, asked: Iterable[Asked] = ()) -> None:
        """Parse what these questions need, and what concerns every call where that is much, so that no call waits for it.

        Meant for a thread: others run while the engine parses.
        """
        try:
            if self._wide.bit_count() > MANY:
                self._wide_parsed = cedarpy.PolicySet.from_str(self._text(self._wide), release_gil=True)
            for question in islice(asked, MOST_PREPARED):
                self.slice(*question, release_gil=True)
        except ValueError:
            return  # Each question that they concern will be told so.

    @property
    def kinds(self) -> int:
        """How many kinds of questions were asked."""
        return len(self._slices)

    def asked(self) -> list[Asked]:
        """Questions of each kind that was asked, the newest kinds first."""
        slices = list(self._slices.values())  # In one step: this is read in a thread, and written on the event loop.
        return [slice_.asked for slice_ in reversed(slices)]

    def concerned(self, principals: Iterable[str], action: str, resources: Iterable[str], use_case: str) -> int:
        """Which policies can concern a caller (with all that they belong to), an action, a resource and a use case."""
        found = self.by_action[None] | self.by_action.get(action, 0)
        found &= _any_of(self.by_principal, principals)
        found &= _any_of(self.by_resource, resources)
        return found & (self.by_use_case[None] | self.by_use_case.get(use_case, 0))

    def slice(
        self,
        principals: Iterable[str],
        action: str,
        resources: Iterable[str],
        use_case: str,
        *,
        release_gil: bool = False,
    ) -> Slice | None:
        """The same, parsed; None where none can. Raises ValueError for what the engine no longer reads."""
        found = self.concerned(principals, action, resources, use_case)
        if not found:
            return None
        slice_ = self._slices.get(found)
        if slice_ is None:
            self._parsed += found.bit_count()
            if self._parsed > MAX_PARSED:
                self._slices.clear()
                self._parsed = found.bit_count()
            asked = principals, action, resources, use_case
            slice_ = self._slices[found] = self._parse(found, asked, release_gil=release_gil)
        return slice_

    def at(self, positions: int) -> Iterator[CompiledPolicy]:
        """The policies of these positions, in order."""
        return (self.policies[position] for position in _bits(positions))

    def _parse(self, found: int, asked: Asked, *, release_gil: bool) -> Slice:
        wide = found & self._wide
        if wide != self._wide or wide.bit_count() <= FEW:
            parsed = cedarpy.PolicySet.from_str(self._text(found), release_gil=release_gil)
            return Slice(list(self.at(found)), parsed, asked)
        if self._wide_parsed is None:
            self._wide_parsed = cedarpy.PolicySet.from_str(self._text(wide))
        parsed, others = self._wide_parsed, found ^ wide
        if others:
            # The engine numbers what is added after what is there.
            parsed = parsed.with_added_str(self._text(others))
        return Slice([*self.at(wide), *self.at(others)], parsed, asked)

    def _text(self, positions: int) -> str:
        return "\n".join(policy.text for policy in self.at(positions))


def _index(policies: Sequence[CompiledPolicy], names: Callable[[CompiledPolicy], tuple[str, ...] | None]) -> Index:
    positions: dict[str | None, list[int]] = {None: []}
    for position, policy in enumerate(policies):
        concerned = names(policy)
        for name in (None,) if concerned is None else concerned:
            positions.setdefault(name, []).append(position)
    return {name: _mask(found, len(policies)) for name, found in positions.items()}


def _mask(positions: Iterable[int], size: int) -> int:
    bits = bytearray(size // 8 + 1)
    for position in positions:
        bits[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(bits, "little")


def _bits(positions: int) -> Iterator[int]:
    digits = bin(positions)[:1:-1]
    position = digits.find("1")
    while position >= 0:
        yield position
        position = digits.find("1", position + 1)


def _any_of(index: Index, names: Iterable[str]) -> int:
    found = index[None]
    for name in names:
        found |= index.get(name, 0)
    return found
