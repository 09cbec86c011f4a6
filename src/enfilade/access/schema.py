"""What policies may speak of: the entity types, the actions and the circumstances, as a Cedar schema."""

from collections.abc import Mapping
from functools import lru_cache

import cedarpy

from enfilade.access.types import ActionName, ResourceKind

ATTRIBUTE_TYPES = {"string": "String", "long": "Long", "boolean": "Bool", "strings": "Set<String>"}
"""What an attribute of users may be, in our words and in Cedar's."""

PRINCIPALS = ("User", "Application", "Key")
GROUPS = ("Department", "Role")
ENTITY_TYPES = (*PRINCIPALS, *GROUPS, *ResourceKind, "Provider")

CONTEXT: dict[str, tuple[str, str]] = {
    "use_case": ("String", "The use case that the call names; empty when it names none."),
    "risk_tier": ("String", "The use case's risk tier: minimal, limited, high; empty when it is not registered."),
    "data_class": ("String", "public, internal, confidential or restricted."),
    "data_class_rank": ("Long", "The same in order: 0 for public to 3 for restricted."),
    "hour": ("Long", "0 to 23, in the tenant's time zone."),
    "minute": ("Long", "0 to 59."),
    "weekday": ("Long", "1 for Monday to 7 for Sunday."),
    "date": ("String", "The day as 2026-11-22."),
    "network": ("ipaddr", "The caller's network address; 0.0.0.0 where there is none."),
    "approvals": ("Set<String>", "Ids of the active approvals that fit."),
    "approved": ("Bool", "Whether there is one."),
}
TIMES = ("hour", "minute", "weekday", "date")

DEPLOYMENT: dict[str, str] = {
    "model": "The model's name in the catalogue.",
    "provider": "The provider's name.",
    "zone": "on_premise, private_cloud or public_cloud.",
    "region": "Where it runs; empty where nobody said.",
}

ACTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    ActionName.CALL: (("Deployment",), "Send a call to a deployment of a model."),
    ActionName.TRAIN: (("Model",), "Train a model, or an adapter for it."),
    ActionName.RETRIEVE: (("Collection",), "Search a collection of documents."),
    ActionName.USE_TOOL: (("Tool",), "Let a model use a tool."),
    ActionName.READ: (("Model", "Collection", "Prompt", "Tool"), "See something in the admin API."),
    ActionName.WRITE: (("Model", "Collection", "Prompt", "Tool"), "Change something in the admin API."),
    ActionName.APPROVE: (("Model", "Collection", "Prompt", "Tool"), "Approve a change to something."),
}


def schema_text(attributes: Mapping[str, str]) -> str:
    """The Cedar schema of a tenant that declared these attributes of its users."""
    known = ", ".join(f"{name}?: {ATTRIBUTE_TYPES[kind]}" for name, kind in sorted(attributes.items()))
    own = f"{{ attributes: {{ {known} }} }}"
    lines = [
        "entity Department;",
        "entity Role;",
        f"entity Key in [Department, Role] {own};",
        f"entity Application in [Department, Role, Key] {own};",
        f"entity User in [Department, Role, Key, Application] {own};",
        "entity Provider;",
        "entity Model;",
        f"entity Deployment in [Model, Provider] {{ {', '.join(f'{name}: String' for name in DEPLOYMENT)} }};",
        "entity Collection;",
        "entity Prompt;",
        "entity Tool;",
        f"type Circumstances = {{ {', '.join(f'{name}: {kind}' for name, (kind, _) in CONTEXT.items())} }};",
    ]
    principals = ", ".join(PRINCIPALS)
    for name, (resources, _) in ACTIONS.items():
        lines.append(
            f"action {name} appliesTo {{ principal: [{principals}], resource: [{', '.join(resources)}], "
            "context: Circumstances };"
        )
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=64)
def schema_of(attributes: tuple[tuple[str, str], ...]) -> cedarpy.Schema:
    """The parsed schema; tenants mostly declare the same few attributes."""
    return cedarpy.Schema.from_str(schema_text(dict(attributes)))


def words(attributes: Mapping[str, str]) -> frozenset[str]:
    """Every name that a policy may write, for saying what was probably meant."""
    return frozenset({*ENTITY_TYPES, *CONTEXT, *DEPLOYMENT, *ACTIONS, *attributes, "attributes", "Action"})
