"""The SQL of roles, assignments, broken glass, security settings and uses of keys."""

# Roles of a tenant's own.
_ROLE = "SELECT tenant_id, id, name, description, permissions, version, created_at FROM roles "
LIST_ROLES = _ROLE + "WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) ORDER BY id LIMIT $2"
FIND_ROLE = _ROLE + "WHERE tenant_id = $2 AND (name = $1 OR id::text = $1) ORDER BY (name = $1) DESC LIMIT 1"
OWN_ROLES = "SELECT name, permissions FROM roles WHERE tenant_id = $1"
INSERT_ROLE = "INSERT INTO roles (tenant_id, id, name, description, permissions) VALUES ($1, $2, $3, $4, $5)"
UPDATE_ROLE = """
UPDATE roles SET description = $3, permissions = $4, version = version + 1 WHERE tenant_id = $1 AND id = $2
"""
DELETE_ROLE = "DELETE FROM roles WHERE tenant_id = $1 AND id = $2"
ROLE_IN_USE = """
SELECT EXISTS (SELECT FROM role_assignments WHERE tenant_id = $1 AND role = $2)
    OR EXISTS (SELECT FROM users WHERE tenant_id = $1 AND $2 = ANY (roles) AND removed_at IS NULL)
    OR EXISTS (SELECT FROM keys WHERE tenant_id = $1 AND $2 = ANY (roles) AND revoked_at IS NULL)
    OR EXISTS (SELECT FROM issuers WHERE tenant_id = $1
        AND jsonb_path_exists(settings, '$.roles.*[*] ? (@ == $role)', jsonb_build_object('role', $2::text)))
"""

# Who has which role where.
_ASSIGNMENT = """
SELECT s.tenant_id, s.id, s.role, s.user_id, s.group_id, s.department_id, s.application_id, s.source, s.created_at,
    u.email, u.department_id AS user_department_id, g.name AS group_name, d.name AS department, a.name AS application
FROM role_assignments s
LEFT JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
LEFT JOIN groups g ON g.tenant_id = s.tenant_id AND g.id = s.group_id
LEFT JOIN departments d ON d.tenant_id = s.tenant_id AND d.id = s.department_id
LEFT JOIN applications a ON a.tenant_id = s.tenant_id AND a.id = s.application_id
"""
LIST_ASSIGNMENTS = (
    _ASSIGNMENT
    + """
WHERE s.id > $1 AND ($3::uuid IS NULL OR s.tenant_id = $3)
    AND ($4 OR s.department_id = ANY ($5) OR s.application_id = ANY ($6) OR a.department_id = ANY ($5))
ORDER BY s.id LIMIT $2
"""
)
FIND_ASSIGNMENT = _ASSIGNMENT + "WHERE s.tenant_id = $1 AND s.id = $2"
SAME_ASSIGNMENT = (
    _ASSIGNMENT
    + """
WHERE s.tenant_id = $1 AND s.role = $2 AND s.user_id IS NOT DISTINCT FROM $3 AND s.group_id IS NOT DISTINCT FROM $4
    AND s.department_id IS NOT DISTINCT FROM $5 AND s.application_id IS NOT DISTINCT FROM $6 AND s.source = $7
"""
)
WITHHOLD = """
UPDATE identities SET withheld = array_append(array_remove(withheld, $4), $4)
WHERE tenant_id = $1 AND user_id = $2
    AND issuer_id IN (SELECT id FROM issuers WHERE tenant_id = $1 AND name = $3)
"""
INSERT_ASSIGNMENT = """
INSERT INTO role_assignments (tenant_id, id, role, user_id, group_id, department_id, application_id, source)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
DELETE_ASSIGNMENT = "DELETE FROM role_assignments WHERE tenant_id = $1 AND id = $2"
DELETE_ASSIGNMENTS_OF = {
    kind: f"DELETE FROM role_assignments WHERE tenant_id = $1 AND {kind}_id = $2 RETURNING id, role"
    for kind in ("user", "group", "department", "application")
}
FIND_SUBJECT = {
    "user": """
SELECT id, department_id FROM users
WHERE tenant_id = $1 AND removed_at IS NULL AND (email = lower($2) OR id::text = $2) ORDER BY email = lower($2) DESC LIMIT 1
""",
    "group": """
SELECT id, NULL::uuid AS department_id FROM groups
WHERE tenant_id = $1 AND removed_at IS NULL AND (name = $2 OR id::text = $2) ORDER BY name = $2 DESC LIMIT 1
""",
    "department": """
SELECT id, id AS department_id FROM departments
WHERE tenant_id = $1 AND removed_at IS NULL AND (name = $2 OR id::text = $2) ORDER BY name = $2 DESC LIMIT 1
""",
    "application": """
SELECT id, department_id FROM applications
WHERE tenant_id = $1 AND removed_at IS NULL AND (name = $2 OR id::text = $2) ORDER BY name = $2 DESC LIMIT 1
""",
}
RIGHTS_OF_USER = """
SELECT s.tenant_id, s.id, s.role, s.user_id, s.group_id, s.department_id, s.application_id, s.source
FROM role_assignments s
WHERE s.tenant_id = $1 AND (s.user_id = $2 OR s.group_id IN (
    SELECT m.group_id FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
    WHERE m.tenant_id = $1 AND m.user_id = $2 AND g.removed_at IS NULL))
"""
RIGHTS_OF_GROUP = """
SELECT tenant_id, id, role, user_id, group_id, department_id, application_id, source
FROM role_assignments WHERE tenant_id = $1 AND group_id = $2
"""

# Broken glass.
_GLASS = """
SELECT tenant_id, id, actor, reason, opened_at, expires_at, ended_at, ended_by, reviewed_at, reviewed_by, review_note
FROM break_glass
"""
LIST_GLASS = (
    _GLASS
    + """
WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) AND ($4::text IS NULL OR actor = $4)
    AND (NOT $5 OR reviewed_at IS NULL)
ORDER BY id LIMIT $2
"""
)
FIND_GLASS = _GLASS + "WHERE id = $1"
INSERT_GLASS = """
INSERT INTO break_glass (tenant_id, id, actor, reason, opened_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
END_GLASS = "UPDATE break_glass SET ended_at = $3, ended_by = $4 WHERE tenant_id = $1 AND id = $2"
REVIEW_GLASS = """
UPDATE break_glass SET reviewed_at = $3, reviewed_by = $4, review_note = $5 WHERE tenant_id = $1 AND id = $2
"""
USER_OF_KEY = "SELECT user_id FROM keys WHERE tenant_id = $1 AND id = $2"

# What owners demand.
FIND_SETTINGS = "SELECT operator_access, max_key_lifetime_s, version FROM security_settings WHERE tenant_id = $1"
PUT_SETTINGS = """
INSERT INTO security_settings (tenant_id, operator_access, max_key_lifetime_s) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id) DO UPDATE SET operator_access = $2, max_key_lifetime_s = $3,
    version = security_settings.version + 1
"""

# When keys were used. A row is written once in each minute, however many processes see the key.
NOTE_USES = """
INSERT INTO key_uses (tenant_id, key_id, last_used_at)
SELECT k.tenant_id, k.id, u.at FROM unnest($2::uuid[], $3::timestamptz[]) AS u (id, at)
JOIN keys k ON k.tenant_id = $1 AND k.id = u.id ORDER BY k.id
ON CONFLICT (tenant_id, key_id) DO UPDATE SET last_used_at = excluded.last_used_at
WHERE key_uses.last_used_at < excluded.last_used_at
"""

# The directory.
LOAD_ROLES = "SELECT tenant_id, name, permissions FROM roles WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)"
LOAD_ASSIGNMENTS = """
SELECT s.tenant_id, s.id, s.role, s.user_id, s.group_id, s.department_id, s.application_id, s.source,
    coalesce(s.user_id, m.user_id) AS member
FROM role_assignments s
LEFT JOIN groups g ON g.tenant_id = s.tenant_id AND g.id = s.group_id AND g.removed_at IS NULL
LEFT JOIN group_members m ON m.tenant_id = g.tenant_id AND m.group_id = g.id
WHERE ($1::uuid[] IS NULL OR s.tenant_id = ANY ($1)) AND coalesce(s.user_id, m.user_id) IS NOT NULL
"""
LOAD_SETTINGS = """
SELECT tenant_id, operator_access, max_key_lifetime_s, version FROM security_settings
WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)
"""
LOAD_GLASS = (
    _GLASS
    + """
WHERE ended_at IS NULL AND reviewed_at IS NULL AND ($1::uuid[] IS NULL OR tenant_id = ANY ($1))
"""
)
