"""The SQL of access reviews."""

# What there is to look at. Of each the user whose access it is, and the department and application that it belongs to.
USER_ROLES = """
SELECT u.id, u.email, u.department_id, u.created_at, u.active, u.source, r.role,
    (SELECT max(s.created_at) FROM sessions s WHERE s.tenant_id = u.tenant_id AND s.user_id = u.id) AS signed_in_at
FROM users u CROSS JOIN LATERAL unnest(u.roles) AS r (role)
WHERE u.tenant_id = $1 AND u.removed_at IS NULL AND ($2::uuid IS NULL OR u.department_id = $2)
ORDER BY u.id, r.role
"""
ASSIGNMENTS = """
SELECT a.id, a.role, a.user_id, a.group_id, a.source, a.created_at, u.email, g.name AS group_name,
    coalesce(a.department_id, p.department_id) AS department_id, a.application_id, d.name AS department, p.name AS application,
    (SELECT max(s.created_at) FROM sessions s WHERE s.tenant_id = a.tenant_id AND s.user_id = a.user_id) AS signed_in_at
FROM role_assignments a
LEFT JOIN users u ON u.tenant_id = a.tenant_id AND u.id = a.user_id
LEFT JOIN groups g ON g.tenant_id = a.tenant_id AND g.id = a.group_id
LEFT JOIN departments d ON d.tenant_id = a.tenant_id AND d.id = a.department_id
LEFT JOIN applications p ON p.tenant_id = a.tenant_id AND p.id = a.application_id
WHERE a.tenant_id = $1 AND (u.id IS NULL OR u.removed_at IS NULL)
    AND ($2::uuid IS NULL OR coalesce(a.department_id, p.department_id, u.department_id) = $2)
ORDER BY a.id
"""
GROUP_MEMBERS = "SELECT user_id AS id FROM group_members WHERE tenant_id = $1 AND group_id = $2"
KEYS = """
SELECT k.id, k.name, k.user_id, k.application_id, k.roles, k.scopes, k.expires_at, k.created_at, u.email,
    p.name AS application, coalesce(p.department_id, u.department_id, k.only_department_id) AS department_id, x.last_used_at
FROM keys k
LEFT JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id
LEFT JOIN applications p ON p.tenant_id = k.tenant_id AND p.id = k.application_id
LEFT JOIN key_uses x ON x.tenant_id = k.tenant_id AND x.key_id = k.id
WHERE k.tenant_id = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3)
    AND ($2::uuid IS NULL OR coalesce(p.department_id, u.department_id, k.only_department_id) = $2)
ORDER BY k.id
"""
GRANTS = """
SELECT g.id, g.user_id, g.application_id, g.asked, g.starts_at, g.ends_at, g.granted_at, g.emergency, u.email,
    p.name AS application, k.name AS key, coalesce(u.department_id, p.department_id) AS department_id,
    ARRAY(SELECT d.reviewer_id FROM approval_decisions d
          WHERE d.tenant_id = g.tenant_id AND d.request_id = g.request_id AND d.approves) AS approvers
FROM access_grants g
LEFT JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.user_id
LEFT JOIN applications p ON p.tenant_id = g.tenant_id AND p.id = g.application_id
LEFT JOIN keys k ON k.tenant_id = g.tenant_id AND k.id = g.key_id
WHERE g.tenant_id = $1 AND g.revoked_at IS NULL AND g.ended_at IS NULL AND g.ends_at > $3
    AND ($2::uuid IS NULL OR coalesce(u.department_id, p.department_id) = $2)
ORDER BY g.id
"""
# Rows of the published matrix that name people: what policies make an exception for.
EXCEPTIONS = """
SELECT r.row ->> 'name' AS name, u.id, u.email, u.department_id, v.published_at, v.publisher, r.row ->> 'models' AS models
FROM access_versions v
CROSS JOIN LATERAL jsonb_array_elements(coalesce(v.content -> 'matrix', '[]'::jsonb)) AS r (row)
CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(r.row -> 'users', '[]'::jsonb)) AS n (email)
JOIN users u ON u.tenant_id = v.tenant_id AND u.email = n.email AND u.removed_at IS NULL
WHERE v.tenant_id = $1 AND v.state = 'published' AND coalesce((r.row ->> 'enabled')::boolean, true)
    AND ($2::uuid IS NULL OR u.department_id = $2)
ORDER BY name, u.id
"""
# Calls of the period, by user and by key: both come from one pass.
CALLS = """
SELECT user_id, key_id, count(*)::bigint AS calls FROM calls
WHERE tenant_id = $1 AND started_at >= $2 AND started_at < $3 GROUP BY user_id, key_id
"""
# The words of the partial index stand here, so that the planner sees that it fits.
RIGHTS_EVENTS = """
SELECT at, type, body FROM events
WHERE tenant_id = $1 AND type IN ('UserCreated', 'UserChanged', 'KeyIssued', 'KeyChanged', 'RoleAssigned') ORDER BY at, seq
"""
DEPARTMENT_EXISTS = "SELECT EXISTS (SELECT FROM departments WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL)"

# Campaigns.
_REVIEW = """
SELECT r.tenant_id, r.id, r.name, r.settings, r.schedule_id, r.started_by, r.started_at, r.due_at, r.closed_at, r.report_hash,
    (SELECT count(*) FROM access_review_items i WHERE i.tenant_id = r.tenant_id AND i.review_id = r.id) AS items,
    (SELECT count(*) FROM access_review_items i
     WHERE i.tenant_id = r.tenant_id AND i.review_id = r.id AND i.decision IS NOT NULL) AS answered,
    (SELECT count(*) FROM access_review_items i
     WHERE i.tenant_id = r.tenant_id AND i.review_id = r.id AND i.applied_at IS NOT NULL) AS applied
FROM access_reviews r
"""
LIST_REVIEWS = _REVIEW + (
    "WHERE r.id > $1 AND ($3::uuid IS NULL OR r.tenant_id = $3) AND ($4::uuid IS NULL OR EXISTS ("
    "SELECT FROM access_review_items i WHERE i.tenant_id = r.tenant_id AND i.review_id = r.id AND $4 = ANY (i.reviewers)))"
    " ORDER BY r.id LIMIT $2"
)
FIND_REVIEW = _REVIEW + "WHERE r.tenant_id = $1 AND r.id = $2"
INSERT_REVIEW = """
INSERT INTO access_reviews (tenant_id, id, name, settings, schedule_id, started_by, started_at, due_at)
VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8)
"""
INSERT_ITEMS = """
INSERT INTO access_review_items (tenant_id, review_id, id, kind, object, subject_id, subject, label, evidence, reviewers)
SELECT $1, $2, i.id, i.kind, i.object, i.subject_id, i.subject, i.label, i.evidence, i.reviewers
FROM jsonb_to_recordset($3::jsonb) AS i (id uuid, kind text, object text, subject_id uuid, subject text, label text,
    evidence jsonb, reviewers uuid[])
"""
CLOSE_REVIEW = """
UPDATE access_reviews SET closed_at = $3, report = $4, report_hash = $5
WHERE tenant_id = $1 AND id = $2 AND closed_at IS NULL RETURNING true
"""
REPORT = "SELECT report FROM access_reviews WHERE tenant_id = $1 AND id = $2"

# Items.
_ITEM = """
SELECT id, review_id, kind, object, subject_id, subject, label, evidence, reviewers, decision, change, reason, decided_by,
    decided_at, applied_at, outcome
FROM access_review_items
"""
LIST_ITEMS = _ITEM + (
    "WHERE tenant_id = $3 AND review_id = $4 AND id > $1 AND ($5::uuid IS NULL OR $5 = ANY (reviewers))"
    " AND ($6::boolean IS NULL OR (decision IS NOT NULL) = $6) ORDER BY id LIMIT $2"
)
FIND_ITEM = _ITEM + "WHERE tenant_id = $1 AND review_id = $2 AND id = $3"
DECIDE_ITEM = """
UPDATE access_review_items SET decision = $4, change = $5::jsonb, reason = $6, decided_by = $7, decided_at = $8
WHERE tenant_id = $1 AND review_id = $2 AND id = $3 AND applied_at IS NULL RETURNING true
"""
ASSIGN_REVIEWERS = """
UPDATE access_review_items SET reviewers = $4 WHERE tenant_id = $1 AND review_id = $2 AND id = $3 AND decision IS NULL
RETURNING true
"""
UNAPPLIED = """
SELECT id FROM access_review_items
WHERE tenant_id = $1 AND review_id = $2 AND decision IS NOT NULL AND applied_at IS NULL ORDER BY id LIMIT $3
"""
APPLY_ITEM = """
UPDATE access_review_items SET applied_at = $4, outcome = $5 WHERE tenant_id = $1 AND review_id = $2 AND id = $3
"""
# Where nobody could have answered, nobody's silence means anything.
ANSWER_FOR_THE_SILENT = """
UPDATE access_review_items
SET decision = CASE WHEN $3 AND cardinality(reviewers) > 0 THEN 'revoke' ELSE 'keep' END, decided_at = $4,
    reason = CASE WHEN cardinality(reviewers) = 0 THEN 'nobody could review this' ELSE 'nobody answered in time' END
WHERE tenant_id = $1 AND review_id = $2 AND decision IS NULL RETURNING decision
"""

# What the clock brings.
TENANTS_WITH_DUE = """
SELECT DISTINCT tenant_id FROM (
    SELECT tenant_id FROM access_reviews WHERE closed_at IS NULL AND (due_at <= $1 OR (reminded_at IS NULL
        AND due_at - coalesce((settings ->> 'remind_days')::integer, 3) * interval '1 day' <= $1))
    UNION ALL SELECT tenant_id FROM access_review_schedules WHERE next_at <= $1
    UNION ALL
    SELECT i.tenant_id FROM access_review_items i JOIN access_reviews r ON r.tenant_id = i.tenant_id AND r.id = i.review_id
    WHERE r.closed_at IS NULL AND i.decision IS NOT NULL AND i.applied_at IS NULL
) AS due ORDER BY tenant_id LIMIT $2
"""
OPEN_REVIEWS = _REVIEW + "WHERE r.tenant_id = $1 AND r.closed_at IS NULL ORDER BY r.id"
REMIND = """
UPDATE access_reviews SET reminded_at = $2
WHERE tenant_id = $1 AND closed_at IS NULL AND reminded_at IS NULL AND due_at > $2
    AND due_at - coalesce((settings ->> 'remind_days')::integer, 3) * interval '1 day' <= $2 RETURNING id, due_at
"""
WAITING_FOR = """
SELECT w.reviewer::text AS reviewer, count(*)::bigint AS items
FROM access_review_items i CROSS JOIN LATERAL unnest(i.reviewers) AS w (reviewer)
WHERE i.tenant_id = $1 AND i.review_id = $2 AND i.decision IS NULL GROUP BY 1 ORDER BY 1
"""

# Schedules.
_SCHEDULE = "SELECT tenant_id, id, name, settings, every, next_at, version FROM access_review_schedules "
LIST_SCHEDULES = _SCHEDULE + "WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) ORDER BY id LIMIT $2"
FIND_SCHEDULE = _SCHEDULE + "WHERE tenant_id = $1 AND (name = $2 OR id::text = $2)"
DUE_SCHEDULES = _SCHEDULE + "WHERE tenant_id = $1 AND next_at <= $2 ORDER BY id"
INSERT_SCHEDULE = """
INSERT INTO access_review_schedules (tenant_id, id, name, settings, every, next_at, created_at)
VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7)
"""
UPDATE_SCHEDULE = """
UPDATE access_review_schedules SET settings = $3::jsonb, every = $4, next_at = $5, version = version + 1
WHERE tenant_id = $1 AND id = $2
"""
ADVANCE_SCHEDULE = (
    "UPDATE access_review_schedules SET next_at = $3 WHERE tenant_id = $1 AND id = $2 AND next_at <= $4 RETURNING true"
)
DELETE_SCHEDULE = "DELETE FROM access_review_schedules WHERE tenant_id = $1 AND id = $2"
