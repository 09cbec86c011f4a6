"""The SQL of keys. What reads or writes wrapped keys of tenants is run as the owner only."""

# Master keys.
LOCK_REGISTRY = "SELECT pg_advisory_xact_lock(hashtextextended('enfilade sealing', 0))"
LIST_MASTER_KEYS = "SELECT id, name, for_tenant, check_value FROM enfilade.master_keys ORDER BY id"
REGISTER_MASTER_KEY = """
INSERT INTO enfilade.master_keys (id, name, for_tenant, check_value) VALUES ($1, $2, $3, $4)
ON CONFLICT (name, for_tenant) DO NOTHING
"""
FORGET_MASTER_KEYS = """
DELETE FROM enfilade.master_keys m WHERE m.for_tenant IS NULL AND NOT m.name = ANY($1)
    AND NOT EXISTS (SELECT FROM enfilade.tenant_keys k WHERE k.master_key = m.id)
"""
MASTER_KEYS_IN_USE = """
SELECT m.id, m.name, m.for_tenant, count(DISTINCT k.tenant_id) AS tenants
FROM enfilade.master_keys m JOIN enfilade.tenant_keys k ON k.master_key = m.id AND k.state <> 'destroyed'
GROUP BY m.id ORDER BY m.id
"""
OLD_SECRET = "SELECT name, sealed FROM enfilade.secrets WHERE substring(sealed FROM 1 FOR 1) = '\\x01'::bytea ORDER BY name LIMIT 1"
FIND_TENANT_MASTER_KEY = """
SELECT m.id, m.name FROM enfilade.tenant_master_keys t JOIN enfilade.master_keys m ON m.id = t.master_key
WHERE t.tenant_id = $1
"""
FIND_MASTER_KEY = "SELECT id FROM enfilade.master_keys WHERE name = $1 AND for_tenant IS NOT DISTINCT FROM $2::uuid"
DECLARE_TENANT_MASTER_KEY = """
INSERT INTO enfilade.tenant_master_keys (tenant_id, master_key) VALUES ($1, $2)
ON CONFLICT (tenant_id) DO UPDATE SET master_key = excluded.master_key
"""
FORGET_TENANT_MASTER_KEY = "DELETE FROM enfilade.tenant_master_keys WHERE tenant_id = $1"

# Tenants' keys.
_WRAPPED = """
SELECT k.tenant_id, k.id, k.version, k.state, k.wrapped, m.name AS master_key, m.for_tenant
FROM enfilade.tenant_keys k JOIN enfilade.master_keys m ON m.id = k.master_key
"""
LOAD_KEYS_OF = f"{_WRAPPED} WHERE k.tenant_id = ANY($1) ORDER BY k.tenant_id, k.version"
LOAD_ALL_KEYS = f"{_WRAPPED} WHERE k.state IN ('active', 'retired') ORDER BY k.tenant_id, k.version LIMIT $1"
ADD_TENANT_KEY = """
INSERT INTO enfilade.tenant_keys (tenant_id, version, id, master_key, wrapped) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING id
"""
PUT_CARRIED_KEY = """
INSERT INTO enfilade.tenant_keys (tenant_id, version, id, master_key, wrapped, state, retired_at)
VALUES ($1, $2, $3, $4, $5, $6::text, CASE WHEN $6::text = 'retired' THEN now() END)
"""
LOCK_TENANT_KEYS = """
SELECT tenant_id, version, id, state, withdrawn_by FROM enfilade.tenant_keys
WHERE tenant_id = $1 ORDER BY version FOR UPDATE
"""
RETIRE_ACTIVE = """
UPDATE enfilade.tenant_keys SET state = 'retired', retired_at = $2 WHERE tenant_id = $1 AND state = 'active'
"""
WITHDRAW = """
UPDATE enfilade.tenant_keys SET state = 'withdrawn', withdrawn_by = $2 WHERE tenant_id = $1 AND state <> 'destroyed'
"""
RESTORE = """
UPDATE enfilade.tenant_keys k SET state = CASE
    WHEN version = (SELECT max(version) FROM enfilade.tenant_keys WHERE tenant_id = $1 AND state = 'withdrawn')
    THEN 'active' ELSE 'retired' END, withdrawn_by = NULL
WHERE tenant_id = $1 AND state = 'withdrawn'
"""
DESTROY = """
UPDATE enfilade.tenant_keys SET state = 'destroyed', wrapped = NULL, withdrawn_by = NULL
WHERE tenant_id = $1 AND state <> 'destroyed'
"""
KEYS_TO_REWRAP = f"""
{_WRAPPED} LEFT JOIN enfilade.tenant_master_keys t ON t.tenant_id = k.tenant_id
WHERE k.state <> 'destroyed' AND k.id > $2
    AND k.master_key <> coalesce(t.master_key, (SELECT id FROM enfilade.master_keys WHERE name = $1 AND for_tenant IS NULL))
ORDER BY k.id LIMIT $3
"""
REWRAP = """
UPDATE enfilade.tenant_keys SET wrapped = $3, master_key = $4 WHERE id = $1 AND wrapped = $2 RETURNING id
"""
TENANTS_WITH_RETIRED = """
SELECT DISTINCT tenant_id FROM enfilade.tenant_keys
WHERE state = 'retired' AND renewed_at IS NULL AND tenant_id > $1 ORDER BY tenant_id LIMIT $2
"""
MARK_RENEWED = """
UPDATE enfilade.tenant_keys SET renewed_at = now()
WHERE tenant_id = $1 AND state = 'retired' AND renewed_at IS NULL AND coalesce(retired_at, created_at) <= $2
"""

# For the directory and for reports; the operator may run them.
TENANT_STATES = """
SELECT tenant_id, version, id, state, created_at, renewed_at FROM enfilade.tenant_keys
WHERE $1::uuid[] IS NULL OR tenant_id = ANY($1) ORDER BY tenant_id, version
"""
STATUS_BY_MASTER_KEY = """
SELECT m.name, m.for_tenant, count(DISTINCT k.tenant_id) AS tenants, count(k.id) AS keys
FROM enfilade.master_keys m LEFT JOIN enfilade.tenant_keys k ON k.master_key = m.id AND k.state <> 'destroyed'
GROUP BY m.id, m.name, m.for_tenant ORDER BY m.name, m.for_tenant
"""
COUNT_STATES = """
SELECT count(*) FILTER (WHERE state = 'active') AS active, count(*) FILTER (WHERE state = 'retired') AS retired,
    count(*) FILTER (WHERE state = 'retired' AND renewed_at IS NULL) AS renewing,
    count(DISTINCT tenant_id) FILTER (WHERE state = 'withdrawn') AS withdrawn,
    count(DISTINCT tenant_id) FILTER (WHERE state = 'destroyed') AS destroyed
FROM enfilade.tenant_keys
"""
TENANT_KEYS_SHOWN = """
SELECT k.version, k.id, k.state, k.withdrawn_by, k.created_at, k.renewed_at, m.name AS master_key, m.for_tenant
FROM enfilade.tenant_keys k JOIN enfilade.master_keys m ON m.id = k.master_key
WHERE k.tenant_id = $1 ORDER BY k.version
"""

# Acts, until their events are written.
ADD_ACT = "INSERT INTO enfilade.key_acts (id, tenant_id, type, data) VALUES ($1, $2, $3, $4)"
OPEN_ACTS = """
SELECT id, tenant_id, type, data FROM enfilade.key_acts
WHERE recorded_at IS NULL AND ($1::uuid IS NULL OR id = $1) ORDER BY id LIMIT 100
"""
CLOSE_ACT = "UPDATE enfilade.key_acts SET recorded_at = now() WHERE id = $1"
FIND_MARK = "SELECT true FROM enfilade.sealing_marks WHERE name = $1"
SET_MARK = "INSERT INTO enfilade.sealing_marks (name) VALUES ($1) ON CONFLICT DO NOTHING"
TAKE_RENEWAL = "SELECT pg_try_advisory_lock(hashtextextended('enfilade sealing renewal', 0))"
LIVE_TENANTS = """
SELECT id FROM enfilade.tenants WHERE removed_at IS NULL AND id > $1 ORDER BY id LIMIT $2
"""

# Subjects' keys, in the tenant's cell.
FIND_SUBJECT_KEYS = """
SELECT id, subject_id, version, tenant_key, wrapped FROM subject_keys WHERE subject_id = $1 ORDER BY version DESC LIMIT 1
"""
LOAD_SUBJECT_KEYS = "SELECT id, subject_id, version, tenant_key, wrapped FROM subject_keys WHERE id = ANY($1)"
ADD_SUBJECT_KEY = """
INSERT INTO subject_keys (tenant_id, id, subject_id, version, tenant_key, wrapped) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
"""
ERASE_SUBJECT = """
UPDATE subject_keys SET wrapped = NULL, destroyed_at = $2 WHERE subject_id = $1 AND destroyed_at IS NULL RETURNING id
"""
ADD_ERASED_SUBJECT = """
INSERT INTO subject_keys (tenant_id, id, subject_id, version, tenant_key, wrapped, destroyed_at)
VALUES ($1, $2, $3, 1, $4, NULL, $5) ON CONFLICT DO NOTHING
"""
SUBJECT_KEYS_NOT_UNDER = """
SELECT id, subject_id, version, tenant_key, wrapped FROM subject_keys
WHERE destroyed_at IS NULL AND tenant_key <> $1 ORDER BY id LIMIT $2 FOR UPDATE
"""
COUNT_SUBJECT_KEYS = """
SELECT count(*) FILTER (WHERE destroyed_at IS NULL) AS live, count(*) FILTER (WHERE destroyed_at IS NOT NULL) AS erased,
    count(*) FILTER (WHERE destroyed_at IS NULL AND tenant_key <> $1) AS outdated
FROM subject_keys
"""
REWRAP_SUBJECT_KEY = """
UPDATE subject_keys SET wrapped = $2, tenant_key = $3 WHERE id = $1 AND destroyed_at IS NULL
"""
PLATFORM_IS_RETIRED = """
SELECT EXISTS (SELECT FROM enfilade.tenant_keys WHERE tenant_id = $1 AND state = 'retired' AND renewed_at IS NULL)
"""

# The key by which the installation signs is one of the platform's secrets.
READ_NAMED_SECRET = "SELECT sealed FROM enfilade.secrets WHERE name = $1"
ADD_NAMED_SECRET = """
INSERT INTO enfilade.secrets (name, sealed, fingerprint) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING
"""
