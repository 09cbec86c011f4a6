"""Between people and SCIM's users, in both directions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from enfilade.identity.people import MAX_ATTRIBUTE
from enfilade.identity.provisioning.changes import Operation
from enfilade.identity.provisioning.errors import InvalidPath, NotChangeable, ScimFault
from enfilade.identity.provisioning.schemas import ENTERPRISE, IGNORED, KEYS, USERS, Attribute
from enfilade.identity.types import User, UserSpec

_TRUTHS = {"true": True, "false": False}


class Draft:
    """A user as a client would have them: values by `attribute` or `attribute.part`; None is nothing."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        """Begin with these."""
        self.values: dict[str, Any] = dict(values or {})

    @classmethod
    def of(cls, user: User) -> "Draft":
        """A user as they are."""
        spec = user.spec
        values: dict[str, Any] = {
            "userName": spec.email,
            "displayName": spec.display_name,
            "active": spec.active,
            "externalId": user.origin.external_id,
            "manager.value": user.manager_id,
        }
        for label, attribute in _kept():
            values[label] = spec.attributes.get(attribute.key or "")
        return cls(values)

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Draft":
        """What a client sends as a whole. Raises what is wrong with it."""
        draft = cls()
        for name, value in body.items():
            if name.lower() == ENTERPRISE.lower() and isinstance(value, dict):
                for sub, part in value.items():
                    draft._set_named(ENTERPRISE, sub, part)
            elif name.lower() not in {"id", "meta", "groups"} and not name.lower().startswith("urn:"):
                draft._set_named(None, name, value)
        return draft

    def apply(self, operation: Operation) -> None:
        """One change. Raises what is wrong with it."""
        path = operation.path.path
        if path.urn is None and path.name.lower() in IGNORED | {"emails"}:
            return  # The address is the user name.
        attribute = USERS.find(path.urn, path.name)
        if attribute is None:
            message = f"A user has no attribute {path.name!r}."
            raise InvalidPath(message, param="path")
        check_changeable(attribute, is_removed=operation.kind == "remove")
        if operation.path.condition is not None:
            message = f"`{attribute.name}` has no values to choose from."
            raise InvalidPath(message, param="path")
        value = None if operation.kind == "remove" else operation.value
        if path.sub is None:
            self._set(attribute, value)
            return
        sub = attribute.sub(path.sub)
        if sub is None:
            message = f"`{attribute.name}` has no part {path.sub!r}."
            raise InvalidPath(message, param="path")
        self._put(f"{attribute.name}.{sub.name}", sub, value)

    def _set_named(self, urn: str | None, name: str, value: Any) -> None:
        attribute = USERS.find(urn, name)
        if attribute is not None and not attribute.read_only and not attribute.multi:
            self._set(attribute, value)
        elif attribute is None and name.lower() not in IGNORED:
            message = f"A user has no attribute {name[:100]!r}."
            raise ScimFault(message, param=name[:100])

    def _set(self, attribute: Attribute, value: Any) -> None:
        if not attribute.subs:
            self._put(attribute.name, attribute, value)
            return
        if isinstance(value, list):
            value = value[0] if value else None
        if attribute.sub("value") and not isinstance(value, dict):
            value = {"value": value}  # Entra ID writes a manager's id alone.
        if value is not None and not isinstance(value, dict):
            message = f"`{attribute.name}` is an object."
            raise ScimFault(message, param=attribute.name)
        given = {key.lower(): part for key, part in (value or {}).items()}
        for sub in attribute.subs:
            if not sub.read_only and (value is None or sub.name.lower() in given):
                self._put(f"{attribute.name}.{sub.name}", sub, given.get(sub.name.lower()))

    def _put(self, label: str, attribute: Attribute, value: Any) -> None:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if attribute.type == "boolean":
            truth = _TRUTHS.get(value.lower(), value) if isinstance(value, str) else value
            if truth is not None and not isinstance(truth, bool):
                message = f"`{label}` is true or false."
                raise ScimFault(message, param=label)
            self.values[label] = truth
            return
        if value is not None and (not isinstance(value, str) or len(value) > MAX_ATTRIBUTE or "\x00" in value):
            message = f"`{label}` is a text of at most {MAX_ATTRIBUTE} characters."
            raise ScimFault(message, param=label)
        self.values[label] = (value or "").strip() or None

    def spec(self, present: User | None) -> UserSpec:
        """What identity keeps of it; roles and the department stay as they are. Raises ScimFault."""
        email = self.values.get("userName")
        if not email or "@" not in email:
            message = "`userName` is the person's e-mail address here: map it to that."
            raise ScimFault(message, param="userName")
        given = {
            attribute.key: self.values[label]
            for label, attribute in _kept()
            if attribute.key is not None and self.values.get(label) is not None
        }
        others = {name: value for name, value in present.spec.attributes.items() if name not in KEYS} if present else {}
        active = self.values.get("active")
        names = [self.values.get(f"name.{part}") for part in ("givenName", "familyName")]
        name = self.values.get("name.formatted") or " ".join(part for part in names if part) or None
        base = present.spec if present else UserSpec(email)
        return replace(
            base,
            email=email,
            display_name=self.values.get("displayName") or name,
            manager=self.values.get("manager.value"),
            attributes=others | given,
            # Who was let go does not come back because a client leaves this out.
            active=base.active if active is None else active,
        )


def check_changeable(attribute: Attribute, *, is_removed: bool) -> None:
    """Raise NotChangeable for what is the server's, and for taking away what a resource needs."""
    if attribute.read_only:
        message = f"`{attribute.name}` is the server's, and not changed here."
        raise NotChangeable(message, param="path")
    if is_removed and attribute.required:
        message = f"`{attribute.name}` is required: it can be replaced, and not removed."
        raise NotChangeable(message, param="path")


def user_resource(user: User, facts: Mapping[str, Any], base: str) -> dict[str, Any]:
    """A user as clients see them. `facts` are moments and groups."""
    values = Draft.of(user).values
    shown: dict[str, Any] = {
        "schemas": [USERS.urn],
        "id": user.id,
        "externalId": values["externalId"],
        "userName": values["userName"],
        "name": _parts(values, "name"),
        "displayName": values["displayName"],
        "active": values["active"],
        "emails": [{"value": values["userName"], "type": "work", "primary": True}],
        "groups": [
            {"value": str(identifier), "display": name, "$ref": f"{base}/Groups/{identifier}"}
            for identifier, name in facts["groups"]
        ],
    }
    shown |= {attribute.name: values[attribute.name] for attribute in USERS.core if attribute.key}
    extension: dict[str, Any] = {
        attribute.name: values[attribute.name] for attribute in dict(USERS.extensions)[ENTERPRISE] if attribute.key
    }
    if user.manager_id is not None:
        extension["manager"] = {
            "value": user.manager_id,
            "displayName": user.spec.manager,
            "$ref": f"{base}/Users/{user.manager_id}",
        }
    extension = {name: value for name, value in extension.items() if value is not None}
    if extension:
        shown["schemas"].append(ENTERPRISE)
        shown[ENTERPRISE] = extension
    shown["meta"] = meta("User", user.id, user.version, facts, base)
    return {name: value for name, value in shown.items() if value is not None and value != {}}


def meta(kind: str, identifier: str, version: int, facts: Mapping[str, Any], base: str) -> dict[str, Any]:
    """What the server says of a resource."""
    return {
        "resourceType": kind,
        "created": facts["created_at"].isoformat().replace("+00:00", "Z"),
        "lastModified": facts["changed_at"].isoformat().replace("+00:00", "Z"),
        "location": f"{base}/{kind}s/{identifier}",
        "version": f'W/"{version}"',
    }


def _kept() -> list[tuple[str, Attribute]]:
    """What stands among a person's attributes, by its label here."""
    found = []
    for attribute in (*USERS.core, *dict(USERS.extensions)[ENTERPRISE]):
        if attribute.key is not None:
            found.append((attribute.name, attribute))
        found += [(f"{attribute.name}.{sub.name}", sub) for sub in attribute.subs if sub.key is not None]
    return found


def _parts(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    begin = f"{name}."
    return {label[len(begin) :]: value for label, value in values.items() if label.startswith(begin) and value}
