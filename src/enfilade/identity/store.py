"""The SQL of this room. Row-level security confines each statement to the transaction's tenant, or, for the
platform's operators, lets it read all of them.
"""

# Tenants. The platform's own row, the one with the nil UUID, is nobody's customer and is left out of lists.
_TENANT_COLUMNS = """id, name, isolation, cell, region, security_level, time_zone, allowed_models, max_tokens_per_request,
    state, state_reason, version, created_at"""
LIST_TENANTS = f"""
SELECT {_TENANT_COLUMNS} FROM tenants
WHERE removed_at IS NULL AND id > $1 ORDER BY id LIMIT $2
"""
FIND_TENANT = f"""
SELECT {_TENANT_COLUMNS} FROM tenants
WHERE removed_at IS NULL AND (name = $1 OR id::text = $1) ORDER BY (name = $1) DESC LIMIT 1
"""
INSERT_TENANT = """
INSERT INTO tenants (id, name, isolation, cell, region, security_level, time_zone, allowed_models,
    max_tokens_per_request)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
READ_TENANT = f"SELECT {_TENANT_COLUMNS}, removed_at FROM tenants WHERE id = $1"
# In a database that is not the installation's own: the same row as in the registry.
MIRROR_TENANT = f"""
INSERT INTO tenants ({_TENANT_COLUMNS}, removed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, isolation = excluded.isolation, cell = excluded.cell,
    region = excluded.region, security_level = excluded.security_level, time_zone = excluded.time_zone,
    allowed_models = excluded.allowed_models, max_tokens_per_request = excluded.max_tokens_per_request,
    state = excluded.state, state_reason = excluded.state_reason, version = excluded.version,
    created_at = excluded.created_at, removed_at = excluded.removed_at
"""
UPDATE_TENANT = """
UPDATE tenants SET region = $2, security_level = $3, time_zone = $4, allowed_models = $5, max_tokens_per_request = $6,
    version = version + 1
WHERE id = $1
"""
REMOVE_TENANT = "UPDATE tenants SET removed_at = now(), version = version + 1 WHERE id = $1"
FIND_TENANT_AS_OWNER = f"""
SELECT {_TENANT_COLUMNS} FROM enfilade.tenants
WHERE removed_at IS NULL AND (name = $1 OR id::text = $1) AND id <> '00000000-0000-0000-0000-000000000000'
ORDER BY (name = $1) DESC LIMIT 1
"""
FIND_TAKEN = """
SELECT id FROM enfilade.tenants WHERE id = $1 OR (name = $2 AND removed_at IS NULL) ORDER BY id = $1 DESC LIMIT 1
"""
SET_STATE = "UPDATE tenants SET state = $2, state_reason = $3, version = version + 1 WHERE id = $1"
IS_BEING_ERASED = "SELECT EXISTS (SELECT FROM enfilade.tenant_erasures WHERE erased = $1 AND step <> 'done')"

# Cell hosts.
_CELL_HOST = """
SELECT h.id, h.spec, h.version,
    (SELECT count(*) FROM tenants t WHERE t.cell = h.name AND t.removed_at IS NULL
        AND t.id <> '00000000-0000-0000-0000-000000000000') AS tenants
FROM cell_hosts h
"""
LIST_CELL_HOSTS = _CELL_HOST + "WHERE h.removed_at IS NULL AND h.id > $1 ORDER BY h.id LIMIT $2"
FIND_CELL_HOST = (
    _CELL_HOST + "WHERE h.removed_at IS NULL AND (h.name = $1 OR h.id::text = $1) ORDER BY (h.name = $1) DESC LIMIT 1"
)
INSERT_CELL_HOST = "INSERT INTO cell_hosts (id, name, spec) VALUES ($1, $2, $3::jsonb)"
UPDATE_CELL_HOST = "UPDATE cell_hosts SET spec = $2::jsonb, version = version + 1 WHERE id = $1"
REMOVE_CELL_HOST = "UPDATE cell_hosts SET removed_at = now(), version = version + 1 WHERE id = $1"
COUNT_IN_CELL = """
SELECT count(*) FROM tenants
WHERE cell = $1 AND removed_at IS NULL AND id <> '00000000-0000-0000-0000-000000000000'
"""

# Departments.
LIST_DEPARTMENTS = """
SELECT tenant_id, id, name, version FROM departments
WHERE removed_at IS NULL AND id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) ORDER BY id LIMIT $2
"""
FIND_DEPARTMENT = """
SELECT tenant_id, id, name, version FROM departments
WHERE removed_at IS NULL AND tenant_id = $2 AND (name = $1 OR id::text = $1) ORDER BY (name = $1) DESC LIMIT 1
"""
INSERT_DEPARTMENT = "INSERT INTO departments (tenant_id, id, name) VALUES ($1, $2, $3)"
REMOVE_DEPARTMENT = "UPDATE departments SET removed_at = now(), version = version + 1 WHERE tenant_id = $1 AND id = $2"
DEPARTMENT_IN_USE = """
SELECT EXISTS (SELECT FROM applications WHERE tenant_id = $1 AND department_id = $2 AND removed_at IS NULL)
    OR EXISTS (SELECT FROM users WHERE tenant_id = $1 AND department_id = $2 AND removed_at IS NULL)
"""

# Users.
_USER = """
SELECT u.tenant_id, u.id, u.email, u.roles, u.version, u.department_id, d.name AS department, u.display_name, u.active,
    u.manager_id, m.email AS manager, u.attributes, u.external_id, u.source
FROM users u
LEFT JOIN departments d ON d.tenant_id = u.tenant_id AND d.id = u.department_id
LEFT JOIN users m ON m.tenant_id = u.tenant_id AND m.id = u.manager_id
"""
LIST_USERS = (
    _USER
    + """
WHERE u.removed_at IS NULL AND u.id > $1 AND ($3::uuid IS NULL OR u.tenant_id = $3) ORDER BY u.id LIMIT $2
"""
)
FIND_USER = (
    _USER
    + """
WHERE u.removed_at IS NULL AND u.tenant_id = $2 AND (u.email = $1 OR u.id::text = $1) ORDER BY (u.email = $1) DESC LIMIT 1
"""
)
INSERT_USER = """
INSERT INTO users (tenant_id, id, email, department_id, roles, display_name, manager_id, attributes, active, source,
    external_id, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11, $12)
"""
UPDATE_USER = """
UPDATE users SET email = $3, department_id = $4, roles = $5, display_name = $6, manager_id = $7, attributes = $8::jsonb,
    active = $9, source = $10, external_id = $11, changed_at = $12, version = version + 1
WHERE tenant_id = $1 AND id = $2
"""
REVOKE_SESSIONS_OF_USER = """
UPDATE sessions SET revoked_at = $3
WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND ($4::uuid IS NULL OR id <> $4) RETURNING id
"""
REMOVE_USER = "UPDATE users SET removed_at = now(), version = version + 1 WHERE tenant_id = $1 AND id = $2"
LEAVE_MANAGER = """
UPDATE users SET manager_id = NULL, version = version + 1 WHERE tenant_id = $1 AND manager_id = $2
"""
LEAVE_GROUPS = """
WITH gone AS (DELETE FROM group_members WHERE tenant_id = $1 AND user_id = $2 RETURNING group_id)
UPDATE groups SET changed_at = $3, version = version + 1 WHERE tenant_id = $1 AND id IN (SELECT group_id FROM gone)
"""
# Whether making $3 the manager of $2 would close a circle: $2 is $3, or above $3 already.
IS_ABOVE = """
WITH RECURSIVE above AS (
    SELECT id, manager_id FROM users WHERE tenant_id = $1 AND id = $3
    UNION
    SELECT u.id, u.manager_id FROM users u JOIN above a ON u.id = a.manager_id WHERE u.tenant_id = $1
)
SELECT EXISTS (SELECT FROM above WHERE id = $2)
"""

# Applications.
_APPLICATION = """
SELECT a.tenant_id, a.id, a.name, a.allowed_models, a.settings, a.version, a.department_id, d.name AS department
FROM applications a LEFT JOIN departments d ON d.tenant_id = a.tenant_id AND d.id = a.department_id
"""
LIST_APPLICATIONS = (
    _APPLICATION
    + """
WHERE a.removed_at IS NULL AND a.id > $1 AND ($3::uuid IS NULL OR a.tenant_id = $3) ORDER BY a.id LIMIT $2
"""
)
FIND_APPLICATION = (
    _APPLICATION
    + """
WHERE a.removed_at IS NULL AND a.tenant_id = $2 AND (a.name = $1 OR a.id::text = $1) ORDER BY (a.name = $1) DESC LIMIT 1
"""
)
INSERT_APPLICATION = """
INSERT INTO applications (tenant_id, id, name, department_id, allowed_models, settings)
VALUES ($1, $2, $3, $4, $5, $6::jsonb)
"""
UPDATE_APPLICATION = """
UPDATE applications SET department_id = $3, allowed_models = $4, settings = $5::jsonb, version = version + 1
WHERE tenant_id = $1 AND id = $2
"""
REMOVE_APPLICATION = (
    "UPDATE applications SET removed_at = now(), version = version + 1 WHERE tenant_id = $1 AND id = $2"
)

# Keys and the digests of their secrets.
_KEY = """
SELECT k.tenant_id, k.id, k.name, k.application_id, k.user_id, k.roles, k.expires_at, k.allowed_ips, k.version,
    k.created_at, k.revoked_at, k.scopes, a.name AS application, u.email, od.name AS only_department,
    oa.name AS only_application, ku.last_used_at
FROM keys k
LEFT JOIN applications a ON a.tenant_id = k.tenant_id AND a.id = k.application_id
LEFT JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id
LEFT JOIN departments od ON od.tenant_id = k.tenant_id AND od.id = k.only_department_id
LEFT JOIN applications oa ON oa.tenant_id = k.tenant_id AND oa.id = k.only_application_id
LEFT JOIN key_uses ku ON ku.tenant_id = k.tenant_id AND ku.key_id = k.id
"""
KEYS_WITH_HINT = (
    _KEY
    + """
WHERE k.tenant_id = $2 AND k.id IN (SELECT key_id FROM key_secrets WHERE tenant_id = $2 AND hint = $1)
ORDER BY k.id
"""
)
LIST_KEYS = (
    _KEY
    + """
WHERE k.revoked_at IS NULL AND k.id > $1 AND ($3::uuid IS NULL OR k.tenant_id = $3) ORDER BY k.id LIMIT $2
"""
)
FIND_KEY = (
    _KEY
    + """
WHERE k.revoked_at IS NULL AND k.tenant_id = $2 AND (k.name = $1 OR k.id::text = $1) ORDER BY (k.name = $1) DESC LIMIT 1
"""
)
INSERT_KEY = """
INSERT INTO keys (tenant_id, id, name, application_id, user_id, roles, expires_at, allowed_ips, scopes,
    only_department_id, only_application_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
UPDATE_KEY = """
UPDATE keys SET application_id = $3, user_id = $4, roles = $5, expires_at = $6, allowed_ips = $7, scopes = $8,
    only_department_id = $9, only_application_id = $10, version = version + 1
WHERE tenant_id = $1 AND id = $2
"""
REVOKE_KEY = "UPDATE keys SET revoked_at = now(), version = version + 1 WHERE tenant_id = $1 AND id = $2"
REVOKE_KEYS_OF_APPLICATION = """
UPDATE keys SET revoked_at = now(), version = version + 1
WHERE tenant_id = $1 AND application_id = $2 AND revoked_at IS NULL RETURNING id
"""
REVOKE_KEYS_OF_USER = """
UPDATE keys SET revoked_at = now(), version = version + 1
WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING id
"""
INSERT_SECRET = """
INSERT INTO key_secrets (tenant_id, key_id, digest, hint) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, key_id, digest) DO UPDATE SET valid_until = NULL
"""
LIST_SECRETS = """
SELECT key_id, digest, hint, valid_until FROM key_secrets
WHERE tenant_id = $1 AND key_id = $2 AND (valid_until IS NULL OR valid_until > $3) ORDER BY created_at
"""
END_SECRETS = """
UPDATE key_secrets SET valid_until = $3
WHERE tenant_id = $1 AND key_id = $2 AND digest <> $4 AND (valid_until IS NULL OR valid_until > $3)
"""

# The names behind ids, also of what was removed: reports speak of the past.
NAMES = {
    "tenant": "SELECT id, name FROM tenants WHERE id = ANY ($1)",
    "department": "SELECT id, name FROM departments WHERE id = ANY ($1)",
    "application": "SELECT id, name FROM applications WHERE id = ANY ($1)",
    "user": "SELECT id, email AS name FROM users WHERE id = ANY ($1)",
    "group": "SELECT id, name FROM groups WHERE id = ANY ($1)",
    "key": "SELECT id, name FROM keys WHERE id = ANY ($1)",
}

# The directory: what each process holds in memory, for all tenants or for those that changed.
LOAD_TENANTS = f"""
SELECT {_TENANT_COLUMNS} FROM tenants WHERE removed_at IS NULL AND ($1::uuid[] IS NULL OR id = ANY ($1))
"""
LOAD_APPLICATIONS = _APPLICATION + "WHERE a.removed_at IS NULL AND ($1::uuid[] IS NULL OR a.tenant_id = ANY ($1))"
LOAD_USERS = _USER + "WHERE u.removed_at IS NULL AND ($1::uuid[] IS NULL OR u.tenant_id = ANY ($1))"
LOAD_DEPARTMENTS = """
SELECT tenant_id, id, name, version FROM departments
WHERE removed_at IS NULL AND ($1::uuid[] IS NULL OR tenant_id = ANY ($1))
"""
LOAD_KEYS = """
SELECT k.tenant_id, k.id, k.name, k.application_id, k.user_id, k.roles, k.expires_at, k.allowed_ips, k.scopes,
    k.only_department_id, k.only_application_id, s.digest, s.valid_until
FROM keys k JOIN key_secrets s ON s.tenant_id = k.tenant_id AND s.key_id = k.id
WHERE k.revoked_at IS NULL AND (s.valid_until IS NULL OR s.valid_until > $2)
    AND ($1::uuid[] IS NULL OR k.tenant_id = ANY ($1))
"""
# Also of tenants that were removed: their records stay where they are, and calls that still run are settled there.
LOAD_PLACEMENTS = "SELECT id, isolation, cell FROM tenants WHERE $1::uuid[] IS NULL OR id = ANY ($1)"
READ_REVISIONS = "SELECT tenant_id, revision FROM tenant_revisions WHERE revision > $1"
READ_REVISION = "SELECT revision FROM revision_counter"

# Erasing a person. Their id stays, in other tables too: by itself it says nothing.
FIND_PERSON = """
SELECT id FROM users WHERE tenant_id = $2 AND (email = $1 OR id::text = $1) ORDER BY id
"""
ANONYMISE_USER = """
UPDATE users SET email = 'erased-' || id, display_name = NULL, attributes = '{}', external_id = NULL, manager_id = NULL,
    department_id = NULL, roles = '{}', active = false, removed_at = coalesce(removed_at, now()), version = version + 1
WHERE tenant_id = $1 AND id = $2
"""
FORGET_PERSON = (
    "UPDATE identities SET subject = 'erased-' || user_id, groups = '{}', withheld = '{}' WHERE tenant_id = $1 AND user_id = $2",
    "DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2",
    "DELETE FROM passwords WHERE tenant_id = $1 AND user_id = $2",
    "DELETE FROM second_factors WHERE tenant_id = $1 AND user_id = $2",
    "DELETE FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2",
    "DELETE FROM password_links WHERE tenant_id = $1 AND user_id = $2",
    "DELETE FROM challenges WHERE tenant_id = $1 AND user_id = $2",
    "UPDATE keys SET name = 'erased-' || id WHERE tenant_id = $1 AND user_id = $2",
)

# What is sealed under another key than the platform's current one, whose id is $1; see `Column`.
_OUTDATED_CLIENT_SECRET = """
FROM issuers WHERE tenant_id = current_tenant() AND client_secret IS NOT NULL
    AND (substring(client_secret FROM 1 FOR 1) <> '\\x02'::bytea OR substring(client_secret FROM 2 FOR 16) <> $1::bytea)
"""
OUTDATED_CLIENT_SECRETS = f"""
SELECT id::text AS key, 'issuer:' || id AS purpose, client_secret AS sealed {_OUTDATED_CLIENT_SECRET} LIMIT $2
"""
COUNT_OUTDATED_CLIENT_SECRETS = f"SELECT count(*) {_OUTDATED_CLIENT_SECRET}"
RESEAL_CLIENT_SECRET = "UPDATE issuers SET client_secret = $3 WHERE id = $1::text::uuid AND client_secret = $2"
_OUTDATED_FACTOR = """
FROM second_factors WHERE tenant_id = current_tenant() AND secret IS NOT NULL
    AND (substring(secret FROM 1 FOR 1) <> '\\x02'::bytea OR substring(secret FROM 2 FOR 16) <> $1::bytea)
"""
OUTDATED_FACTORS = (
    f"SELECT id::text AS key, 'totp:' || user_id AS purpose, secret AS sealed {_OUTDATED_FACTOR} LIMIT $2"
)
COUNT_OUTDATED_FACTORS = f"SELECT count(*) {_OUTDATED_FACTOR}"
RESEAL_FACTOR = "UPDATE second_factors SET secret = $3 WHERE id = $1::text::uuid AND secret = $2"
