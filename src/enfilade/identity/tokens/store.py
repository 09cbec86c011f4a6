"""The SQL of issuers and of the identities that they vouch for."""

_COLUMNS = "tenant_id, id, name, url, settings, version, created_at"
LIST_ISSUERS = f"""
SELECT {_COLUMNS} FROM issuers WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) ORDER BY id LIMIT $2
"""
FIND_ISSUER = f"""
SELECT {_COLUMNS} FROM issuers
WHERE tenant_id = $2 AND (name = $1 OR id::text = $1) ORDER BY (name = $1) DESC LIMIT 1
"""
LIST_SAME_URL = f"SELECT {_COLUMNS} FROM issuers WHERE url = $1"
INSERT_ISSUER = """
INSERT INTO issuers (tenant_id, id, name, url, settings, created_at) VALUES ($1, $2, $3, $4, $5::jsonb, $6)
"""
UPDATE_ISSUER = """
UPDATE issuers SET url = $3, settings = $4::jsonb, version = version + 1 WHERE tenant_id = $1 AND id = $2
"""
SET_CLIENT_SECRET = """
UPDATE issuers SET client_secret = $3, secret_print = $4, version = version + 1 WHERE tenant_id = $1 AND id = $2
"""
READ_SECRET_PRINT = "SELECT secret_print FROM issuers WHERE tenant_id = $1 AND id = $2"
REMOVE_ISSUER = "DELETE FROM issuers WHERE tenant_id = $1 AND id = $2"
END_ISSUERS_SESSIONS = """
UPDATE sessions SET revoked_at = $3 WHERE tenant_id = $1 AND issuer_id = $2 AND revoked_at IS NULL RETURNING id
"""

KNOWN_ROLES = "SELECT name FROM roles WHERE tenant_id = $1 AND name = ANY ($2)"

# Identities.
FIND_IDENTITY = "SELECT user_id FROM identities WHERE tenant_id = $1 AND issuer_id = $2 AND subject = $3"
FIND_SUBJECT = "SELECT subject FROM identities WHERE tenant_id = $1 AND issuer_id = $2 AND user_id = $3 LIMIT 1"
INSERT_IDENTITY = """
INSERT INTO identities (tenant_id, issuer_id, subject, user_id, linked_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, issuer_id, subject) DO UPDATE SET user_id = excluded.user_id, linked_at = excluded.linked_at
"""
NOTE_GROUPS = """
UPDATE identities SET groups = $4, withheld = ARRAY(SELECT role FROM unnest(withheld) AS role WHERE role = ANY ($5))
WHERE tenant_id = $1 AND issuer_id = $2 AND user_id = $3
"""

# Roles that groups give: $4 and $5 hold the mapping, as pairs of a group and a role.
_GIVEN = """
SELECT i.user_id, m.role FROM identities i JOIN unnest($4::text[], $5::text[]) AS m (named, role) ON m.named = ANY (i.groups)
WHERE i.tenant_id = $1 AND i.issuer_id = $2 AND ($6::uuid IS NULL OR i.user_id = $6) AND NOT m.role = ANY (i.withheld)
"""
MISSING_VOUCHED = f"""
SELECT DISTINCT g.user_id, g.role FROM ({_GIVEN}) AS g JOIN users u ON u.tenant_id = $1 AND u.id = g.user_id
WHERE u.removed_at IS NULL AND NOT EXISTS (SELECT FROM role_assignments a
    WHERE a.tenant_id = $1 AND a.user_id = g.user_id AND a.role = g.role AND a.source = $3)
ORDER BY 1, 2
"""
ASSIGN_VOUCHED = """
INSERT INTO role_assignments (tenant_id, id, role, user_id, source)
SELECT $1, n.id, n.role, n.user_id, $2 FROM unnest($3::uuid[], $4::uuid[], $5::text[]) AS n (id, user_id, role)
ON CONFLICT DO NOTHING RETURNING id, role, user_id
"""
UNASSIGN_VOUCHED = f"""
DELETE FROM role_assignments a WHERE a.tenant_id = $1 AND a.source = $3 AND ($6::uuid IS NULL OR a.user_id = $6)
    AND (a.user_id, a.role) NOT IN ({_GIVEN})
RETURNING a.id, a.role, a.user_id
"""

# The directory.
# Read with the platform's role: the one that serves requests cannot see the secrets.
LOAD_ISSUERS = f"""
SELECT {_COLUMNS}, client_secret FROM issuers WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)
"""
LOAD_IDENTITIES = """
SELECT tenant_id, issuer_id, subject, user_id, withheld FROM identities WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)
"""
