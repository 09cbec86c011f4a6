"""The document's parts about roles, what keys keep of their rights, and what a tenant demands."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from enfilade.configuration.part import StrictPart
from enfilade.configuration.values import Duration, GroupName, Name

Scopes = Annotated[
    list[str],
    Field(
        max_length=100,
        description="What of its rights the key keeps: permissions such as `keys:read`, `calls:chat`, "
        "`calls:embeddings`, `calls:count`, `dialect:NAME`, `model:PATTERN`, `scim`. Without any it keeps all.",
    ),
]
ConfinedTo = Annotated[
    str | None,
    Field(
        max_length=200,
        description="`department:NAME` or `application:NAME`: where its roles hold. Without it, in the whole tenant.",
    ),
]


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class Role(Part):
    """A role of the tenant's own."""

    name: Name
    """The role's name; those of the built-in roles are taken."""
    permissions: Annotated[list[str], Field(max_length=200)] = []
    """What it includes, e.g. `applications:read`."""
    description: Annotated[str, Field(max_length=500)] = ""
    """What it is for."""


class RoleAssignment(Part):
    """A role for a user or for a group: in the whole tenant, or in one department or application."""

    role: Name
    """The role's name: a built-in one or one of the tenant's own."""
    user: Annotated[str | None, Field(max_length=255)] = None
    """A user's e-mail address."""
    group: GroupName | None = None
    """A group's name."""
    department: Name | None = None
    """The department where it holds, with its applications and users."""
    application: Name | None = None
    """The application where it holds."""


class Security(Part):
    """What a tenant's owners demand."""

    operator_access: Literal["standing", "break_glass"] = "standing"
    """Whether the platform's people come in as they are, or by breaking the glass only."""
    max_key_lifetime: Duration | None = None
    """How long keys may live that are issued or changed from then on; without it, for ever."""
