"""The page on what policies may speak of, from the schema that they are held against."""

from docs.pages import code, page, table
from enfilade.access.schema import ACTIONS, ATTRIBUTE_TYPES, CONTEXT, DEPLOYMENT, GROUPS, PRINCIPALS, schema_text
from enfilade.access.types import ResourceKind


def access_schema() -> str:
    """What policies may speak of."""
    actions = ((code(f'Action::"{name}"'), ", ".join(kinds), meaning) for name, (kinds, meaning) in ACTIONS.items())
    attributes = ((code(name), code(kind)) for name, kind in ATTRIBUTE_TYPES.items())
    return page(
        "What policies may speak of",
        "Callers are of the types "
        + ", ".join(code(name) for name in PRINCIPALS)
        + "; they belong to "
        + " and ".join(code(name) for name in GROUPS)
        + ". Resources are of the types "
        + ", ".join(code(kind.value) for kind in ResourceKind)
        + "; a deployment belongs to its `Model` and its `Provider`. Everything is named as the configuration names it, users by their address. "
        "[How it is decided](../explanation/access.md).",
        "## Actions",
        table(("action", "resources", "meaning"), actions),
        "## Circumstances",
        table(("`context.`", "type", "meaning"), ((code(n), code(kind), text) for n, (kind, text) in CONTEXT.items())),
        "## Deployments",
        table(("`resource.`", "meaning"), ((code(name), text) for name, text in DEPLOYMENT.items())),
        "## Attributes of users",
        "`principal.attributes` has what the tenant declared under `access.attributes`; each is asked for with `has` first.",
        table(("declared as", "type"), attributes),
        "## As a Cedar schema",
        f"```cedar\n{schema_text({})}```",
    )
