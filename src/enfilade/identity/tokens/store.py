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

# The directory.
# Read with the platform's role: the one that serves requests cannot see the secrets.
LOAD_ISSUERS = f"""
SELECT {_COLUMNS}, client_secret FROM issuers WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)
"""
LOAD_IDENTITIES = """
SELECT tenant_id, issuer_id, subject, user_id FROM identities WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)
"""
