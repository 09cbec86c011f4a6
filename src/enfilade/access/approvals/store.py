"""The SQL of approvals."""

# People. Only who is active counts.
_PERSON = """
SELECT u.id, u.email, u.manager_id, u.department_id, d.name AS department
FROM users u LEFT JOIN departments d ON d.tenant_id = u.tenant_id AND d.id = u.department_id
WHERE u.tenant_id = $1 AND u.removed_at IS NULL AND u.active
"""
FIND_PERSON = _PERSON + " AND u.id = $2"
FIND_PERSON_BY_EMAIL = _PERSON + " AND u.email = $2"
ACTIVE_PEOPLE = """
SELECT id FROM users WHERE tenant_id = $1 AND removed_at IS NULL AND active AND id = ANY ($2::uuid[])
"""
EMAILS = "SELECT id, email FROM users WHERE tenant_id = $1 AND id = ANY ($2::uuid[])"
FIND_GROUP = "SELECT id FROM groups WHERE tenant_id = $1 AND removed_at IS NULL AND (name = $2 OR id::text = $2)"
GROUP_NAMES = "SELECT id, name FROM groups WHERE tenant_id = $1 AND id = ANY ($2::uuid[])"
MEMBERS = """
SELECT m.user_id AS id FROM group_members m
JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id AND g.removed_at IS NULL
JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id AND u.removed_at IS NULL AND u.active
WHERE m.tenant_id = $1 AND m.group_id = $2
"""
# Who has one of these roles: in the whole tenant, or, where one is named, in that department or application.
HOLDERS = """
SELECT u.id FROM users u WHERE u.tenant_id = $1 AND u.removed_at IS NULL AND u.active AND (
    ($3::uuid IS NULL AND $4::uuid IS NULL AND u.roles && $2::text[])
    OR EXISTS (
        SELECT FROM role_assignments a WHERE a.tenant_id = $1 AND a.role = ANY ($2::text[])
            AND a.department_id IS NOT DISTINCT FROM $3 AND a.application_id IS NOT DISTINCT FROM $4
            AND (a.user_id = u.id OR EXISTS (
                SELECT FROM group_members m
                JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id AND g.removed_at IS NULL
                WHERE m.tenant_id = $1 AND m.group_id = a.group_id AND m.user_id = u.id))))
"""
OWN_ROLE_EXISTS = "SELECT EXISTS (SELECT FROM roles WHERE tenant_id = $1 AND name = $2)"
OWN_ROLES = "SELECT name, permissions FROM roles WHERE tenant_id = $1"
KEY_OWNER = "SELECT user_id FROM keys WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL"
LIVE_APPLICATION = "SELECT EXISTS (SELECT FROM applications WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL)"

# Rules.
_RULE = "SELECT tenant_id, id, rule, version FROM approval_rules"
LIST_RULES = _RULE + " WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) ORDER BY id LIMIT $2"
ALL_RULES = _RULE + " WHERE tenant_id = $1 ORDER BY position, name"
FIND_RULE = _RULE + " WHERE tenant_id = $1 AND (name = $2 OR id::text = $2)"
INSERT_RULE = "INSERT INTO approval_rules (tenant_id, id, name, position, rule) VALUES ($1, $2, $3, $4, $5::jsonb)"
UPDATE_RULE = """
UPDATE approval_rules SET position = $3, rule = $4::jsonb, version = version + 1 WHERE tenant_id = $1 AND id = $2
"""
DELETE_RULE = "DELETE FROM approval_rules WHERE tenant_id = $1 AND id = $2"

# Delegations.
LIST_DELEGATIONS = """
SELECT user_id, delegate_id, starts_at, ends_at FROM approval_delegations
WHERE tenant_id = $1 AND user_id = $2 ORDER BY starts_at, delegate_id
"""
PUT_DELEGATION = """
INSERT INTO approval_delegations (tenant_id, user_id, delegate_id, starts_at, ends_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, user_id, delegate_id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at
"""
DELETE_DELEGATION = """
DELETE FROM approval_delegations WHERE tenant_id = $1 AND user_id = $2 AND delegate_id = $3 RETURNING true
"""
CURRENT_DELEGATIONS = """
SELECT d.user_id, d.delegate_id FROM approval_delegations d
JOIN users u ON u.tenant_id = d.tenant_id AND u.id = d.delegate_id AND u.removed_at IS NULL AND u.active
WHERE d.tenant_id = $1 AND d.starts_at <= $2 AND d.ends_at > $2
"""

# Requests.
_REQUEST = """
SELECT tenant_id, id, requester_id, user_id, application_id, key_id, asked, reason, duration_s, starts_at, rule, state,
    created_at, expires_at, decided_at
FROM approval_requests
"""
LIST_REQUESTS = (
    _REQUEST
    + """
WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) AND ($4::uuid IS NULL OR requester_id = $4)
    AND ($5::text IS NULL OR $5 = CASE WHEN state = 'pending' AND expires_at <= $6 THEN 'expired' ELSE state END)
ORDER BY id LIMIT $2
"""
)
FIND_REQUEST = _REQUEST + " WHERE tenant_id = $1 AND id = $2"
SAME_PENDING = """
SELECT id FROM approval_requests
WHERE tenant_id = $1 AND requester_id = $2 AND state = 'pending' AND expires_at > $3 AND asked = $4::jsonb
    AND application_id IS NOT DISTINCT FROM $5 AND key_id IS NOT DISTINCT FROM $6
"""
INSERT_REQUEST = """
INSERT INTO approval_requests (tenant_id, id, requester_id, user_id, application_id, key_id, asked, reason, duration_s,
    starts_at, rule, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11::jsonb, $12, $13)
"""
CLOSE_REQUEST = """
UPDATE approval_requests SET state = $3, decided_at = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'pending'
RETURNING true
"""
DECISIONS = """
SELECT request_id, reviewer_id, seat_id, stage, approves, comment, decided_at FROM approval_decisions
WHERE tenant_id = ANY ($1::uuid[]) AND request_id = ANY ($2::uuid[]) ORDER BY decided_at, reviewer_id
"""
INSERT_DECISION = """
INSERT INTO approval_decisions (tenant_id, request_id, reviewer_id, seat_id, stage, approves, comment, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
COMMENTS = """
SELECT request_id, id, author_id, comment, created_at FROM approval_comments
WHERE tenant_id = ANY ($1::uuid[]) AND request_id = ANY ($2::uuid[]) ORDER BY id
"""
INSERT_COMMENT = """
INSERT INTO approval_comments (tenant_id, request_id, id, author_id, comment, created_at) VALUES ($1, $2, $3, $4, $5, $6)
"""

# Grants.
_GRANT = """
SELECT tenant_id, id, request_id, user_id, application_id, key_id, asked, starts_at, ends_at, granted_at, revoked_at,
    revoked_by, revocation, ended_at, emergency, reason, review_due_at, reviewed_at, reviewed_by, justified, review_note
FROM access_grants
"""
LIST_GRANTS = (
    _GRANT
    + """
WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) AND ($4::uuid IS NULL OR user_id = $4)
    AND ($5::boolean IS NULL OR emergency = $5)
    AND ($6::text IS NULL OR $6 = CASE
        WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN ended_at IS NOT NULL OR ends_at <= $7 THEN 'ended'
        WHEN starts_at > $7 THEN 'scheduled' ELSE 'active' END)
    AND ($8::boolean IS NULL OR (emergency AND reviewed_at IS NULL) = $8)
ORDER BY id LIMIT $2
"""
)
FIND_GRANT = _GRANT + " WHERE tenant_id = $1 AND id = $2"
LOAD_GRANTS = (
    _GRANT
    + """
WHERE revoked_at IS NULL AND ended_at IS NULL AND ($1::uuid[] IS NULL OR tenant_id = ANY ($1::uuid[])) ORDER BY id
"""
)
# What stood at some time since then.
PAST_GRANTS = (
    _GRANT + " WHERE tenant_id = $1 AND least(ends_at, revoked_at) > $2 AND starts_at < coalesce(revoked_at, ends_at)"
)
INSERT_GRANT = """
INSERT INTO access_grants (tenant_id, id, request_id, user_id, application_id, key_id, asked, starts_at, ends_at, granted_at,
    remind_before_s, emergency, reason, review_due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11, $12, $13, $14)
"""
REVOKE_GRANT = """
UPDATE access_grants SET revoked_at = $3, revoked_by = $4, revocation = $5
WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND ended_at IS NULL RETURNING true
"""
SHORTEN_GRANT = """
UPDATE access_grants SET ends_at = $3 WHERE tenant_id = $1 AND id = $2 AND ends_at > $3 AND starts_at < $3 RETURNING true
"""
REVIEW_GRANT = """
UPDATE access_grants SET reviewed_at = $3, reviewed_by = $4, justified = $5, review_note = $6
WHERE tenant_id = $1 AND id = $2 AND emergency AND reviewed_at IS NULL RETURNING true
"""
APPROVERS_OF = """
SELECT reviewer_id AS id FROM approval_decisions WHERE tenant_id = $1 AND request_id = $2 AND approves
"""

# What the clock brings. Each statement finds only what nobody has done yet, so that it is done, and told, once.
TENANTS_WITH_DUE = """
SELECT DISTINCT tenant_id FROM (
    SELECT tenant_id FROM approval_requests WHERE state = 'pending'
        AND (expires_at <= $1 OR (reminded_at IS NULL
            AND expires_at - (rule ->> 'remind_before_s')::bigint * interval '1 second' <= $1))
    UNION ALL
    SELECT tenant_id FROM access_grants WHERE revoked_at IS NULL AND ended_at IS NULL
        AND (ends_at <= $1 OR (reminded_at IS NULL AND starts_at <= $1 AND ends_at - remind_before_s * interval '1 second' <= $1))
    UNION ALL
    SELECT tenant_id FROM access_grants
        WHERE emergency AND reviewed_at IS NULL AND overdue_at IS NULL AND review_due_at <= $1
) AS due ORDER BY tenant_id LIMIT $2
"""
EXPIRE_REQUESTS = """
UPDATE approval_requests SET state = 'expired', decided_at = $2
WHERE tenant_id = $1 AND state = 'pending' AND expires_at <= $2 RETURNING id, requester_id
"""
REMIND_REVIEWERS = (
    "WITH due AS (UPDATE approval_requests SET reminded_at = $2 WHERE tenant_id = $1 AND state = 'pending'"
    " AND reminded_at IS NULL AND expires_at > $2"
    " AND expires_at - (rule ->> 'remind_before_s')::bigint * interval '1 second' <= $2 RETURNING *)"
    + _REQUEST.replace("FROM approval_requests", "FROM due")
)
END_GRANTS = """
UPDATE access_grants SET ended_at = $2
WHERE tenant_id = $1 AND revoked_at IS NULL AND ended_at IS NULL AND ends_at <= $2
RETURNING id, user_id, application_id, key_id, asked
"""
REMIND_HOLDERS = """
UPDATE access_grants SET reminded_at = $2
WHERE tenant_id = $1 AND revoked_at IS NULL AND ended_at IS NULL AND reminded_at IS NULL AND ends_at > $2 AND starts_at <= $2
    AND ends_at - remind_before_s * interval '1 second' <= $2
RETURNING id, user_id, application_id, key_id, asked, ends_at
"""
TELL_OVERDUE = """
UPDATE access_grants SET overdue_at = $2
WHERE tenant_id = $1 AND emergency AND reviewed_at IS NULL AND overdue_at IS NULL AND review_due_at <= $2
RETURNING id, user_id, review_due_at
"""
