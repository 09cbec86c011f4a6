"""The SQL of signing in."""

# Sessions. A session that ended is no session: every statement but the clean-up leaves those out.
_SESSION = """
SELECT s.tenant_id, s.id, s.user_id, s.issuer_id, s.methods, s.groups, s.address, s.user_agent, s.created_at,
    s.used_at, s.expires_at, u.email
FROM sessions s JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
"""
INSERT_SESSION = """
INSERT INTO sessions (tenant_id, id, digest, user_id, issuer_id, methods, groups, address, user_agent, created_at,
    used_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)
"""
FIND_BY_DIGEST = (
    _SESSION
    + """
WHERE s.tenant_id = $1 AND s.digest = $2 AND s.revoked_at IS NULL AND s.expires_at > $3 AND s.used_at > $4
"""
)
FIND_SESSION = (
    _SESSION
    + """
WHERE s.tenant_id = $1 AND s.id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3 AND s.used_at > $4
"""
)
LIST_SESSIONS = (
    _SESSION
    + """
WHERE s.id > $1 AND s.revoked_at IS NULL AND s.expires_at > $3 AND s.used_at > $4
    AND ($5::uuid IS NULL OR s.tenant_id = $5) AND ($6::uuid IS NULL OR s.user_id = $6)
ORDER BY s.id LIMIT $2
"""
)
TOUCH_SESSION = "UPDATE sessions SET used_at = $3 WHERE tenant_id = $1 AND id = $2 AND used_at < $3"
RENEW_SESSION = """
UPDATE sessions SET digest = $3, methods = $4, used_at = $5 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL
"""
REVOKE_SESSION = """
UPDATE sessions SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING id
"""
REVOKE_SESSIONS_OF_USER = """
UPDATE sessions SET revoked_at = $3
WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND ($4::uuid IS NULL OR id <> $4) RETURNING id
"""
# Those used last stay.
REVOKE_SURPLUS = """
UPDATE sessions SET revoked_at = $3 WHERE tenant_id = $1 AND id IN (
    SELECT id FROM sessions
    WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3 AND used_at > $4
    ORDER BY used_at DESC, id DESC OFFSET $5)
RETURNING id
"""
FORGET_SESSIONS = "DELETE FROM sessions WHERE tenant_id = $1 AND expires_at < $2"
