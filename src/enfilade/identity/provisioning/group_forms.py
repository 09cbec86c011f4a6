"""Between groups and SCIM's groups, in both directions. Members are ids here: a group may have many."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from enfilade.identity.provisioning.changes import Operation
from enfilade.identity.provisioning.errors import InvalidPath, ScimFault, TooMuch
from enfilade.identity.provisioning.filters import Combination, Comparison, Filter
from enfilade.identity.provisioning.resources import refers_to_nobody
from enfilade.identity.provisioning.schemas import GROUPS, IGNORED
from enfilade.identity.provisioning.user_forms import check_changeable, meta

MAX_MEMBERS = 10_000
MAX_NAME = 256


@dataclass(slots=True)
class GroupDraft:
    """A group as a client would have it."""

    name: str = ""
    external_id: str | None = None
    members: set[str] = field(default_factory=set)

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "GroupDraft":
        """What a client sends as a whole. Raises ScimFault."""
        draft = cls()
        for name, value in body.items():
            if name.lower() in {"id", "meta", "schemas"} or name.lower().startswith("urn:") or name.lower() in IGNORED:
                continue
            draft._replace(name, value)
        if not draft.name:
            message = "A group has a `displayName`."
            raise ScimFault(message, param="displayName")
        return draft

    def apply(self, operation: Operation) -> None:
        """One change; `members` are all that there are. Raises what is wrong with it."""
        path = operation.path.path
        if path.name.lower() == "members":
            self._apply_to_members(operation)
            return
        if operation.path.condition is not None or path.sub is not None:
            message = f"`{path.name}` has no parts to choose from."
            raise InvalidPath(message, param="path")
        if path.name.lower() in IGNORED:
            return
        self._replace(path.name, None if operation.kind == "remove" else operation.value)

    def _replace(self, name: str, value: Any) -> None:
        attribute = GROUPS.find(None, name)
        if attribute is None:
            message = f"A group has no attribute {name[:100]!r}."
            raise InvalidPath(message, param="path")
        check_changeable(attribute, is_removed=value is None)
        if attribute.name == "members":
            self.members = _ids(value)
        elif attribute.name == "displayName":
            self.name = _text(value, "displayName")
        else:
            self.external_id = None if value is None else _text(value, "externalId")

    def _apply_to_members(self, operation: Operation) -> None:
        condition = operation.path.condition
        if condition is not None:
            chosen = chosen_ids(condition)
            if chosen is None or operation.path.path.sub is not None or operation.kind != "remove":
                message = 'Members are chosen to be removed, by `members[value eq "ID"]`.'
                raise InvalidPath(message, param="path")
            self.members -= chosen
        elif operation.kind == "add":
            self.members |= _ids(operation.value)
        elif operation.kind == "replace":
            self.members = _ids(operation.value)
        else:
            # Entra ID and Okta say whom to remove in the value; without one, everybody. An empty list names nobody.
            self.members = set() if operation.value is None else self.members - _ids(operation.value)
        if len(self.members) > MAX_MEMBERS:
            message = f"A group has at most {MAX_MEMBERS} members."
            raise TooMuch(message, param="members")


def group_resource(row: Mapping[str, Any], base: str) -> dict[str, Any]:
    """A group as clients see it."""
    shown: dict[str, Any] = {
        "schemas": [GROUPS.urn],
        "id": str(row["id"]),
        "externalId": row["external_id"],
        "displayName": row["name"],
        "meta": meta("Group", str(row["id"]), row["version"], row, base),
    }
    if row["members"] is not None:
        shown["members"] = [
            {"value": str(identifier), "display": email, "type": "User", "$ref": f"{base}/Users/{identifier}"}
            for identifier, email in row["members"]
        ]
    return {name: value for name, value in shown.items() if value is not None}


def _ids(value: Any) -> set[str]:
    entries = value if isinstance(value, list) else [] if value is None else [value]
    if len(entries) > MAX_MEMBERS:
        message = f"A group has at most {MAX_MEMBERS} members."
        raise TooMuch(message, param="members")
    found = set()
    for entry in entries:
        identifier = (
            next((v for k, v in entry.items() if k.lower() == "value"), None) if isinstance(entry, dict) else entry
        )
        if not isinstance(identifier, str):
            message = "A member is an object with a `value`, the id of a user."
            raise ScimFault(message, param="members")
        try:
            found.add(str(UUID(identifier)))
        except ValueError:
            raise refers_to_nobody(identifier, "members") from None
    return found


def _text(value: Any, label: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or "\x00" in value:
        message = f"`{label}` is a text of 1 to {MAX_NAME} characters."
        raise ScimFault(message, param=label)
    return value


def chosen_ids(condition: Filter) -> set[str] | None:
    """The ids that `value eq "…"` names, joined by `or`; None for another condition."""
    if isinstance(condition, Comparison):
        fits = (
            condition.path.name.lower() == "value" and condition.operator == "eq" and isinstance(condition.value, str)
        )
        return {str(condition.value).lower()} if fits else None
    if isinstance(condition, Combination) and condition.operator == "or":
        parts = [chosen_ids(part) for part in condition.parts]
        return None if None in parts else set().union(*(part for part in parts if part is not None))
    return None
