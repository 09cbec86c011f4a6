"""Limits of requests, tokens and concurrency, as administrators declare them."""

from dataclasses import dataclass
from typing import Any

from enfilade.core.ids import IdFactory
from enfilade.costs.errors import InvalidRule, RuleExists, UnknownLimit
from enfilade.costs.holds import store
from enfilade.costs.holds.subjects import described, resolve_subject
from enfilade.costs.holds.types import PER_SECONDS, LimitRule, Measure, Subject
from enfilade.identity.rows import START, check_version, text_id
from enfilade.identity.service import Identity
from enfilade.identity.types import Outcome
from enfilade.storage.rounds import fetch_found
from enfilade.storage.unit_of_work import UnitOfWork

MAX_AMOUNT = 2**53


@dataclass(frozen=True, slots=True)
class LimitSpec:
    """A limit in the words of the configuration: `scope` is e.g. `application:NAME` or `user:*`."""

    scope: str
    measure: str
    amount: int
    per: str | None = None
    model: str | None = None


class Limits:
    """The use cases of limits."""

    def __init__(self, ids: IdFactory, identity: Identity) -> None:
        """Name new limits with `ids`."""
        self._ids = ids
        self._identity = identity

    async def page(self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None) -> list[LimitRule]:
        """Limits in the order of their making."""
        return [limit_of(row) for row in await unit.fetch_listed(store.LIST_LIMITS, after or START, limit, tenant)]

    async def get(self, unit: UnitOfWork, identifier: str) -> LimitRule:
        """The limit with that id. Raises UnknownLimit."""
        row = await fetch_found(unit, store.FIND_LIMIT, identifier)
        if row is None:
            message = f"There is no limit {identifier!r} in this tenant."
            raise UnknownLimit(message)
        return limit_of(row)

    async def put(
        self, unit: UnitOfWork, spec: LimitSpec, expected: int | None = None, *, must_be_new: bool = False
    ) -> tuple[LimitRule, Outcome]:
        """Declare a limit; one for the same subject, model, measure and window is changed.

        Raises InvalidRule, RuleExists, VersionMismatch, and what looking up the scope's name raises.
        """
        check_limit(spec)
        subject = await resolve_subject(self._identity, unit, spec.scope)
        same = (unit.tenant, subject.kind, subject.id, spec.model, spec.measure, spec.per)
        row = await unit.fetch_row(store.FIND_SAME_LIMIT, *same)
        if row is None:
            identifier = self._ids.new_id()
            await unit.execute(
                store.INSERT_LIMIT,
                *(unit.tenant, identifier, subject.kind, subject.id, spec.model, spec.measure, spec.amount, spec.per),
            )
            outcome = Outcome.CREATED
        else:
            present = limit_of(row)
            if must_be_new:
                message = f"There is a limit of {spec.measure} for this scope, model and window already: {present.id}."
                raise RuleExists(message)
            identifier = present.id
            check_version(expected, present.version)
            if present.amount == spec.amount:
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_LIMIT, unit.tenant, identifier, spec.amount)
            outcome = Outcome.CHANGED
        unit.record(
            "LimitCreated" if outcome is Outcome.CREATED else "LimitChanged",
            **described(identifier, subject, spec.model),
            measure=spec.measure,
            amount=spec.amount,
            per=spec.per,
        )
        unit.changed()
        return await self.get(unit, identifier), outcome

    async def remove(self, unit: UnitOfWork, identifier: str, expected: int | None = None) -> None:
        """Lift a limit."""
        present = await self.get(unit, identifier)
        await unit.act_in(present.tenant)
        check_version(expected, present.version)
        await unit.execute(store.DELETE_LIMIT, unit.tenant, present.id)
        unit.record("LimitRemoved", **described(present.id, present.subject, present.model))
        unit.changed()


def limit_of(row: Any) -> LimitRule:
    """A limit from its row."""
    return LimitRule(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        subject=Subject(row["subject_kind"], text_id(row["subject_id"])),
        model=row["model"],
        measure=Measure(row["measure"]),
        amount=row["amount"],
        per=row["per"],
        version=row["version"],
    )


def check_limit(spec: LimitSpec) -> None:
    """Refuse what means nothing. Raises InvalidRule."""
    if spec.measure not in {measure.value for measure in Measure}:
        message = f"{spec.measure!r} cannot be limited; use requests, tokens or concurrency"
        raise InvalidRule(message, param="measure")
    if not 0 <= spec.amount <= MAX_AMOUNT:
        message = f"a limit must be between 0 and {MAX_AMOUNT}"
        raise InvalidRule(message, param=spec.measure)
    if spec.measure == Measure.CONCURRENCY:
        if spec.per is not None:
            message = "concurrency has no window: leave `per` out"
            raise InvalidRule(message, param="per")
    elif spec.per not in PER_SECONDS:
        message = f"`per` must be one of {', '.join(PER_SECONDS)}"
        raise InvalidRule(message, param="per")
