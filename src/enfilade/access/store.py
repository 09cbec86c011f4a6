"""The SQL of policies and use cases. `approvals` and `reviews` have their own."""

_VERSION = """
SELECT tenant_id, version, state, content, note, author, author_user_id, created_at, changed_at, approver, approved_at,
    publisher, published_at, edition
FROM access_versions
"""

# Versions of a tenant's policies.
LIST_VERSIONS = _VERSION + (
    "WHERE tenant_id = $1 AND ($2::integer IS NULL OR version < $2) AND ($4::text IS NULL OR state = $4)"
    " ORDER BY version DESC LIMIT $3"
)
FIND_VERSION = _VERSION + "WHERE tenant_id = $1 AND version = $2"
FIND_PUBLISHED = _VERSION + "WHERE tenant_id = $1 AND state = 'published'"
FIND_OPEN = _VERSION + "WHERE tenant_id = $1 AND state IN ('draft', 'approved') ORDER BY version DESC LIMIT 1"
INSERT_VERSION = """
INSERT INTO access_versions (tenant_id, version, state, content, note, author, author_user_id, created_at, changed_at)
SELECT $1, coalesce(max(version), 0) + 1, 'draft', $2::text::jsonb, $3, $4, $5, $6, $6 FROM access_versions
WHERE tenant_id = $1
RETURNING version
"""
# Whoever changes a draft is its author from then on, and what was approved is approved no more.
UPDATE_DRAFT = """
UPDATE access_versions SET content = $3::text::jsonb, note = $4, author = $5, author_user_id = $6, changed_at = $7,
    state = 'draft', approver = NULL, approved_at = NULL, edition = edition + 1
WHERE tenant_id = $1 AND version = $2
"""
APPROVE_VERSION = """
UPDATE access_versions SET state = 'approved', approver = $3, approved_at = $4, edition = edition + 1
WHERE tenant_id = $1 AND version = $2
"""
DISCARD_VERSION = """
UPDATE access_versions SET state = 'discarded', edition = edition + 1 WHERE tenant_id = $1 AND version = $2
"""
SUPERSEDE = """
UPDATE access_versions SET state = 'superseded', compiled = NULL, edition = edition + 1
WHERE tenant_id = $1 AND state = 'published'
"""
PUBLISH_VERSION = """
UPDATE access_versions SET state = 'published', publisher = $3, published_at = $4, compiled = $5::text::jsonb,
    edition = edition + 1
WHERE tenant_id = $1 AND version = $2
"""

# The register of use cases.
_USE_CASE = "SELECT tenant_id, id, name, spec, version FROM use_cases "
LIST_USE_CASES = _USE_CASE + (
    "WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) AND ($4::date IS NULL OR review_date < $4) ORDER BY id LIMIT $2"
)
FIND_USE_CASE = _USE_CASE + "WHERE tenant_id = $2 AND (name = $1 OR id::text = $1)"
INSERT_USE_CASE = """
INSERT INTO use_cases (tenant_id, id, name, spec, review_date) VALUES ($1, $2, $3, $4::text::jsonb, $5)
"""
UPDATE_USE_CASE = """
UPDATE use_cases SET spec = $3::text::jsonb, review_date = $4, version = version + 1 WHERE tenant_id = $1 AND id = $2
"""
REMOVE_USE_CASE = "DELETE FROM use_cases WHERE tenant_id = $1 AND id = $2"
# Late reviews of which nothing was told yet; whoever claims them tells.
CLAIM_OVERDUE = """
UPDATE use_cases SET overdue_told = review_date
WHERE tenant_id = $1 AND review_date < $2 AND overdue_told IS DISTINCT FROM review_date
RETURNING id, name, review_date
"""

# The directory.
LOAD_PUBLISHED = """
SELECT tenant_id, version, content, compiled FROM access_versions
WHERE state = 'published' AND ($1::uuid[] IS NULL OR tenant_id = ANY ($1))
"""
LOAD_USE_CASES = _USE_CASE + "WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)"

# What was asked in the past: each combination once, with how often it came and when last. Calls are put together only
# within pieces of time in which the same grants stood, and which policies cannot tell apart.
PAST_CALLS = """
SELECT c.application_id, c.user_id, c.key_id, c.department_id, coalesce(c.model, c.requested_model) AS model, c.deployment,
    c.use_case, count(*) AS calls, max(c.started_at) AS latest,
    count(*) FILTER (WHERE c.error_code = 'access_denied') AS denied
FROM calls c
WHERE c.tenant_id = $1 AND c.started_at >= $2
    AND (c.status <> 'refused' OR c.error_code = 'access_denied')
GROUP BY 1, 2, 3, 4, 5, 6, 7, width_bucket(c.started_at, $5::timestamptz[]),
    CASE WHEN $4::interval IS NOT NULL THEN date_bin($4::interval, c.started_at, timestamptz '2000-01-01 00:00:00+00') END
ORDER BY calls DESC, latest DESC LIMIT $3
"""
TIME_ZONES = "SELECT id, time_zone FROM tenants WHERE id = ANY ($1::uuid[])"
