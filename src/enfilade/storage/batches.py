"""What waits to be written: records of calls, facts, notes of running calls; and a batch of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from enfilade.core.events import Event
from enfilade.storage.errors import DatabaseUnavailable, StorageFault


@dataclass(slots=True)
class Settlement:
    """A finished call's record on its way to the database."""

    call_id: str
    body: str
    alerts: Sequence[Event]
    written: "asyncio.Future[None]"
    schema: str
    tenant: str = ""
    refused_since: float | None = None
    """When a cell first said that its tenant is not there."""

    def describe(self) -> str:
        """Which record this is, without its content."""
        return self.call_id

    def refuse(self, message: str) -> None:
        """Tell whoever waits that it will never be written."""
        if not self.written.done():
            self.written.set_exception(StorageFault(message))
            self.written.exception()  # It counts as seen, as below.

    def release(self) -> None:
        """Tell whoever waits that the answer cannot be given. The record itself stays where it waits."""
        if not self.written.done():
            message = "The record of this call cannot be written at the moment, so it cannot be answered."
            self.written.set_exception(DatabaseUnavailable(message, retry_after=5))
            self.written.exception()  # It counts as seen: whoever waits sees it, and some have left.


@dataclass(slots=True)
class Fact:
    """An event that belongs to no call, on its way to the database."""

    event: Event
    schema: str
    refused_since: float | None = None

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.event.tenant

    @property
    def body(self) -> str:
        """The event as it is stored."""
        return self.event.body()

    def describe(self) -> str:
        """Which record this is, without its content."""
        return self.event.type


@dataclass(slots=True)
class Note:
    """The note of a running call on its way to the database."""

    call_id: str
    body: str
    schema: str
    tenant: str = ""
    refused_since: float | None = None

    def describe(self) -> str:
        """Which record this is, without its content."""
        return f"intent {self.call_id}"


Record = Settlement | Fact | Note


@dataclass(slots=True)
class Batch:
    """Records of all kinds that are written in one transaction."""

    settlements: list[Settlement] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    intents: list[Note] = field(default_factory=list)

    def split(self) -> "list[Batch]":
        """The batch in two or three parts, or nothing when it holds a single record."""
        kinds = [
            kind
            for kind in (Batch(self.settlements), Batch(facts=self.facts), Batch(intents=self.intents))
            if kind.size
        ]
        if len(kinds) > 1:
            return kinds
        if self.size <= 1:
            return []
        middle = self.size // 2
        return [
            Batch(self.settlements[:middle], self.facts[:middle], self.intents[:middle]),
            Batch(self.settlements[middle:], self.facts[middle:], self.intents[middle:]),
        ]

    @property
    def size(self) -> int:
        """How many records there are."""
        return len(self.settlements) + len(self.facts) + len(self.intents)

    def records(self) -> list[Record]:
        """All of them."""
        return [*self.settlements, *self.facts, *self.intents]

    def schemas(self) -> list[str]:
        """The schemas that the records belong to, in the order in which everybody writes to them."""
        return sorted({record.schema for record in self.records()})

    def part(self, schema: str) -> "Batch":
        """The records of one schema."""
        return Batch(
            [record for record in self.settlements if record.schema == schema],
            [record for record in self.facts if record.schema == schema],
            [record for record in self.intents if record.schema == schema],
        )
