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
