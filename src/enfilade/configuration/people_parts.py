"""The document's parts about people."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from enfilade.configuration.part import StrictPart
from enfilade.configuration.values import GroupName, Label, Name

Email = Annotated[str, Field(min_length=3, max_length=255)]


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class User(Part):
    """A person."""

    email: Email
    """Names the user."""
    department: Name | None = None
    """The user's department."""
    roles: list[str] = []
    """admin, operator, auditor, developer, member."""
    display_name: Label | None = None
    """What people call them."""
    manager: Email | None = None
    """The e-mail address of another user, whom they answer to."""
    attributes: Annotated[dict[str, StrictBool | StrictInt | StrictStr | list[StrictStr]], Field(max_length=64)] = {}
    """What policies may ask about them: texts, whole numbers, true or false, lists of texts."""
    active: bool = True
    """Whether they may sign in, and whether their keys work."""


class Group(Part):
    """Some of a tenant's people."""

    name: GroupName
    """The group's name."""
    members: Annotated[list[Email], Field(max_length=10_000)] = []
    """E-mail addresses of users."""


class Accounts(Part):
    """What is demanded of whoever signs in with a local account."""

    require_second_factor: Literal["never", "administrators", "everyone"] = "never"
    """Who needs a second factor; they set one up before they come in. Administrators are those who may change anything."""
    local_accounts: bool = True
    """Whether there are local accounts; without them, people come by an issuer only."""
