"""From rows to the nouns of this room, and the checks that all of them share."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from enfilade.identity.errors import InvalidSpecification, VersionMismatch
from enfilade.identity.types import (
    Application,
    ApplicationSettings,
    ApplicationSpec,
    Department,
    Group,
    GroupSpec,
    Key,
    KeySpec,
    Origin,
    Tenant,
    TenantSpec,
    User,
    UserSpec,
)

START = UUID(int=0)
"""The place before the first row of every list that is ordered by id."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@ -]{0,98}")
TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}")
MODEL_PATTERN = re.compile(r"[\x21-\x7e]{1,200}")


def text_id(value: UUID | None) -> str | None:
    """A nullable id as text."""
    return None if value is None else str(value)


def tenant_of(row: Any) -> Tenant:
    """A tenant from its row."""
    spec = TenantSpec(
        name=row["name"],
        isolation=row["isolation"],
        region=row["region"],
        security_level=row["security_level"],
        time_zone=row["time_zone"],
        allowed_models=tuple(row["allowed_models"]),
        max_tokens_per_request=row["max_tokens_per_request"],
    )
    return Tenant(
        str(row["id"]), spec, row["version"], row["created_at"], row["cell"], row["state"], row["state_reason"]
    )


def department_of(row: Any) -> Department:
    """A department from its row."""
    return Department(str(row["id"]), str(row["tenant_id"]), row["name"], row["version"])


def user_of(row: Any) -> User:
    """A user from its row."""
    attributes = row["attributes"]
    spec = UserSpec(
        row["email"],
        row["department"],
        tuple(row["roles"]),
        row["display_name"],
        row["manager"],
        # Most people have none, and there are many people.
        {} if attributes == "{}" else msgspec.json.decode(attributes),
        row["active"],
    )
    return User(
        str(row["id"]),
        str(row["tenant_id"]),
        spec,
        text_id(row["department_id"]),
        row["version"],
        text_id(row["manager_id"]),
        Origin(row["source"], row["external_id"]),
    )


def group_of(row: Any) -> Group:
    """A group from its row."""
    spec = GroupSpec(row["name"], tuple(row["members"]))
    origin = Origin(row["source"], row["external_id"])
    return Group(str(row["id"]), str(row["tenant_id"]), spec, row["version"], origin)


def application_of(row: Any) -> Application:
    """An application from its row."""
    settings = msgspec.json.decode(row["settings"], type=ApplicationSettings)
    spec = ApplicationSpec(row["name"], row["department"], tuple(row["allowed_models"]), settings)
    return Application(str(row["id"]), str(row["tenant_id"]), spec, text_id(row["department_id"]), row["version"])


def key_of(row: Any) -> Key:
    """A key from its row."""
    spec = KeySpec(
        name=row["name"],
        application=row["application"],
        user=row["email"],
        roles=tuple(row["roles"]),
        expires_at=row["expires_at"],
        allowed_ips=tuple(row["allowed_ips"]),
        scopes=tuple(row["scopes"]),
        confined_to=_place(row["only_department"], row["only_application"]),
    )
    return Key(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        spec=spec,
        application_id=text_id(row["application_id"]),
        user_id=text_id(row["user_id"]),
        version=row["version"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )


def _place(department: str | None, application: str | None) -> str | None:
    if department is not None:
        return f"department:{department}"
    return None if application is None else f"application:{application}"


def duration_text(seconds: int) -> str:
    """A length of time for people: 90d, 36h, 90s."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def check_name(name: str, pattern: re.Pattern[str] = NAME, param: str = "name") -> None:
    """Refuse a name that could not be written in a file, an address or a terminal."""
    if not pattern.fullmatch(name):
        message = f"{name!r} is not a valid {param}: it must match {pattern.pattern}"
        raise InvalidSpecification(message, param=param)


def check_models(patterns: Iterable[str]) -> None:
    """Refuse patterns over model names that can never match."""
    for pattern in patterns:
        check_name(pattern, MODEL_PATTERN, "allowed_models")


def check_time_zone(name: str) -> None:
    """Refuse a time zone that the tz database does not know."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{name!r} is no time zone; use a name such as Europe/Vienna"
        raise InvalidSpecification(message, param="time_zone") from None


def normal_networks(addresses: Iterable[str]) -> tuple[str, ...]:
    """Addresses and ranges in their normal form. Raises InvalidSpecification for what is neither."""
    normal = []
    for address in addresses:
        try:
            normal.append(str(ipaddress.ip_network(address, strict=False)))
        except ValueError:
            message = f"{address!r} is no IP address or range such as 10.0.0.0/8"
            raise InvalidSpecification(message, param="allowed_ips") from None
    return tuple(normal)


def check_version(expected: int | None, actual: int) -> None:
    """Refuse a change to something that was changed since it was read."""
    if expected is not None and expected != actual:
        message = f"it is at version {actual} now, not at {expected}"
        raise VersionMismatch(message)
