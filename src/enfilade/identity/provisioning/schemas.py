"""What of SCIM's core and enterprise schemas is kept, and where: the one table that all of provisioning reads."""

from dataclasses import dataclass
from typing import Any

CORE_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
URNS = (ENTERPRISE, CORE_USER, CORE_GROUP)


def known_urn(text: str) -> str | None:
    """The schema of that name, whatever its case."""
    return next((urn for urn in URNS if urn.lower() == text.lower()), None)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute, where its value stands in the database, and where in a person's attributes."""

    name: str
    description: str
    type: str = "string"
    sql: str | None = None
    key: str | None = None
    subs: tuple["Attribute", ...] = ()
    multi: bool = False
    exact: bool = False
    read_only: bool = False
    required: bool = False
    returned: str = "default"
    unique: bool = False
    member_of: str | None = None
    """Of what is in another table: the condition that `{}` is put into."""

    def sub(self, name: str) -> "Attribute | None":
        """A sub-attribute by its name."""
        return next((sub for sub in self.subs if sub.name.lower() == name.lower()), None)

    def described(self) -> dict[str, Any]:
        """As `/Schemas` shows it."""
        shown: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "multiValued": self.multi,
            "description": self.description,
            "required": self.required,
            "mutability": "readOnly" if self.read_only else "readWrite",
            "returned": self.returned,
        }
        if self.type == "complex":
            shown["subAttributes"] = [sub.described() for sub in self.subs]
        else:
            shown["caseExact"] = self.exact
            shown["uniqueness"] = "server" if self.unique else "none"
        return shown


def _kept(name: str, key: str, description: str) -> Attribute:
    """An attribute that stands among a person's attributes, where policies find it."""
    return Attribute(name, description, sql=f"u.attributes->>'{key}'", key=key)


def _meta(table: str) -> Attribute:
    return Attribute(
        "meta",
        "What the server says of the resource.",
        "complex",
        read_only=True,
        subs=(
            Attribute("resourceType", "User or Group.", read_only=True, exact=True),
            Attribute("created", "When it was made.", "dateTime", f"{table}.created_at", read_only=True),
            Attribute("lastModified", "When it was changed.", "dateTime", f"{table}.changed_at", read_only=True),
            Attribute("location", "Its address.", read_only=True, exact=True),
            Attribute("version", "Its version, as in ETag.", read_only=True, exact=True),
        ),
    )


def _id(table: str) -> Attribute:
    return Attribute(
        "id",
        "The server's name for it.",
        sql=f"{table}.id::text",
        exact=True,
        read_only=True,
        returned="always",
        unique=True,
    )


_GROUPS_OF_USER = """EXISTS (SELECT FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
    WHERE m.tenant_id = u.tenant_id AND m.user_id = u.id AND ({}))"""
_MEMBERS_OF_GROUP = """EXISTS (SELECT FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
    WHERE m.tenant_id = g.tenant_id AND m.group_id = g.id AND ({}))"""

USER = (
    _id("u"),
    Attribute("externalId", "The client's name for the person.", sql="u.external_id", exact=True),
    Attribute("userName", "The e-mail address.", sql="u.email", required=True, unique=True),
    Attribute(
        "name",
        "The person's name.",
        "complex",
        subs=(
            _kept("formatted", "formatted_name", "The whole name."),
            _kept("familyName", "family_name", "The family name."),
            _kept("givenName", "given_name", "The given name."),
        ),
    ),
    Attribute("displayName", "What people call the person.", sql="u.display_name"),
    _kept("nickName", "nick_name", "A casual name."),
    _kept("title", "title", "The person's function."),
    _kept("userType", "user_type", "How the person belongs to the organisation."),
    _kept("preferredLanguage", "preferred_language", "As in Accept-Language."),
    _kept("locale", "locale", "A place, for formats."),
    _kept("timezone", "time_zone", "A name of the tz database."),
    Attribute("active", "Whether the person may come in.", "boolean", "u.active"),
    Attribute(
        "emails",
        "The address that is the user name; others are not kept.",
        "complex",
        multi=True,
        subs=(
            Attribute("value", "The address.", sql="u.email"),
            Attribute("type", "Always work.", sql="'work'::text"),
            Attribute("primary", "Always true.", "boolean", "true"),
        ),
    ),
    Attribute(
        "groups",
        "The groups that the person is in; changed at the groups.",
        "complex",
        multi=True,
        read_only=True,
        member_of=_GROUPS_OF_USER,
        subs=(
            Attribute("value", "The group's id.", sql="g.id::text", exact=True, read_only=True),
            Attribute("display", "The group's name.", sql="g.name", read_only=True),
        ),
    ),
    _meta("u"),
)
ENTERPRISE_USER = (
    _kept("employeeNumber", "employee_number", "As the organisation numbers people."),
    _kept("costCenter", "cost_center", "Where the person's costs belong."),
    _kept("organization", "organization", "The organisation."),
    _kept("division", "division", "The division."),
    _kept("department", "department", "The department; of those of this name here, the person becomes a part."),
    Attribute(
        "manager",
        "Whom the person answers to.",
        "complex",
        subs=(
            Attribute("value", "The manager's id.", sql="u.manager_id::text", exact=True),
            Attribute("displayName", "The manager's address.", read_only=True),
        ),
    ),
)
GROUP = (
    _id("g"),
    Attribute("externalId", "The client's name for the group.", sql="g.external_id", exact=True),
    Attribute("displayName", "The group's name.", sql="g.name", required=True, unique=True),
    Attribute(
        "members",
        "People in the group.",
        "complex",
        multi=True,
        member_of=_MEMBERS_OF_GROUP,
        subs=(
            Attribute("value", "The person's id.", sql="u.id::text", exact=True),
            Attribute("display", "The person's address.", sql="u.email", read_only=True),
            Attribute("type", "Always User.", sql="'User'::text"),
        ),
    ),
    _meta("g"),
)
IGNORED = frozenset(
    "password phonenumbers addresses photos ims entitlements roles x509certificates profileurl schemas".split()  # noqa: SIM905
)
"""What clients send by default and nobody here needs: taken, and not kept."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource."""

    name: str
    urn: str
    core: tuple[Attribute, ...]
    extensions: tuple[tuple[str, tuple[Attribute, ...]], ...] = ()

    def find(self, urn: str | None, name: str) -> Attribute | None:
        """An attribute by its name, of an extension by its URN as well."""
        for place, attributes in ((self.urn, self.core), *self.extensions):
            if urn is None or urn.lower() == place.lower():
                found = next((entry for entry in attributes if entry.name.lower() == name.lower()), None)
                if found is not None:
                    return found
        return None

    def place_of(self, attribute: Attribute) -> str | None:
        """The extension that an attribute belongs to; None for the core."""
        return next((urn for urn, attributes in self.extensions if attribute in attributes), None)


USERS = Kind("User", CORE_USER, USER, ((ENTERPRISE, ENTERPRISE_USER),))
GROUPS = Kind("Group", CORE_GROUP, GROUP)
KEYS = frozenset(
    sub.key for attribute in (*USER, *ENTERPRISE_USER) for sub in (attribute, *attribute.subs) if sub.key is not None
)
"""Those of a person's attributes that a client looks after."""
