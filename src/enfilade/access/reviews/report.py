"""The report of a closed campaign: canonical JSON, whose hash the closing event holds; CSV and Markdown are made of it."""

import csv
import hashlib
import io
from collections import Counter
from datetime import datetime
from typing import Any

import msgspec

from enfilade.access.approvals.people import emails_of
from enfilade.access.reviews import store
from enfilade.access.reviews.errors import ReviewUnanswered
from enfilade.access.reviews.rows import item_of
from enfilade.access.reviews.types import Item, Review
from enfilade.core.canonical import canonical_text
from enfilade.core.clock import to_ns, to_rfc3339
from enfilade.identity.rows import START
from enfilade.storage.unit_of_work import UnitOfWork

COLUMNS = (
    *("kind", "subject", "access", "since", "granted_by", "last_used", "last_sign_in", "calls"),
    *("decision", "reason", "decided_by", "decided_at", "outcome"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def make_report(unit: UnitOfWork, campaign: Review, closed_at: datetime) -> str:
    """The report as canonical JSON."""
    items: list[Item] = []
    after: Any = START
    while rows := await unit.fetch(store.LIST_ITEMS, after, 1000, unit.tenant, campaign.id, None, None):
        items += [item_of(row) for row in rows]
        after = rows[-1]["id"]
    people = {person for item in items for person in (*item.reviewers, item.decided_by) if person}
    emails = await emails_of(unit, unit.tenant, people)
    return canonical_text(
        {
            "review": {
                "id": campaign.id,
                "name": campaign.name,
                "scope": list(campaign.settings.scope),
                "department": campaign.settings.department,
                "revoke_unanswered": campaign.settings.revoke_unanswered,
                "started_by": campaign.started_by,
                "started_at": _text(campaign.started_at),
                "due_at": _text(campaign.due_at),
                "closed_at": _text(closed_at),
            },
            "summary": {
                "items": len(items),
                "unanswered": sum(item.decided_by is None for item in items),
                "decisions": dict(sorted(Counter(str(item.decision) for item in items).items())),
                "outcomes": dict(sorted(Counter(str(item.outcome) for item in items).items())),
            },
            "items": [_shown(item, emails) for item in items],
        }
    )


def report_hash(report: str) -> str:
    """The SHA-256 of a report's bytes."""
    return hashlib.sha256(report.encode()).hexdigest()


async def find_report(unit: UnitOfWork, campaign: Review) -> str:
    """The report as it was written. Raises ReviewUnanswered while the campaign runs."""
    report = await unit.fetch_value(store.REPORT, unit.tenant, campaign.id)
    if report is None:
        message = "The review is not closed yet; its report comes with its end."
        raise ReviewUnanswered(message)
    return str(report)


def _shown(item: Item, emails: dict[str, str]) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "object": item.object,
        "subject": item.subject,
        "access": item.label,
        "evidence": item.evidence,
        "reviewers": [emails.get(reviewer, reviewer) for reviewer in item.reviewers],
        "decision": item.decision,
        "change": item.change,
        "reason": item.reason,
        "decided_by": emails.get(item.decided_by, item.decided_by) if item.decided_by else None,
        "decided_at": _text(item.decided_at),
        "outcome": item.outcome,
    }


def as_csv(report: str) -> str:
    """A row for each item."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in msgspec.json.decode(report)["items"]:
        writer.writerow([_cell(_field(item, column)) for column in COLUMNS])
    return text.getvalue()


def as_markdown(report: str) -> str:
    """The report for people."""
    content = msgspec.json.decode(report)
    review, summary = content["review"], content["summary"]
    decisions = ", ".join(f"{count} {name}" for name, count in summary["decisions"].items()) or "none"
    lines = [
        f"# Access review: {_plain(review['name'])}",
        "",
        f"* Started {review['started_at']} by {_plain(review['started_by'])}",
        f"* Due {review['due_at']}, closed {review['closed_at']}",
        f"* Scope: {', '.join(review['scope'])}",
        f"* Items: {summary['items']}; decisions: {decisions}; nobody answered: {summary['unanswered']}",
        f"* SHA-256 of the report in JSON: `{report_hash(report)}`",
        "",
        "| " + " | ".join(column.replace("_", " ") for column in COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    lines += ["| " + " | ".join(_plain(_field(item, column)) for column in COLUMNS) + " |" for item in content["items"]]
    return "\n".join(lines) + "\n"


def _field(item: dict[str, Any], column: str) -> Any:
    value = item.get(column, item["evidence"].get(column))
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _cell(value: Any) -> str:
    """A value for a spreadsheet, where what looks like a formula must not become one."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _plain(value: Any) -> str:
    text = "" if value is None else str(value)
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else to_rfc3339(to_ns(moment))
