"""The SQL of groups and of provisioning."""

# Groups, their members in the order of their addresses.
_GROUP = """
SELECT g.tenant_id, g.id, g.name, g.external_id, g.source, g.version, ARRAY(
    SELECT u.email FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
    WHERE m.tenant_id = g.tenant_id AND m.group_id = g.id ORDER BY u.email
) AS members
FROM groups g
"""
LIST_GROUPS = (
    _GROUP
    + """
WHERE g.removed_at IS NULL AND g.id > $1 AND ($3::uuid IS NULL OR g.tenant_id = $3) ORDER BY g.id LIMIT $2
"""
)
FIND_GROUP = (
    _GROUP
    + """
WHERE g.removed_at IS NULL AND g.tenant_id = $2 AND (g.name = $1 OR g.id::text = $1) ORDER BY (g.name = $1) DESC LIMIT 1
"""
)
INSERT_GROUP = """
INSERT INTO groups (tenant_id, id, name, source, external_id, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
UPDATE_GROUP = """
UPDATE groups SET name = $3, source = $4, external_id = $5, changed_at = $6, version = version + 1
WHERE tenant_id = $1 AND id = $2
"""
REMOVE_GROUP = "UPDATE groups SET removed_at = now(), version = version + 1 WHERE tenant_id = $1 AND id = $2"
FIND_MEMBERS = """
SELECT id, email FROM users WHERE tenant_id = $1 AND removed_at IS NULL AND (email = ANY ($2) OR id::text = ANY ($2))
"""
ADD_MEMBERS = """
INSERT INTO group_members (tenant_id, group_id, user_id) SELECT $1, $2, unnest($3::uuid[])
ON CONFLICT DO NOTHING
"""
KEEP_MEMBERS = "DELETE FROM group_members WHERE tenant_id = $1 AND group_id = $2 AND user_id <> ALL ($3::uuid[])"

# What a SCIM client sees: everybody but inactive users that nobody provisions. Conditions and orders are put in by
# `compiling`, from fixed fragments.
FROM_USERS = """FROM users u
WHERE u.tenant_id = $1 AND u.removed_at IS NULL AND (u.active OR u.source = 'scim')"""
FROM_GROUPS = """FROM groups g
WHERE g.tenant_id = $1 AND g.removed_at IS NULL"""
USER_FACTS = """
SELECT u.id, u.created_at, u.changed_at, ARRAY(
    SELECT ROW(g.id, g.name) FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
    WHERE m.tenant_id = u.tenant_id AND m.user_id = u.id ORDER BY g.name) AS groups
FROM users u WHERE u.tenant_id = $1 AND u.id = ANY ($2::uuid[])
"""
GROUP_FACTS = """
SELECT g.id, g.name, g.external_id, g.version, g.created_at, g.changed_at, CASE WHEN $3::boolean THEN ARRAY(
    SELECT ROW(u.id, u.email) FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
    WHERE m.tenant_id = g.tenant_id AND m.group_id = g.id ORDER BY u.email) END AS members
FROM groups g WHERE g.tenant_id = $1 AND g.removed_at IS NULL AND g.id = ANY ($2::uuid[])
"""
FIND_USERS = """
SELECT u.tenant_id, u.id, u.email, u.roles, u.version, u.department_id, d.name AS department, u.display_name, u.active,
    u.manager_id, m.email AS manager, u.attributes, u.external_id, u.source
FROM users u
LEFT JOIN departments d ON d.tenant_id = u.tenant_id AND d.id = u.department_id
LEFT JOIN users m ON m.tenant_id = u.tenant_id AND m.id = u.manager_id
WHERE u.tenant_id = $1 AND u.removed_at IS NULL AND (u.active OR u.source = 'scim') AND u.id = ANY ($2::uuid[])
"""
MEMBER_IDS = "SELECT user_id FROM group_members WHERE tenant_id = $1 AND group_id = $2"
EMAILS_OF = "SELECT id, email FROM users WHERE tenant_id = $1 AND removed_at IS NULL AND id = ANY ($2::uuid[])"


def selection(source: str, table: str, condition: str | None, order: str | None, page: tuple[str, str]) -> str:
    """The ids of one page: `order` goes before the id, `page` are the places of the limit and the offset."""
    where = f" AND {condition}" if condition else ""
    by = f"{order}, " if order else ""
    limit, offset = page
    return f"SELECT {table}.id {source}{where} ORDER BY {by}{table}.id LIMIT {limit} OFFSET {offset}"


def total(source: str, condition: str | None) -> str:
    """How many there are."""
    return f"SELECT count(*) {source}" + (f" AND {condition}" if condition else "")
