"""The SQL of this room. Names are joined here, on the few rows of a page, rather than stored on every call."""

_CALL = """
SELECT c.*, t.name AS tenant, d.name AS department, a.name AS application, u.email AS "user", k.name AS key
FROM (SELECT * FROM calls {filter}) AS c
LEFT JOIN enfilade.tenants t ON t.id = c.tenant_id
LEFT JOIN departments d ON d.tenant_id = c.tenant_id AND d.id = c.department_id
LEFT JOIN applications a ON a.tenant_id = c.tenant_id AND a.id = c.application_id
LEFT JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.user_id
LEFT JOIN keys k ON k.tenant_id = c.tenant_id AND k.id = c.key_id
ORDER BY c.started_at DESC, c.call_id DESC
"""
FIND_CALL = _CALL.format(filter="WHERE call_id = $1 AND started_at >= $2 AND started_at < $3 LIMIT 1")
LIST_CALLS = _CALL.format(
    filter="""
    WHERE ($1::uuid IS NULL OR tenant_id = $1) AND started_at >= $2 AND started_at < $3
        AND ($4::timestamptz IS NULL OR (started_at, call_id) < ($4, $5::uuid))
        AND ($6::text IS NULL OR status = $6) AND ($7::text IS NULL OR model = $7)
        AND ($8::uuid IS NULL OR application_id = $8) AND ($9::uuid IS NULL OR user_id = $9)
        AND ($10::uuid IS NULL OR key_id = $10) AND ($11::uuid IS NULL OR department_id = $11)
    ORDER BY started_at DESC, call_id DESC LIMIT $12"""
)

# Events. `seq` is the leaf index within a tenant's log; across tenants the order is that of time.
_EVENT_COLUMNS = "tenant_id, seq, at, type, body, leaf"
LIST_EVENTS = f"""
SELECT {_EVENT_COLUMNS} FROM events
WHERE ($1::uuid IS NULL OR tenant_id = $1) AND at >= $2 AND at < $3 AND ($4::text IS NULL OR type = $4)
    AND ($5::timestamptz IS NULL OR (at, tenant_id, seq) > ($5, $6::uuid, $7::bigint))
    AND ($9 OR CASE
        WHEN (body::jsonb -> 'data' ->> 'application') = ANY ($12::text[]) THEN true
        WHEN (body::jsonb -> 'data' ->> 'department') IS NOT NULL
            THEN (body::jsonb -> 'data' ->> 'department') = ANY ($10::text[])
        WHEN (body::jsonb -> 'data' ->> 'application') IS NOT NULL
            THEN (body::jsonb -> 'data' ->> 'application') = ANY ($11::text[])
        ELSE coalesce((body::jsonb -> 'data' ->> 'user') = ANY ($13::text[]), false)
    END)
ORDER BY at, tenant_id, seq LIMIT $8
"""
EXPORT_EVENTS = f"""
SELECT {_EVENT_COLUMNS} FROM events
WHERE ($1::uuid IS NULL OR tenant_id = $1) AND at >= $2 AND at < $3 AND ($4::text IS NULL OR type = $4)
ORDER BY tenant_id, seq
"""
