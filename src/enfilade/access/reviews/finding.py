"""What a campaign finds: who may do what, since when, by whose doing, and whether it is used."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from enfilade.access.approvals.rows import ASKED
from enfilade.access.approvals.types import Asked
from enfilade.access.reviews import store
from enfilade.access.reviews.types import Found, ReviewSettings
from enfilade.core.clock import to_ns, to_rfc3339
from enfilade.identity.rows import text_id
from enfilade.storage.unit_of_work import UnitOfWork


@dataclass(slots=True)
class Record:
    """What the log and the calls say, read once for all items."""

    roles: dict[tuple[str, str], tuple[datetime, str]] = field(default_factory=dict)
    """Since when a user has a role, and who gave it."""
    keys: dict[str, str] = field(default_factory=dict)
    """Who issued a key, or changed it last."""
    assignments: dict[str, str] = field(default_factory=dict)
    calls_of_users: dict[str, int] = field(default_factory=dict)
    calls_of_keys: dict[str, int] = field(default_factory=dict)


async def find_all(unit: UnitOfWork, settings: ReviewSettings, since: datetime, now: datetime) -> list[Found]:
    """Everything in the campaign's scope."""
    record = await _record(unit, since, now)
    department = settings.department
    found: list[Found] = []
    if "roles" in settings.scope:
        found += [_role(row, record) for row in await unit.fetch(store.USER_ROLES, unit.tenant, department)]
        found += [_assignment(row, record) for row in await unit.fetch(store.ASSIGNMENTS, unit.tenant, department)]
    if "keys" in settings.scope:
        found += [_key(row, record) for row in await unit.fetch(store.KEYS, unit.tenant, department, now)]
    if "grants" in settings.scope:
        found += [_grant(row, record) for row in await unit.fetch(store.GRANTS, unit.tenant, department, now)]
    if "exceptions" in settings.scope:
        found += [_exception(row, record) for row in await unit.fetch(store.EXCEPTIONS, unit.tenant, department)]
    return found


async def _record(unit: UnitOfWork, since: datetime, now: datetime) -> Record:
    record = Record()
    async for row in unit.rows(store.RIGHTS_EVENTS, unit.tenant):
        body = msgspec.json.decode(row["body"])
        data, actor = body["data"], body["actor"]
        if row["type"] == "RoleAssigned":
            record.assignments[data["id"]] = actor
        elif row["type"].startswith("Key"):
            record.keys[data["id"]] = actor
        else:
            _note_roles(record, data["id"], data.get("roles") or (), row["at"], actor)
    for row in await unit.fetch(store.CALLS, unit.tenant, since, now):
        for calls, holder in ((record.calls_of_users, row["user_id"]), (record.calls_of_keys, row["key_id"])):
            if holder is not None:
                calls[str(holder)] = calls.get(str(holder), 0) + row["calls"]
    return record


def _note_roles(record: Record, user: str, roles: Collection[str], at: datetime, actor: str) -> None:
    for role in [held for owner, held in record.roles if owner == user and held not in roles]:
        del record.roles[user, role]
    for role in roles:
        record.roles.setdefault((user, role), (at, actor))


def _role(row: Any, record: Record) -> Found:
    user = str(row["id"])
    since, actor = record.roles.get((user, row["role"]), (row["created_at"], None))
    evidence = {
        "since": _text(since),
        "granted_by": actor,
        "last_sign_in": _text(row["signed_in_at"]),
        "calls": record.calls_of_users.get(user, 0),
        "active": row["active"],
        "source": row["source"],
    }
    label = f"role {row['role']} in the whole tenant"
    return Found("role", row["role"], user, row["email"], label, evidence, None, text_id(row["department_id"]))


def _assignment(row: Any, record: Record) -> Found:
    user = text_id(row["user_id"])
    place = f"application {row['application']}" if row["application"] else f"department {row['department']}"
    where = place if row["application"] or row["department"] else "the whole tenant"
    evidence = {
        "since": _text(row["created_at"]),
        "granted_by": record.assignments.get(str(row["id"])),
        "last_sign_in": _text(row["signed_in_at"]),
        "calls": record.calls_of_users.get(user, 0) if user else None,
        "source": row["source"],
        "group": text_id(row["group_id"]),
    }
    return Found(
        "assignment",
        str(row["id"]),
        user,
        row["email"] or f"group {row['group_name']}",
        f"role {row['role']} in {where}",
        evidence,
        text_id(row["application_id"]),
        text_id(row["department_id"]),
    )


def _key(row: Any, record: Record) -> Found:
    key = str(row["id"])
    evidence = {
        "since": _text(row["created_at"]),
        "granted_by": record.keys.get(key),
        "last_used": _text(row["last_used_at"]),
        "calls": record.calls_of_keys.get(key, 0),
        "roles": list(row["roles"]),
        "scopes": list(row["scopes"]),
        "expires_at": _text(row["expires_at"]),
    }
    subject = row["email"] or (f"application {row['application']}" if row["application"] else "the tenant")
    return Found(
        "key",
        key,
        text_id(row["user_id"]),
        subject,
        f"key {row['name']}",
        evidence,
        text_id(row["application_id"]),
        text_id(row["department_id"]),
    )


def _grant(row: Any, record: Record) -> Found:
    asked, user = ASKED.decode(row["asked"]), text_id(row["user_id"])
    evidence = {
        "since": _text(row["starts_at"]),
        "granted_by": "emergency" if row["emergency"] else [f"user:{approver}" for approver in row["approvers"]],
        "ends_at": _text(row["ends_at"]),
        "calls": record.calls_of_users.get(user, 0) if user else None,
    }
    subject = row["email"] or (f"application {row['application']}" if row["application"] else None)
    return Found(
        "grant",
        str(row["id"]),
        user,
        subject or (f"key {row['key']}" if row["key"] else f"use case {asked.use_case}"),
        words_of(asked),
        evidence,
        text_id(row["application_id"]),
        text_id(row["department_id"]),
    )


def _exception(row: Any, record: Record) -> Found:
    user = str(row["id"])
    evidence = {
        "since": _text(row["published_at"]),
        "granted_by": row["publisher"],
        "calls": record.calls_of_users.get(user, 0),
        "models": msgspec.json.decode(row["models"]) if row["models"] else [],
    }
    label = f"row {row['name']} of the access matrix"
    return Found("exception", row["name"], user, row["email"], label, evidence, None, text_id(row["department_id"]))


def words_of(asked: Asked) -> str:
    """What was granted, for people."""
    words: Mapping[str, str] = {
        "model": f"model {asked.model}" + (f" for {asked.use_case}" if asked.use_case else ""),
        "use_case": f"use case {asked.use_case}",
        "role": f"role {asked.role} for a time",
        "key_scope": f"scopes {', '.join(asked.scopes)}",
        "data_class": f"data class {asked.data_class} for {asked.use_case}",
    }
    return words[asked.kind]


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else to_rfc3339(to_ns(moment))
