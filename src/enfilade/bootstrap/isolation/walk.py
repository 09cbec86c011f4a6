"""The walk over every address: for somebody else, what a tenant has does not exist.

For every place in a request that names something, somebody of another tenant asks for what there is and for what nobody
has. The replies must be alike to the last byte, but for what was asked for and the request's own id, and the same
statements must have been run for both: then not even a clock can tell them apart.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import httpx2

from enfilade.api.served import Served
from enfilade.bootstrap.isolation.asking import Asker, Askers, Reply, Request
from enfilade.bootstrap.isolation.pairs import Pair, Pairing
from enfilade.bootstrap.isolation.requests import ANSWERED, BODIES, DOES_MORE, REASONS
from enfilade.bootstrap.isolation.things import OURS, PLACEHOLDER, Things, is_id, noun_of, things_of, without
from enfilade.storage.isolation.types import Guarded

AT_ONCE = 8
"""So many addresses are tried at the same time."""
OF_THE_PLATFORM = "model"
"""What calls name in their path: models are the platform's."""
TRIES = 3
"""What differs in the statements must do so as often: a directory that is loaded meanwhile makes more of them once."""
NOT_UNDERSTOOD = frozenset({"invalid_request", "malformed_body", "validation_failed", "method_not_allowed", ""})
"""Codes that say nothing of whose a thing is."""


@dataclass(slots=True)
class Tried:
    """What came of the requests to one address."""

    pairs: int = 0
    lists: int = 0
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def shown(self) -> str:
        """For the report."""
        parts = [f"{2 * self.pairs} requests"] if self.pairs else []
        return ", ".join([*parts, *["a list"] * bool(self.lists), *self.notes])


@dataclass(frozen=True, slots=True)
class Walk:
    """Goes to every address."""

    served: Sequence[Served]
    asker: Askers
    """Who comes from elsewhere."""
    things: Things
    """What there is to ask for."""
    own: Things
    """What the asker's own tenant has."""

    @classmethod
    async def between(cls, served: Iterable[Served], ours: Askers, theirs: Askers) -> "Walk":
        """Find what both have, and ask as `theirs` for what is of `ours`."""
        served = list(served)
        both = [things_of(one.person, one.application, served) for one in (ours, theirs)]
        found, own = await asyncio.gather(*both)
        return cls(served, theirs, without(found, own), own)

    @property
    def _pairing(self) -> Pairing:
        return Pairing(self.things, self.own)

    async def go(self, place: str) -> AsyncIterator[Guarded]:
        """Every address, in the order in which they are served."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(served: Served) -> Guarded:
            async with turns:
                return await self._address(served, place)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(served)) for served in self.served]
        for task in tasks:
            yield task.result()

    async def _address(self, served: Served, place: str) -> Guarded:
        tried = Tried(notes=[DOES_MORE[served.name]] if served.name in DOES_MORE else [])
        if (reason := REASONS.get(served.name)) is not None:
            return Guarded("route", place, served.name, served.guard, f"none: {reason}")
        if served.reach != "platform":
            if served.has_body and served.name not in BODIES:
                tried.faults.append("the walk has no body for it: it was not tried")
            places = [(name, noun_of(served.path, name)) for name in PLACEHOLDER.findall(served.path)]
            missing = {
                noun
                for name, noun in places
                if noun != OF_THE_PLATFORM and not any(self._pairing.fitting((name, noun)))
            }
            tried.faults += [f"there is nothing of {noun} to ask for: it was not tried" for noun in sorted(missing)]
        asker = self.asker.for_address(served.path)
        for pair in self._pairing.of(served):
            tried.faults += await self._pair(asker, served, pair)
            tried.pairs += 1
        if served.method == "GET" and "{" not in served.path:
            tried.faults += await self._list(asker, served)
            tried.lists += 1
        if served.reach == "platform" and not tried.pairs:
            tried.faults += await self._refused(asker, served)
            tried.lists += 1
        if not tried.shown():
            tried.faults.append("it was not tried, and there is no reason for that")
        return Guarded("route", place, served.name, served.guard, tried.shown(), tuple(tried.faults))

    async def _pair(self, asker: Asker, served: Served, pair: Pair) -> list[str]:
        shown, faults = pair.theirs.shown(), []
        got, twin = await asker.ask(pair.theirs), await asker.ask(pair.nobodys)
        tries = 1
        while got.statements != twin.statements and served.name not in DOES_MORE:
            if tries == TRIES:
                faults.append(f"{shown}: other statements are run than for nobody's: {_differing(got, twin)}")
                break
            got, twin = await asker.ask(pair.theirs), await asker.ask(pair.nobodys)
            tries += 1
        if got.seen(pair.theirs.named) != twin.seen(pair.nobodys.named):
            faults.append(f"{shown}: {got.status} {got.code}, of nobody's {twin.status} {twin.code}, or another reply")
        if got.status < httpx2.codes.BAD_REQUEST and served.name not in ANSWERED:
            faults.append(f"{shown}: {got.status}, as if it were the caller's")
        elif served.reach != "platform" and not _is_understood(got, pair.theirs):
            faults.append(f"{shown}: it was not understood ({got.text[:200]}), so nothing was tried")
        return faults

    async def _refused(self, asker: Asker, served: Served) -> list[str]:
        """Where nothing of a tenant can be named, and only the platform's people may ask."""
        request = self._pairing.own_request(served)
        reply = await asker.ask(request)
        return (
            []
            if reply.status == httpx2.codes.FORBIDDEN
            else [f"{request.shown()}: {reply.status}, to a tenant's owner"]
        )

    async def _list(self, asker: Asker, served: Served) -> list[str]:
        leaked = self.leaked(await asker.ask(Request("GET", served.path)))
        return [f"the answer names {leaked}"] if leaked else []

    def leaked(self, reply: Reply) -> str | None:
        """Something of the other tenant's that a reply names."""
        values = {value for found in self.things.values() for value in found}
        telling = (value for value in values if is_id(value) or OURS in value)
        return min((value for value in telling if value in reply.text), default=None)


def _is_understood(reply: Reply, request: Request) -> bool:
    """Whether a reply is about what was asked for, and not about how."""
    if reply.status not in {400, 415, 422} or reply.code not in NOT_UNDERSTOOD:
        return True
    return any(value in reply.text for value in request.named)


def _differing(got: Reply, twin: Reply) -> str:
    """The first statement that only one of them had."""
    both = zip_longest(got.statements, twin.statements)
    return next((" ".join((one or other or "").split())[:200] for one, other in both if one != other), "")
