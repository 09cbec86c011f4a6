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
# Those used last stay.
REVOKE_SURPLUS = """
UPDATE sessions SET revoked_at = $3 WHERE tenant_id = $1 AND id IN (
    SELECT id FROM sessions
    WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3 AND used_at > $4
    ORDER BY used_at DESC, id DESC OFFSET $5)
RETURNING id
"""
FORGET_SESSIONS = "DELETE FROM sessions WHERE tenant_id = $1 AND expires_at < $2"

# People on their way to an issuer. Whoever comes back takes the row: it is there once.
FORGET_SIGN_INS = """
DELETE FROM sign_ins WHERE tenant_id = $1 AND (expires_at < $2 OR id IN (
    SELECT id FROM sign_ins WHERE tenant_id = $1 ORDER BY id DESC OFFSET $3))
"""
INSERT_SIGN_IN = """
INSERT INTO sign_ins (tenant_id, id, issuer_id, state_digest, browser_digest, nonce, verifier, redirect_uri, target,
    expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
TAKE_SIGN_IN = """
DELETE FROM sign_ins WHERE tenant_id = $1 AND state_digest = $2 AND browser_digest = $3
RETURNING issuer_id, nonce, verifier, redirect_uri, target, expires_at
"""

# Command lines that wait. They are the platform's.
FORGET_GRANTS = "DELETE FROM device_grants WHERE tenant_id = $1 AND expires_at < $2"
# Of those that anybody may have begun; the others have somebody's session behind them.
COUNT_GRANTS = """
SELECT count(*) AS total, count(*) FILTER (WHERE address IS NOT DISTINCT FROM $2) AS near
FROM device_grants WHERE tenant_id = $1 AND challenge IS NULL
"""
INSERT_GRANT = """
INSERT INTO device_grants (tenant_id, id, code_digest, user_code, challenge, redirect_uri, address, user_agent,
    approved_tenant, approved_session, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
FIND_BY_USER_CODE = """
SELECT id, address, user_agent FROM device_grants
WHERE tenant_id = $1 AND user_code = $2 AND expires_at > $3 AND approved_session IS NULL AND NOT denied
"""
ANSWER_GRANT = """
UPDATE device_grants SET approved_tenant = $3, approved_session = $4, denied = $5, user_code = NULL
WHERE tenant_id = $1 AND id = $2 AND approved_session IS NULL AND NOT denied RETURNING id
"""
POLL_GRANT = """
SELECT id, approved_tenant, approved_session, denied, polled_at, challenge, redirect_uri FROM device_grants
WHERE tenant_id = $1 AND code_digest = $2 AND expires_at > $3 FOR UPDATE
"""
NOTE_POLL = "UPDATE device_grants SET polled_at = $3 WHERE tenant_id = $1 AND id = $2"
TAKE_GRANT = "DELETE FROM device_grants WHERE tenant_id = $1 AND id = $2"
