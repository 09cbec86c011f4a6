"""How reconciliations are shown."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from enfilade.api.admin.views import Incomplete, Money, View
from enfilade.core.money import format_usd
from enfilade.costs.reconciliation.booking import Booked
from enfilade.costs.reconciliation.causes import Figures
from enfilade.costs.reconciliation.matching import Group
from enfilade.costs.reconciliation.records import Record, Report
from enfilade.storage import rounds

Cause = Literal["missing_here", "missing_there", "price", "quantity", "estimate", "rounding", "unexplained"]
DAY = timedelta(days=1)


class LeftOutView(View):
    """Rows of an export that are not about models."""

    what: str
    rows: int
    amount_usd: Money


class KeyView(View):
    """What one of the export's keys, projects, workspaces or accounts cost."""

    key: str
    amount_usd: Money


class ReconciliationView(View):
    """An imported export."""

    id: str
    provider: str
    providers: list[str]
    formats: list[str]
    files: list[str]
    start: Annotated[date, Field(alias="from", serialization_alias="from")]
    to: Annotated[date, Field(description="The last day; days are in UTC.")]
    rows: int
    rounded_rows: Annotated[int, Field(description="Rows whose amount was finer than a nano-dollar.")]
    outside_rows: Annotated[int, Field(description="Rows of days outside the period that was asked for.")]
    smallest_unit_usd: Money
    tolerance_usd: Money
    total_usd: Annotated[Money | None, Field(description="Null where the export counts and does not price.")]
    left_out: list[LeftOutView]
    keys: list[KeyView]
    imported_at: datetime
    imported_by: str
    superseded_by: str | None


class CauseView(View):
    """What one cause comes to."""

    cause: Cause
    difference_usd: Money
    booked_usd: Money


class KindView(View):
    """One kind of a group, there and here; null is not said."""

    kind: str | None
    export_quantity: int | None
    ledger_quantity: int | None
    export_usd: Money | None
    ledger_usd: Money | None


class GroupView(View):
    """One day of one model at one provider."""

    day: date
    provider: str
    model: str
    status: Literal["matches", "differs"]
    export_usd: Money
    is_valued: Annotated[bool, Field(description="Whether the export's quantities were valued at our own prices.")]
    ledger_usd: Money
    difference_usd: Annotated[Money, Field(description="Positive when the provider charges more than the ledger says.")]
    tolerance_usd: Money
    causes: list[CauseView]
    entries: int
    estimated_entries: int
    kinds: list[KindView]


class ReportView(View):
    """An export beside the ledger as it is now."""

    reconciliation: ReconciliationView
    export_usd: Money
    ledger_usd: Money
    difference_usd: Money
    booked_usd: Money
    causes: list[CauseView]
    groups_total: int
    groups_differing: int
    groups: Annotated[list[GroupView], Field(description="The largest differences first.")]
    incomplete: Incomplete = Field(default_factory=rounds.left_out)


class ImportView(ReportView):
    """What an import came to."""

    changed: Annotated[bool, Field(description="False when this export had been imported before.")]
    superseded: Annotated[list[str], Field(description="Older exports that this one takes the place of.")]


class TenantShare(View):
    """A tenant's part of what was booked."""

    tenant: str
    provider_usd: Money


class LeftView(View):
    """A difference that could not be booked."""

    day: date
    provider: str
    model: str
    cause: Cause
    difference_usd: Money


class BookedView(View):
    """What was booked."""

    provider_usd: Money
    amount_usd: Money
    differences: int
    corrections: int
    tenants: list[TenantShare]
    left: Annotated[list[LeftView], Field(description="No call stands behind these; name a tenant to book them.")]


def report_view(report: Report, status: str | None, limit: int) -> ReportView:
    """As it is shown."""
    groups = [
        group
        for group in report.groups
        if status is None or ("matches" if group.verdict.matches else "differs") == status
    ]
    groups.sort(key=lambda group: (-abs(group.verdict.difference_nano), group.day, group.provider, group.model))
    return ReportView(
        reconciliation=reconciliation_view(report.record),
        export_usd=format_usd(sum(group.verdict.there_nano for group in report.groups)),
        ledger_usd=format_usd(sum(group.verdict.here_nano for group in report.groups)),
        difference_usd=format_usd(sum(group.verdict.difference_nano for group in report.groups)),
        booked_usd=format_usd(sum(report.booked.values())),
        causes=_causes(report),
        groups_total=len(report.groups),
        groups_differing=len(report.differing),
        groups=[_group(report, group) for group in groups[:limit]],
    )


def reconciliation_view(record: Record) -> ReconciliationView:
    """What was imported."""
    fields = {
        "id": record.id,
        "provider": record.provider,
        "providers": record.providers,
        "formats": record.formats,
        "files": record.files,
        "from": record.first_day,
        "to": record.end_day - DAY,
        "rows": record.rows,
        "rounded_rows": record.rounded_rows,
        "outside_rows": record.outside_rows,
        "smallest_unit_usd": format_usd(record.unit_nano),
        "tolerance_usd": format_usd(record.tolerance_nano),
        "total_usd": None if record.total_nano is None else format_usd(record.total_nano),
        "left_out": [
            LeftOutView(what=what, rows=rows, amount_usd=format_usd(nano))
            for what, (rows, nano) in sorted(record.left_out.items())
        ],
        "keys": [KeyView(key=key, amount_usd=format_usd(nano)) for key, nano in record.keys.items()],
        "imported_at": record.imported_at,
        "imported_by": record.imported_by,
        "superseded_by": record.superseded_by,
    }
    return ReconciliationView.model_validate(fields)


def _causes(report: Report) -> list[CauseView]:
    sums = report.by_cause()
    booked: dict[str, int] = {}
    for (_, _, _, cause), nano in report.booked.items():
        booked[cause] = booked.get(cause, 0) + nano
    return [
        _cause(cause, sums.get(cause, 0), booked.get(cause, 0))
        for cause in (*sums, *(cause for cause in booked if cause not in sums))
    ]


def _cause(cause: str, nano: int, booked: int) -> CauseView:
    return CauseView.model_validate(
        {"cause": cause, "difference_usd": format_usd(nano), "booked_usd": format_usd(booked)}
    )


def _group(report: Report, group: Group) -> GroupView:
    verdict = group.verdict
    return GroupView(
        day=group.day,
        provider=group.provider,
        model=group.model,
        status="matches" if verdict.matches else "differs",
        export_usd=format_usd(verdict.there_nano),
        is_valued=verdict.is_valued,
        ledger_usd=format_usd(verdict.here_nano),
        difference_usd=format_usd(verdict.difference_nano),
        tolerance_usd=format_usd(verdict.tolerance_nano),
        causes=[
            _cause(cause, nano, report.booked.get((group.day, group.provider, group.key, cause), 0))
            for cause, nano in verdict.causes.items()
        ],
        entries=group.entries,
        estimated_entries=group.estimated_entries,
        kinds=[
            KindView(
                kind=part.kind,
                export_quantity=part.there.quantity,
                ledger_quantity=part.here.quantity,
                export_usd=_usd(part.there),
                ledger_usd=_usd(part.here),
            )
            for part in verdict.kinds
        ],
    )


def _usd(figures: Figures) -> str | None:
    return None if figures.nano is None else format_usd(figures.nano)


def booked_view(booked: Booked, names: dict[str, str]) -> BookedView:
    """What was booked, with the tenants' names."""
    return BookedView(
        provider_usd=format_usd(booked.provider_nano),
        amount_usd=format_usd(booked.amount_nano),
        differences=booked.differences,
        corrections=booked.corrections,
        tenants=[
            TenantShare(tenant=names.get(tenant, tenant), provider_usd=format_usd(nano))
            for tenant, nano in booked.tenants.items()
        ],
        left=[
            LeftView.model_validate(
                {
                    "day": group.day,
                    "provider": group.provider,
                    "model": group.model,
                    "cause": cause,
                    "difference_usd": format_usd(nano),
                }
            )
            for group, cause, nano in booked.left
        ],
    )
