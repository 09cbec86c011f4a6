"""From rows to the nouns of access reviews."""

from typing import Any

import msgspec

from enfilade.access.reviews.types import Item, Progress, Review, ReviewSettings, Schedule
from enfilade.identity.rows import text_id

SETTINGS = msgspec.json.Decoder(ReviewSettings)


def review_of(row: Any) -> Review:
    """A campaign from its row."""
    return Review(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        name=row["name"],
        settings=SETTINGS.decode(row["settings"]),
        schedule=text_id(row["schedule_id"]),
        started_by=row["started_by"],
        started_at=row["started_at"],
        due_at=row["due_at"],
        closed_at=row["closed_at"],
        report_hash=row["report_hash"],
        progress=Progress(row["items"], row["answered"], row["applied"]),
    )


def item_of(row: Any) -> Item:
    """An item from its row."""
    return Item(
        id=str(row["id"]),
        review=str(row["review_id"]),
        kind=row["kind"],
        object=row["object"],
        subject_id=text_id(row["subject_id"]),
        subject=row["subject"],
        label=row["label"],
        evidence=msgspec.json.decode(row["evidence"]),
        reviewers=tuple(str(reviewer) for reviewer in row["reviewers"]),
        decision=row["decision"],
        change=None if row["change"] is None else msgspec.json.decode(row["change"]),
        reason=row["reason"],
        decided_by=text_id(row["decided_by"]),
        decided_at=row["decided_at"],
        applied_at=row["applied_at"],
        outcome=row["outcome"],
    )


def schedule_of(row: Any) -> Schedule:
    """A schedule from its row."""
    return Schedule(
        str(row["id"]),
        str(row["tenant_id"]),
        row["name"],
        SETTINGS.decode(row["settings"]),
        row["every"],
        row["next_at"],
        row["version"],
    )
