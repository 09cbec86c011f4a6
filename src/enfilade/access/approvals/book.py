"""The grants in memory: what is active at this moment, without SQL."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from enfilade.access.approvals import store
from enfilade.access.approvals.patterns import matcher
from enfilade.access.approvals.rows import grant_of
from enfilade.access.approvals.types import Grant
from enfilade.access.types import DATA_CLASSES, RANK
from enfilade.core.clock import Clock
from enfilade.identity.directory import Install
from enfilade.identity.roles.effective import Assignment
from enfilade.identity.roles.temporary import NEVER_NS
from enfilade.storage.unit_of_work import UnitOfWork

NOTHING: frozenset[str] = frozenset()
NO_ROLES: tuple[Assignment, ...] = ()


def anything(_name: str) -> bool:
    """Matches every name."""
    return True


@dataclass(frozen=True, slots=True)
class _Use:
    """The use of models."""

    id: str
    starts_ns: int
    ends_ns: int
    model: Callable[[str], object]
    use_case: str | None
    """The only one for which it holds."""


@dataclass(frozen=True, slots=True)
class _Role:
    starts_ns: int
    ends_ns: int
    assignment: Assignment


@dataclass(frozen=True, slots=True)
class _Timed:
    """What a key or a use case has for a time."""

    id: str
    starts_ns: int
    ends_ns: int
    words: frozenset[str]


@dataclass(slots=True)
class _Entry:
    """The grants of one tenant that are not over, by whose they are."""

    uses: dict[str, list[_Use]] = field(default_factory=dict)
    """By the id of the user or application."""
    roles: dict[str, list[_Role]] = field(default_factory=dict)
    keys: dict[str, list[_Timed]] = field(default_factory=dict)
    classes: dict[str, list[_Timed]] = field(default_factory=dict)
    turns: list[int] = field(default_factory=list)
    """The moments at which one begins or ends, in order."""


class ApprovalBook:
    """A section of the directory. Time is compared at each question: nothing has to happen for a grant to end."""

    def __init__(self, clock: Clock) -> None:
        """Start with no grants. `clock` tells what time it is where the question does not."""
        self._clock = clock
        self._tenants: dict[str, _Entry] = {}

    def active(
        self,
        tenant: str,
        user: str | None,
        application: str | None,
        model: str | None,
        use_case: str | None,
        now_ns: int,
    ) -> frozenset[str]:
        """The ids of the grants by which this user, or this application, may use the model for that."""
        entry = self._tenants.get(tenant)
        if entry is None:
            return NOTHING
        uses = entry.uses
        found = [
            use.id
            for holder in (user, application)
            if holder is not None and holder in uses
            for use in uses[holder]
            if use.starts_ns <= now_ns < use.ends_ns
            and (use.use_case is None or use.use_case == use_case)
            and (model is None or use.model(model))
        ]
        return frozenset(found) if found else NOTHING

    def roles(self, tenant: str, user: str) -> tuple[Assignment, ...]:
        """The roles that a user has for the time being."""
        entry = self._tenants.get(tenant)
        if entry is None or user not in entry.roles:
            return NO_ROLES
        now_ns = self._clock.now_ns()
        return tuple(role.assignment for role in entry.roles[user] if role.starts_ns <= now_ns < role.ends_ns)

    def key_scopes(self, tenant: str, key: str) -> frozenset[str]:
        """The scopes that a key has for the time being beside its own."""
        entry = self._tenants.get(tenant)
        return NOTHING if entry is None else _words(entry.keys.get(key), self._clock.now_ns())

    def of_data_class(self, tenant: str, use_case: str | None, data_class: str, now_ns: int) -> frozenset[str]:
        """The ids of the grants by which a use case may work with data of this class."""
        entry = self._tenants.get(tenant)
        if entry is None or use_case is None or use_case not in entry.classes:
            return NOTHING
        return frozenset(
            held.id
            for held in entry.classes[use_case]
            if held.starts_ns <= now_ns < held.ends_ns and data_class in held.words
        )

    def hold_until(self, tenant: str) -> int:
        """When the next grant of the tenant begins or ends, seen from this moment."""
        return self.next_turn(tenant, self._clock.now_ns()) if tenant in self._tenants else NEVER_NS

    def next_turn(self, tenant: str, now_ns: int) -> int:
        """When the next grant of the tenant begins or ends: no answer holds longer."""
        entry = self._tenants.get(tenant)
        return NEVER_NS if entry is None else next((turn for turn in entry.turns if turn > now_ns), NEVER_NS)

    def turns(self, tenant: str) -> list[int]:
        """The moments at which a grant begins or ends, in order."""
        entry = self._tenants.get(tenant)
        return [] if entry is None else entry.turns

    async def past(self, unit: UnitOfWork, since: datetime) -> "ApprovalBook":
        """The grants of the current tenant that stood at some time since then, each until it ended or was revoked."""
        entry = _Entry()
        for row in await unit.fetch(store.PAST_GRANTS, unit.tenant, since):
            grant = grant_of(row)
            ends_ns = grant.ends_ns if grant.revoked_ns is None else min(grant.ends_ns, grant.revoked_ns)
            _add(entry, replace(grant, ends_ns=ends_ns))
        entry.turns.sort()
        book = ApprovalBook(self._clock)
        book._tenants = {unit.tenant: entry}
        return book

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """See `Section.load`."""
        entries: dict[str, _Entry] = {}
        for row in await unit.fetch(store.LOAD_GRANTS, None if tenants is None else list(tenants)):
            grant = grant_of(row)
            _add(entries.setdefault(grant.tenant, _Entry()), grant)
        for entry in entries.values():
            entry.turns.sort()
        return lambda: self._install(entries, tenants)

    def _install(self, entries: dict[str, _Entry], tenants: Collection[str] | None) -> None:
        if tenants is None:
            self._tenants = entries
            return
        for tenant in tenants:
            self._tenants.pop(tenant, None)
        self._tenants.update(entries)


def _add(entry: _Entry, grant: Grant) -> None:
    asked, time = grant.asked, (grant.starts_ns, grant.ends_ns)
    holder = grant.user or grant.application
    entry.turns += time
    if asked.kind in {"model", "use_case"} and holder is not None:
        model = matcher(asked.model) if asked.model else anything
        entry.uses.setdefault(holder, []).append(_Use(grant.id, *time, model, asked.use_case))
    elif asked.kind == "role" and grant.user is not None and asked.role is not None:
        assignment = Assignment(
            grant.id,
            grant.tenant,
            asked.role,
            user_id=grant.user,
            department_id=asked.department,
            application_id=asked.application,
            source=f"grant:{grant.id}",
        )
        entry.roles.setdefault(grant.user, []).append(_Role(*time, assignment))
    elif asked.kind == "key_scope" and grant.key is not None:
        entry.keys.setdefault(grant.key, []).append(_Timed(grant.id, *time, frozenset(asked.scopes)))
    elif asked.kind == "data_class" and asked.use_case is not None and asked.data_class is not None:
        classes = frozenset(DATA_CLASSES[: RANK[asked.data_class] + 1])
        entry.classes.setdefault(asked.use_case, []).append(_Timed(grant.id, *time, classes))


def _words(held: list[_Timed] | None, now_ns: int) -> frozenset[str]:
    if not held:
        return NOTHING
    return NOTHING.union(*(timed.words for timed in held if timed.starts_ns <= now_ns < timed.ends_ns))
