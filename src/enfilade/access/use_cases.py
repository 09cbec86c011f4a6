"""The register of use cases: what models are used for, who answers for it, and when somebody looked last."""

from collections.abc import Collection
from datetime import date
from typing import Any

import msgspec

from enfilade.access import store
from enfilade.access.errors import InvalidAccess, UnknownUseCase
from enfilade.access.types import DATA_CLASSES, RANK, RISK_TIERS
from enfilade.core.canonical import canonical_text
from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.identity.people import Departments
from enfilade.identity.rows import EMAIL, NAME, START, check_name, check_version
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

MAX_TEXT = 2_000


class UseCaseSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an administrator says of a use case."""

    name: str
    owner: str
    """The address of who answers for it."""
    purpose: str
    risk_tier: str = "minimal"
    """As in the EU AI Act; what is prohibited is never allowed."""
    data_classes: tuple[str, ...] = ("internal",)
    human_oversight: str = ""
    """Who looks at what comes out, and can stop it."""
    review_date: str | None = None
    """The day by which somebody looks at it again: 2027-03-31."""
    departments: tuple[str, ...] = ()
    """Who may name it; without any, everybody."""


class UseCase(msgspec.Struct, frozen=True):
    """A use case of the register."""

    id: str
    tenant: str
    spec: UseCaseSpec
    version: int

    def is_overdue(self, today: date) -> bool:
        """Whether its review is late."""
        return self.spec.review_date is not None and date.fromisoformat(self.spec.review_date) < today


class UseCases:
    """What administrators do with the register."""

    def __init__(self, ids: IdFactory, clock: Clock, departments: Departments) -> None:
        """Name new entries with `ids`."""
        self._ids = ids
        self._clock = clock
        self._departments = departments

    def today(self) -> date:
        """The day, in universal time: reviews are no matter of hours."""
        return to_datetime(self._clock.now_ns()).date()

    async def page(
        self,
        unit: UnitOfWork,
        after: str | None,
        limit: int,
        tenant: str | None = None,
        *,
        overdue: bool = False,
    ) -> list[UseCase]:
        """Use cases in the order of their making."""
        before = self.today() if overdue else None
        return [
            use_case_of(row)
            for row in await unit.fetch_listed(store.LIST_USE_CASES, after or START, limit, tenant, before)
        ]

    async def find(self, unit: UnitOfWork, name: str) -> UseCase | None:
        """The current tenant's use case of that name or id."""
        row = await unit.fetch_row(store.FIND_USE_CASE, name, unit.tenant)
        return None if row is None else use_case_of(row)

    async def get(self, unit: UnitOfWork, name: str) -> UseCase:
        """Like `find`; raises UnknownUseCase."""
        found = await self.find(unit, name)
        if found is None:
            message = f"There is no use case {name!r} in this tenant."
            raise UnknownUseCase(message, param="use_case")
        return found

    async def put(self, unit: UnitOfWork, spec: UseCaseSpec, expected: int | None = None) -> tuple[UseCase, Outcome]:
        """Register the use case as specified, or change it to be so.

        Raises InvalidSpecification, InvalidAccess, UnknownDepartment, VersionMismatch.
        """
        spec = normal(spec)
        for name in spec.departments:
            await self._departments.get(unit, name)
        present = await self.find(unit, spec.name)
        review = None if spec.review_date is None else date.fromisoformat(spec.review_date)
        if present is None:
            identifier, outcome = self._ids.new_id(), Outcome.CREATED
            await unit.execute(store.INSERT_USE_CASE, unit.tenant, identifier, spec.name, canonical_text(spec), review)
        else:
            check_version(expected, present.version)
            if present.spec == spec:
                return present, Outcome.UNCHANGED
            identifier, outcome = present.id, Outcome.CHANGED
            await unit.execute(store.UPDATE_USE_CASE, unit.tenant, identifier, canonical_text(spec), review)
        # Who owns it stays out of the event, like every address.
        unit.record(
            "UseCaseRegistered" if outcome is Outcome.CREATED else "UseCaseChanged",
            id=identifier,
            name=spec.name,
            risk_tier=spec.risk_tier,
            data_classes=list(spec.data_classes),
            departments=list(spec.departments),
            review_date=spec.review_date,
        )
        unit.changed()
        return await self.get(unit, spec.name), outcome

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Take a use case off the register."""
        present = await self.get(unit, name)
        check_version(expected, present.version)
        await unit.execute(store.REMOVE_USE_CASE, unit.tenant, present.id)
        unit.record("UseCaseRemoved", id=present.id, name=present.spec.name)
        unit.changed()

    async def tell_overdue(self, unit: UnitOfWork) -> int:
        """Record once for each review that is late that it is; say how many."""
        rows = await unit.fetch(store.CLAIM_OVERDUE, unit.tenant, self.today())
        for row in rows:
            unit.record(
                "UseCaseReviewOverdue", id=str(row["id"]), name=row["name"], review_date=row["review_date"].isoformat()
            )
        return len(rows)


def use_case_of(row: Any) -> UseCase:
    """A use case from its row."""
    spec = msgspec.json.decode(row["spec"], type=UseCaseSpec)
    return UseCase(str(row["id"]), str(row["tenant_id"]), spec, row["version"])


def normal(spec: UseCaseSpec) -> UseCaseSpec:
    """The specification in its normal form. Raises InvalidSpecification, InvalidAccess."""
    check_name(spec.name, NAME)
    owner = spec.owner.lower()
    check_name(owner, EMAIL, "owner")
    _one_of(spec.risk_tier, RISK_TIERS, "risk_tier")
    for name in spec.data_classes:
        _one_of(name, DATA_CLASSES, "data_classes")
    for param in ("purpose", "human_oversight"):
        if len(getattr(spec, param)) > MAX_TEXT:
            message = f"`{param}` has at most {MAX_TEXT} characters"
            raise InvalidAccess(message, param=param)
    if not spec.purpose.strip():
        message = "a use case has a purpose"
        raise InvalidAccess(message, param="purpose")
    return msgspec.structs.replace(
        spec,
        owner=owner,
        data_classes=tuple(sorted(set(spec.data_classes), key=lambda name: RANK[name])),
        review_date=_day(spec.review_date),
        departments=tuple(dict.fromkeys(spec.departments)),
    )


def _day(text: str | None) -> str | None:
    try:
        return None if text is None else date.fromisoformat(text).isoformat()
    except ValueError:
        message = f"{text!r} is no day; write it as 2027-03-31"
        raise InvalidAccess(message, param="review_date") from None


def _one_of(word: str, known: Collection[str], param: str) -> None:
    if word not in known:
        message = f"{word!r} does not fit `{param}`; there are {', '.join(known)}"
        raise InvalidAccess(message, param=param)
