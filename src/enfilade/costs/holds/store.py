"""The SQL of limits and budgets."""

# Limits and budgets.
_LIMIT_COLUMNS = "tenant_id, id, subject_kind, subject_id, model, measure, amount, per, version"
LIST_LIMITS = f"""
SELECT {_LIMIT_COLUMNS} FROM limits
WHERE id > $1 AND ($3::uuid IS NULL OR tenant_id = $3) ORDER BY id LIMIT $2
"""
FIND_LIMIT = f"SELECT {_LIMIT_COLUMNS} FROM limits WHERE id = $1"
FIND_SAME_LIMIT = f"""
SELECT {_LIMIT_COLUMNS} FROM limits
WHERE tenant_id = $1 AND subject_kind = $2 AND subject_id IS NOT DISTINCT FROM $3 AND model IS NOT DISTINCT FROM $4
    AND measure = $5 AND per IS NOT DISTINCT FROM $6
"""
INSERT_LIMIT = """
INSERT INTO limits (tenant_id, id, subject_kind, subject_id, model, measure, amount, per)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
UPDATE_LIMIT = "UPDATE limits SET amount = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2"
DELETE_LIMIT = "DELETE FROM limits WHERE tenant_id = $1 AND id = $2"

_BUDGET_COLUMNS = """b.tenant_id, b.id, b.subject_kind, b.subject_id, b.model, b.period, b.limit_nano, b.alerts, b.action,
    b.month_starts_on, b.year_starts_in, b.carry_over, b.carry_over_limit_nano, b.version"""
LIST_BUDGETS = f"""
SELECT {_BUDGET_COLUMNS} FROM budgets b
WHERE b.id > $1 AND ($3::uuid IS NULL OR b.tenant_id = $3) ORDER BY b.id LIMIT $2
"""
FIND_BUDGET = f"SELECT {_BUDGET_COLUMNS} FROM budgets b WHERE b.id = $1"
FIND_SAME_BUDGET = f"""
SELECT {_BUDGET_COLUMNS} FROM budgets b
WHERE b.tenant_id = $1 AND b.subject_kind = $2 AND b.subject_id IS NOT DISTINCT FROM $3
    AND b.model IS NOT DISTINCT FROM $4 AND b.period = $5
"""
INSERT_BUDGET = """
INSERT INTO budgets (tenant_id, id, subject_kind, subject_id, model, period, created_at, limit_nano, alerts, action,
    month_starts_on, year_starts_in, carry_over, carry_over_limit_nano)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
UPDATE_BUDGET = """
UPDATE budgets SET limit_nano = $3, alerts = $4, action = $5, month_starts_on = $6, year_starts_in = $7,
    carry_over = $8, carry_over_limit_nano = $9, version = version + 1
WHERE tenant_id = $1 AND id = $2
"""
DELETE_BUDGET = "DELETE FROM budgets WHERE tenant_id = $1 AND id = $2"
INSERT_BUDGET_LIMIT = """
INSERT INTO budget_limits (tenant_id, budget_id, since, limit_nano) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, budget_id, since) DO UPDATE SET limit_nano = excluded.limit_nano
"""

_RAISE_COLUMNS = "id, budget_id, amount_nano, reason, actor, starts_at, until_at, ended_at"
LIST_RAISES = f"SELECT {_RAISE_COLUMNS} FROM budget_raises WHERE budget_id = $1 AND id > $2 ORDER BY id LIMIT $3"
LIST_CURRENT_RAISES = f"""
SELECT {_RAISE_COLUMNS} FROM budget_raises
WHERE budget_id = ANY ($1::uuid[]) AND ended_at IS NULL AND until_at > $2 ORDER BY id
"""
FIND_RAISE = f"SELECT {_RAISE_COLUMNS} FROM budget_raises WHERE budget_id = $1 AND id = $2"
INSERT_RAISE = """
INSERT INTO budget_raises (tenant_id, id, budget_id, amount_nano, reason, actor, starts_at, until_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
END_RAISE = "UPDATE budget_raises SET ended_at = $3 WHERE tenant_id = $1 AND id = $2"

# The directory's section.
LOAD_LIMITS = f"SELECT {_LIMIT_COLUMNS} FROM limits WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1) ORDER BY id"
LOAD_BUDGETS = f"""
SELECT {_BUDGET_COLUMNS} FROM budgets b WHERE $1::uuid[] IS NULL OR b.tenant_id = ANY ($1) ORDER BY b.id
"""
LOAD_RAISES = f"""
SELECT {_RAISE_COLUMNS} FROM budget_raises
WHERE ($1::uuid[] IS NULL OR tenant_id = ANY ($1)) AND ended_at IS NULL AND until_at > $2 ORDER BY id
"""
LOAD_BUDGET_LIMITS = """
SELECT l.budget_id, l.since, l.limit_nano
FROM budget_limits l JOIN budgets b ON b.tenant_id = l.tenant_id AND b.id = l.budget_id
WHERE b.carry_over AND ($1::uuid[] IS NULL OR l.tenant_id = ANY ($1)) ORDER BY l.since
"""
LOAD_EPOCHS = "SELECT tenant_id, epoch FROM ledger_epochs WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)"
LOAD_TIME_ZONES = "SELECT id, time_zone FROM tenants WHERE $1::uuid[] IS NULL OR id = ANY ($1)"

# What was used before this process began to count. One statement for each kind of subject, because the subject's
# column decides the grouping.
SUBJECT_COLUMNS = {
    "tenant": "tenant_id",
    "department": "department_id",
    "application": "application_id",
    "user": "user_id",
    "key": "key_id",
}
SPENT_BEFORE = {
    kind: f"""
SELECT {column} AS subject, model, sum(amount_nano)::bigint AS nano FROM ledger
WHERE tenant_id = $1 AND started_at >= $2 AND started_at < $3 AND {column} IS NOT NULL
    AND ($4::uuid IS NULL OR {column} = $4) AND NOT (call_id = ANY ($5))
GROUP BY 1, 2
"""
    for kind, column in SUBJECT_COLUMNS.items()
}
SPENT_AHEAD = {
    kind: f"""
SELECT {column} AS subject, model, date_trunc('minute', started_at, 'UTC') AS minute, sum(amount_nano)::bigint AS nano
FROM ledger
WHERE tenant_id = $1 AND started_at >= $2 AND {column} IS NOT NULL
    AND ($3::uuid IS NULL OR {column} = $3) AND NOT (call_id = ANY ($4))
GROUP BY 1, 2, 3
"""
    for kind, column in SUBJECT_COLUMNS.items()
}
USED_BEFORE = {
    kind: f"""
SELECT {column} AS subject, model, floor(extract(epoch FROM started_at) * 1000000000 / $6::bigint)::bigint AS slot,
    count(*) AS requests, sum(input_tokens + output_tokens)::bigint AS tokens
FROM calls
WHERE tenant_id = $1 AND started_at >= $2 AND started_at < $3 AND {column} IS NOT NULL AND status <> 'refused'
    AND ($4::uuid IS NULL OR {column} = $4) AND NOT (call_id = ANY ($5))
GROUP BY 1, 2, 3
"""
    for kind, column in SUBJECT_COLUMNS.items()
}
