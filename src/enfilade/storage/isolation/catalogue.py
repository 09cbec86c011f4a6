"""What there is in a schema, as the database's own catalogue says."""

from dataclasses import dataclass
from typing import Any

import asyncpg

OPERATOR_GROUP, SETTLER_GROUP = "enfilade_operator", "enfilade_settler"

RELATIONS = """
SELECT c.oid, c.relname AS name, c.relkind::text AS kind, c.relispartition AS is_partition,
    c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, coalesce(c.reloptions, '{}') AS options,
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attgenerated = '' AND a.attidentity <> 'a' ORDER BY a.attnum) AS columns,
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND has_column_privilege($2, c.oid, a.attnum, 'UPDATE')) AS updatable,
    ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
          WHERE has_any_column_privilege($2, c.oid, p)
          UNION ALL SELECT p FROM unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) p
          WHERE has_table_privilege($2, c.oid, p)) AS app_rights,
    ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
          WHERE has_any_column_privilege($3, c.oid, p)
          UNION ALL SELECT p FROM unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) p
          WHERE has_table_privilege($3, c.oid, p)) AS writer_rights,
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND has_column_privilege($2, c.oid, a.attnum, 'SELECT')) AS readable
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 2
"""
POLICIES = """
SELECT p.polrelid AS relation, p.polname AS name, p.polcmd::text AS command, p.polpermissive AS permissive,
    ARRAY(SELECT CASE WHEN r = 0 THEN 'public' ELSE r::regrole::text END FROM unnest(p.polroles) r) AS roles,
    EXISTS (SELECT FROM unnest(p.polroles) r WHERE r = 0 OR pg_has_role($2, r, 'MEMBER')) AS for_app,
    EXISTS (SELECT FROM unnest(p.polroles) r WHERE r <> 0 AND r = (SELECT c.relowner FROM pg_class c WHERE c.oid = polrelid))
        AS for_owner,
    pg_get_expr(p.polqual, p.polrelid) AS rows, pg_get_expr(p.polwithcheck, p.polrelid) AS written
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 ORDER BY 2
"""
FUNCTIONS = """
SELECT p.oid, p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments, p.prosecdef AS is_definer,
    coalesce(p.proconfig, '{}') AS settings, p.prosrc AS source, pg_get_userbyid(p.proowner) AS owner,
    has_function_privilege($2, p.oid, 'EXECUTE') AS app, has_function_privilege($3, p.oid, 'EXECUTE') AS writer
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 ORDER BY 2
"""
INDEXES = """
SELECT t.relname AS relation, c.relname AS name, i.indisunique AS is_unique,
    ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnkeyatts) k) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = $1 AND NOT t.relispartition ORDER BY 1, 2
"""
ROLES = """
SELECT rolname AS name, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS is_powerful,
    ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid
          ORDER BY 1) AS groups
FROM pg_roles r WHERE rolname = ANY ($1) ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A schema's relations, policies by relation, functions and indexes."""

    schema: str
    relations: list[Any]
    policies: dict[int, list[Any]]
    functions: list[Any]
    indexes: list[Any]

    @property
    def with_tenant(self) -> dict[str, str]:
        """Relations that have a tenant, with the name of the column; partitions are reached through their parents."""
        return {
            row["name"]: column
            for row in self.relations
            if not row["is_partition"] and (column := tenant_column(row)) is not None
        }


def tenant_column(relation: Any) -> str | None:
    """The column that names the tenant."""
    if "tenant_id" in relation["columns"]:
        return "tenant_id"
    return "id" if relation["name"] == "tenants" else None


async def read_catalogue(connection: asyncpg.Connection, schema: str, app: str, writer: str) -> Catalogue:
    """What there is in the schema, and what the sign-in roles `app` and `writer` may do with it.

    The search path must be `pg_catalog`, so that all else is shown with its schema.
    """
    policies: dict[int, list[Any]] = {}
    for row in await connection.fetch(POLICIES, schema, app):
        policies.setdefault(row["relation"], []).append(row)
    return Catalogue(
        schema,
        await connection.fetch(RELATIONS, schema, app, writer),
        policies,
        await connection.fetch(FUNCTIONS, schema, app, writer),
        await connection.fetch(INDEXES, schema),
    )
