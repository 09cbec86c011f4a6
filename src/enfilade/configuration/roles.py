"""Between the document's parts on roles and identity's specifications, in both directions."""

from typing import Any

from enfilade.configuration.role_parts import Role, RoleAssignment, Security
from enfilade.identity.roles.types import AssignmentSpec, NamedAssignment, RoleSpec, SecuritySettings


def role_spec(part: Role) -> RoleSpec:
    """What identity needs of a role."""
    return RoleSpec(part.name, tuple(part.permissions), part.description)


def role_fields(spec: RoleSpec) -> dict[str, Any]:
    """A role in the document's words."""
    return {"name": spec.name, "permissions": list(spec.permissions), "description": spec.description}


def assignment_spec(part: RoleAssignment) -> AssignmentSpec:
    """What identity needs of an assignment."""
    return AssignmentSpec(part.role, part.user, part.group, part.department, part.application)


def assignment_fields(assignment: NamedAssignment) -> dict[str, Any]:
    """An assignment in the document's words."""
    return {
        "role": assignment.role,
        "user": assignment.user,
        "group": assignment.group,
        "department": assignment.department,
        "application": assignment.application,
    }


def assignment_name(part: RoleAssignment | NamedAssignment) -> str:
    """An assignment in a plan."""
    where = (
        f" in department {part.department}"
        if part.department
        else f" in application {part.application}"
        if part.application
        else ""
    )
    return f"{part.role} for {part.user or part.group}{where}"


def security_settings(part: Security) -> SecuritySettings:
    """What identity needs of security settings."""
    lifetime = None if part.max_key_lifetime is None else int(part.max_key_lifetime)
    return SecuritySettings(part.operator_access, lifetime)


def security_fields(settings: SecuritySettings) -> dict[str, Any]:
    """Security settings in the document's words."""
    lifetime = settings.max_key_lifetime_s
    return {
        "operator_access": settings.operator_access,
        "max_key_lifetime": None if lifetime is None else float(lifetime),
    }
