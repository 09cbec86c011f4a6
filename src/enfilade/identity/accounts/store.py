"""The SQL of local accounts."""

# Passwords.
FIND_PASSWORD = """
SELECT u.id, u.email, p.hash FROM users u JOIN passwords p ON p.tenant_id = u.tenant_id AND p.user_id = u.id
WHERE u.tenant_id = $1 AND (u.email = $2 OR u.id::text = $2) AND u.active AND u.removed_at IS NULL
"""
PUT_PASSWORD = """
INSERT INTO passwords (tenant_id, user_id, hash, changed_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at
"""
# Only if it is still the one that was compared.
REHASH_PASSWORD = "UPDATE passwords SET hash = $4 WHERE tenant_id = $1 AND user_id = $2 AND hash = $3"
DELETE_PASSWORD = "DELETE FROM passwords WHERE tenant_id = $1 AND user_id = $2 RETURNING user_id"

# Links with which a password is set.
PUT_LINK = """
INSERT INTO password_links (tenant_id, user_id, digest, issued_by, expires_at, covers) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, user_id) DO UPDATE SET digest = excluded.digest, issued_by = excluded.issued_by,
    expires_at = excluded.expires_at, covers = excluded.covers
"""
FIND_LINK = """
SELECT u.id, l.covers FROM password_links l JOIN users u ON u.tenant_id = l.tenant_id AND u.id = l.user_id
WHERE l.tenant_id = $1 AND l.digest = $2 AND l.expires_at > $3 AND u.active AND u.removed_at IS NULL
"""
TAKE_LINK = "DELETE FROM password_links WHERE tenant_id = $1 AND digest = $2 RETURNING user_id"
DELETE_LINK = "DELETE FROM password_links WHERE tenant_id = $1 AND user_id = $2"

# Second factors.
_FACTOR = "SELECT id, user_id, kind, name, created_at, confirmed_at, used_at FROM second_factors"
LIST_FACTORS = _FACTOR + " WHERE tenant_id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL ORDER BY id"
TOTP_SECRETS = """
SELECT id, secret, last_step FROM second_factors
WHERE tenant_id = $1 AND user_id = $2 AND kind = 'totp' AND confirmed_at IS NOT NULL
"""
PENDING_TOTP = """
SELECT id, secret FROM second_factors
WHERE tenant_id = $1 AND user_id = $2 AND id::text = $3 AND kind = 'totp' AND confirmed_at IS NULL AND created_at > $4
"""
FORGET_PENDING = "DELETE FROM second_factors WHERE tenant_id = $1 AND user_id = $2 AND confirmed_at IS NULL"
INSERT_TOTP = """
INSERT INTO second_factors (tenant_id, id, user_id, kind, name, secret, created_at)
VALUES ($1, $2, $3, 'totp', $4, $5, $6)
"""
CONFIRM_TOTP = """
UPDATE second_factors SET confirmed_at = $3, last_step = $4 WHERE tenant_id = $1 AND id = $2 AND confirmed_at IS NULL
"""
# Only the first of two who show the same code.
USE_TOTP = """
UPDATE second_factors SET last_step = $3, used_at = $4 WHERE tenant_id = $1 AND id = $2 AND last_step < $3 RETURNING id
"""
INSERT_WEBAUTHN = """
INSERT INTO second_factors (tenant_id, id, user_id, kind, name, credential_id, public_key, sign_count, created_at,
    confirmed_at)
VALUES ($1, $2, $3, 'webauthn', $4, $5, $6, $7, $8, $8)
"""
LIST_CREDENTIALS = """
SELECT id, credential_id, public_key, sign_count FROM second_factors
WHERE tenant_id = $1 AND user_id = $2 AND kind = 'webauthn'
"""
USE_WEBAUTHN = """
UPDATE second_factors SET sign_count = $3, used_at = $4
WHERE tenant_id = $1 AND id = $2 AND (sign_count < $3 OR (sign_count = 0 AND $3 = 0)) RETURNING id
"""
DELETE_FACTOR = "DELETE FROM second_factors WHERE tenant_id = $1 AND user_id = $2 AND id::text = $3 RETURNING kind"
DELETE_FACTORS = "DELETE FROM second_factors WHERE tenant_id = $1 AND user_id = $2 RETURNING id"

# Recovery codes.
COUNT_CODES = "SELECT count(*) FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2"
DELETE_CODES = "DELETE FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2"
INSERT_CODES = "INSERT INTO recovery_codes (tenant_id, user_id, digest) SELECT $1, $2, unnest($3::bytea[])"
USE_CODE = "DELETE FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2 AND digest = $3 RETURNING digest"

# Challenges.
INSERT_CHALLENGE = """
INSERT INTO challenges (tenant_id, id, digest, user_id, purpose, nonce, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Each look is a try.
TRY_CHALLENGE = """
UPDATE challenges c SET tries = tries + 1 FROM users u
WHERE c.tenant_id = $1 AND c.digest = $2 AND c.expires_at > $3 AND c.tries < $4
    AND u.tenant_id = c.tenant_id AND u.id = c.user_id AND u.active AND u.removed_at IS NULL
RETURNING c.id, c.tenant_id, c.user_id, c.purpose, c.nonce, u.email
"""
TAKE_CHALLENGE = "DELETE FROM challenges WHERE tenant_id = $1 AND id = $2 RETURNING id"
FORGET_CHALLENGES = "DELETE FROM challenges WHERE tenant_id = $1 AND (expires_at < $2 OR user_id = $3)"
FORGET_OLD_CHALLENGES = "DELETE FROM challenges WHERE tenant_id = $1 AND expires_at < $2"

# Tries. One row counts tries of one kind; the wait after the free ones doubles: 1, 3, 7, 15 … seconds.
COUNT_ATTEMPT = """
INSERT INTO sign_in_attempts AS a (tenant_id, bucket, failures, last_at, next_at) VALUES ($1, $2, 1, $3, $3)
ON CONFLICT (tenant_id, bucket) DO UPDATE SET
    failures = CASE WHEN a.last_at < $3 - $4::interval THEN 1 ELSE a.failures + 1 END,
    last_at = $3,
    next_at = CASE WHEN a.last_at < $3 - $4::interval THEN $3
        ELSE $3 + least($6::float8, power(2, least(greatest(a.failures + 1 - $5::int, 0), 20)) - 1) * interval '1 second'
        END
WHERE a.next_at <= $3
RETURNING failures, succeeded_at
"""
NEXT_ATTEMPT = "SELECT next_at FROM sign_in_attempts WHERE tenant_id = $1 AND bucket = $2"
ATTEMPT_SUCCEEDED = """
UPDATE sign_in_attempts SET failures = 0, next_at = $3, last_at = $3, succeeded_at = $3
WHERE tenant_id = $1 AND bucket = $2
"""
FORGET_ATTEMPTS = "DELETE FROM sign_in_attempts WHERE tenant_id = $1 AND bucket = $2"
UNCOUNT_ATTEMPT = """
UPDATE sign_in_attempts SET failures = greatest(failures - 1, 0) WHERE tenant_id = $1 AND bucket = $2
"""
FORGET_OLD_ATTEMPTS = """
DELETE FROM sign_in_attempts WHERE tenant_id = $1 AND last_at < $2 AND (succeeded_at IS NULL OR succeeded_at < $3)
"""

# Rules.
FIND_RULES = "SELECT require_second_factor, local_accounts FROM account_rules WHERE tenant_id = $1"
PUT_RULES = """
INSERT INTO account_rules (tenant_id, require_second_factor, local_accounts) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id) DO UPDATE SET require_second_factor = excluded.require_second_factor,
    local_accounts = excluded.local_accounts, version = account_rules.version + 1
"""
DELETE_RULES = "DELETE FROM account_rules WHERE tenant_id = $1"
LOAD_RULES = """
SELECT tenant_id, require_second_factor, local_accounts FROM account_rules
WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)
"""
