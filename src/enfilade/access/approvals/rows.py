"""From rows to the nouns of approvals."""

from collections.abc import Iterable
from typing import Any

import msgspec

from enfilade.access.approvals.types import (
    Asked,
    Comment,
    Decision,
    EmergencyReview,
    Grant,
    Person,
    Request,
    Rule,
    RuleRecord,
)
from enfilade.core.clock import to_datetime, to_ns
from enfilade.identity.rows import text_id

ASKED = msgspec.json.Decoder(Asked)
RULE = msgspec.json.Decoder(Rule)


def text_of(struct: Asked | Rule) -> str:
    """How it is stored."""
    return msgspec.json.encode(struct).decode()


def rule_text(rule: Rule) -> str:
    """A rule with all of its fields: statements look into it."""
    return msgspec.json.encode(_whole(rule)).decode()


def _whole(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in rule.__struct_fields__}


def rule_of(row: Any) -> RuleRecord:
    """A rule from its row."""
    return RuleRecord(str(row["id"]), str(row["tenant_id"]), RULE.decode(row["rule"]), row["version"])


def person_of(row: Any) -> Person:
    """A person from their row."""
    return Person(
        str(row["id"]), row["email"], text_id(row["manager_id"]), text_id(row["department_id"]), row["department"]
    )


def request_of(row: Any, decisions: Iterable[Any] = (), comments: Iterable[Any] = ()) -> Request:
    """A request from its row and those that belong to it."""
    return Request(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        requester=str(row["requester_id"]),
        user=text_id(row["user_id"]),
        application=text_id(row["application_id"]),
        key=text_id(row["key_id"]),
        asked=ASKED.decode(row["asked"]),
        reason=row["reason"],
        duration_s=row["duration_s"],
        starts_ns=ns_of(row["starts_at"]),
        rule=RULE.decode(row["rule"]),
        stored_state=row["state"],
        created_ns=to_ns(row["created_at"]),
        expires_ns=to_ns(row["expires_at"]),
        decided_ns=ns_of(row["decided_at"]),
        decisions=tuple(
            Decision(
                str(entry["reviewer_id"]),
                str(entry["seat_id"]),
                entry["stage"],
                entry["approves"],
                entry["comment"],
                entry["decided_at"],
            )
            for entry in decisions
        ),
        comments=tuple(
            Comment(str(entry["id"]), str(entry["author_id"]), entry["comment"], entry["created_at"])
            for entry in comments
        ),
    )


def grant_of(row: Any) -> Grant:
    """A grant from its row."""
    review = None
    if row["emergency"]:
        review = EmergencyReview(
            to_ns(row["review_due_at"]),
            ns_of(row["reviewed_at"]),
            text_id(row["reviewed_by"]),
            row["justified"],
            row["review_note"],
        )
    return Grant(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        request=text_id(row["request_id"]),
        user=text_id(row["user_id"]),
        application=text_id(row["application_id"]),
        key=text_id(row["key_id"]),
        asked=ASKED.decode(row["asked"]),
        starts_ns=to_ns(row["starts_at"]),
        ends_ns=to_ns(row["ends_at"]),
        granted_ns=to_ns(row["granted_at"]),
        revoked_ns=ns_of(row["revoked_at"]),
        revoked_by=row["revoked_by"],
        revocation=row["revocation"],
        told_ended=row["ended_at"] is not None,
        emergency=row["emergency"],
        reason=row["reason"],
        review=review,
    )


def ns_of(moment: Any) -> int | None:
    """A nullable moment as nanoseconds."""
    return None if moment is None else to_ns(moment)


def moment_of(time_ns: int | None) -> Any:
    """Nullable nanoseconds as a moment."""
    return None if time_ns is None else to_datetime(time_ns)
