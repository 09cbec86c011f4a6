"""The SQL of roll-ups and of reports.

Reports are one statement, whatever they group by: the planner knows the parameters and leaves out what they rule out.
No text in it comes from callers.
"""

from enfilade.costs.spend.measures import MEASURES

# The job.
TENANT_ZONES = "SELECT tenant_id, time_zone FROM spend_tenants"
ROLL_UP = "SELECT entries, behind FROM roll_up_spend($1, $2, $3, $4, $5)"
MOVE = "SELECT move_spend($1, $2, $3)"
REQUEST_REBUILD = "SELECT request_spend_rebuild($1)"
REBUILD_MONTH = "SELECT rebuild_spend_month($1)"
# Sums for many groups are as wide as their rows: in too little memory they go over the disk.
PATIENCE = "SELECT set_config('statement_timeout', $1, true), set_config('work_mem', '64MB', true)"
PROGRESS = """
SELECT p.caught_up_at, p.watermark, (SELECT count(*) FROM spend_tenants WHERE rebuild_from IS NOT NULL) AS rebuilding
FROM spend_progress p
"""

# Reports. What is rolled up ends at the watermark; on another server than the roll-ups were made on it means nothing.
# The parameters change what a report reads a thousandfold, so no plan is kept for all of them.
WATERMARK = """
SELECT CASE WHEN p.server = spend_server() AND p.watermark <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            THEN p.watermark ELSE 0 END AS watermark, set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('work_mem', '64MB', true)
FROM spend_progress p
"""

DIMENSIONS = {
    "department": "department_id",
    "application": "application_id",
    "user": "user_id",
    "key": "key_id",
    "model": "model",
    "provider": "provider",
    "deployment": "deployment",
    "region": "region",
    "use_case": "use_case",
    "prompt": "prompt",
}
GRAINS = ("hour", "day", "week", "month", "quarter")
KEYS = ("", "tenant", *DIMENSIONS, "value", *GRAINS)
"""What can be grouped by; the position is its number in the statements. `value`: of a name of metadata."""

# $1, $2 the period; $3 the tenant, or null; $4 the watermark; $5, $6 time zones of tenants that no roll-up has met yet;
# $7, $8 what is grouped by; $9 which of the two orders the groups, 0 for neither; $10, $11, $12 what the last page ended
# with; $13 how many groups; $14 the finest part of the period; $15 … the dimensions that are asked for.
_FIRST_FILTER = 15

_ZONES = """
zones AS MATERIALIZED (
    SELECT t.tenant_id, t.time_zone FROM spend_tenants t WHERE $3::uuid IS NULL OR t.tenant_id = $3
    UNION ALL
    SELECT u.id, u.zone FROM unnest($5::uuid[], $6::text[]) AS u (id, zone)
    WHERE ($3::uuid IS NULL OR u.id = $3) AND NOT EXISTS (SELECT FROM spend_tenants t WHERE t.tenant_id = u.id)
    UNION ALL
    SELECT DISTINCT r.tenant_id, 'UTC' FROM tail r
    WHERE NOT EXISTS (SELECT FROM spend_tenants t WHERE t.tenant_id = r.tenant_id) AND r.tenant_id <> ALL ($5::uuid[])
),
hours AS (
    SELECT z.*, date_trunc('hour', $1::timestamptz, z.time_zone) AS h1,
           date_trunc('hour', $2::timestamptz - interval '1 microsecond', z.time_zone) AS h2
    FROM zones z
),
dates AS (
    SELECT h.*, (h1 AT TIME ZONE time_zone)::date AS d1, (h2 AT TIME ZONE time_zone)::date AS d2 FROM hours h
),
whole_days AS (
    SELECT d.*,
           CASE WHEN $14::text = 'hour' THEN 'infinity'
                ELSE d1 + (((h1 - interval '1 microsecond') AT TIME ZONE time_zone)::date = d1)::int END AS f1,
           CASE WHEN $14::text = 'hour' THEN '-infinity'
                ELSE d2 - (((h2 + interval '1 hour') AT TIME ZONE time_zone)::date = d2)::int END AS f2
    FROM dates d
),
spans AS MATERIALIZED (
    SELECT w.*,
           CASE WHEN $14::text <> 'month' THEN 'infinity'
                ELSE (date_trunc('month', (f1 - 1)::timestamp) + interval '1 month')::date END AS g1,
           CASE WHEN $14::text <> 'month' THEN '-infinity'
                ELSE (date_trunc('month', (f2 + 1)::timestamp) - interval '1 month')::date END AS g2
    FROM whole_days w
)
"""

# Whole months, then the days and the hours at the ends of the period, then what is not rolled up yet. What the bounds
# say twice is for the planner, who knows the period and not the spans.
_DAY = "(r.bucket AT TIME ZONE s.time_zone)::date"
_HOURS = "s.tenant_id, s.time_zone, r.bucket AS hour, " + _DAY + " AS day"
_PLAIN = "s.tenant_id, s.time_zone, NULL::timestamptz AS hour, r.bucket AS day"
_OF_TENANT = "r.tenant_id = s.tenant_id AND ($3::uuid IS NULL OR r.tenant_id = $3) AND $4::bigint > 0"
_NEAR = "r.bucket >= ($1::timestamptz - interval '2 days')::date AND r.bucket <= ($2::timestamptz + interval '2 days')::date"
_NEAR_HOURS = "r.bucket >= $1::timestamptz - interval '2 hours' AND r.bucket < $2::timestamptz"


def _pieces(columns: str) -> str:
    return f"""
pieces AS (
    SELECT {_PLAIN}, {columns} FROM spans s
    JOIN spend_months r ON {_OF_TENANT} AND {_NEAR} AND r.bucket >= s.g1 AND r.bucket <= s.g2
    UNION ALL
    SELECT {_PLAIN}, {columns} FROM spans s
    JOIN spend_days r ON {_OF_TENANT} AND {_NEAR} AND r.bucket >= s.f1 AND r.bucket <= least(s.f2, s.g1 - 1)
    UNION ALL
    SELECT {_PLAIN}, {columns} FROM spans s
    JOIN spend_days r ON {_OF_TENANT} AND {_NEAR} AND r.bucket <= s.f2
        AND r.bucket >= greatest(s.g1, (s.g2::timestamp + interval '1 month')::date)
    UNION ALL
    SELECT {_HOURS}, {columns} FROM spans s
    JOIN spend_hours r ON {_OF_TENANT} AND {_NEAR_HOURS} AND r.bucket >= s.h1 AND r.bucket <= s.h2 AND {_DAY} < s.f1
        AND ($14::text = 'hour' OR r.bucket < $1::timestamptz + interval '27 hours')
    UNION ALL
    SELECT {_HOURS}, {columns} FROM spans s
    JOIN spend_hours r ON {_OF_TENANT} AND {_NEAR_HOURS} AND r.bucket >= s.h1 AND r.bucket <= s.h2 AND {_DAY} > s.f2
        AND {_DAY} >= s.f1 AND r.bucket >= $2::timestamptz - interval '27 hours'
    UNION ALL
    SELECT {_HOURS}, {columns} FROM spans s JOIN tail r ON r.tenant_id = s.tenant_id AND r.bucket >= s.h1 AND r.bucket <= s.h2
)
"""


def _key(parameter: int, columns: dict[str, str]) -> str:
    expressions = {
        "tenant": "p.tenant_id::text",
        **columns,
        "hour": """to_char(p.hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""",
        "day": "p.day::text",
        **{grain: f"date_trunc('{grain}', p.day::timestamp)::date::text" for grain in GRAINS[2:]},
    }
    cases = " ".join(f"WHEN {KEYS.index(name)} THEN {text}" for name, text in expressions.items())
    return f"CASE ${parameter}::int {cases} END"


def _report(tail: str, pieces: str, columns: dict[str, str], filters: str) -> str:
    summed = ", ".join(f"sum(p.{name})::bigint AS {name}" for name in MEASURES)
    totals = ", ".join(f"sum(g.{name})::bigint AS {name}" for name in MEASURES)
    shown = ", ".join(f"g.{name}" for name in MEASURES)
    return f"""
WITH tail AS MATERIALIZED ({tail}),
{_ZONES}, {pieces},
groups AS MATERIALIZED (
    SELECT {_key(7, columns)} AS first, {_key(8, columns)} AS second, p.tenant_id, p.time_zone, {summed}
    FROM pieces p WHERE {filters}
    GROUP BY 1, 2, 3, 4
),
ordered AS (
    SELECT g.*, coalesce(g.amount_nano, 0) AS nano,
           coalesce(CASE $9::int WHEN 1 THEN g.first WHEN 2 THEN g.second END, '') COLLATE "C" AS moment,
           (g.tenant_id || coalesce('=' || g.first, '') || '/' || coalesce('=' || g.second, '')) COLLATE "C" AS id
    FROM groups g
)
(SELECT true AS is_total, NULL AS first, NULL AS second, NULL::uuid AS tenant_id, NULL AS time_zone, NULL AS moment,
        NULL::bigint AS nano, NULL AS id, {totals} FROM groups g)
UNION ALL
(SELECT false, g.first, g.second, g.tenant_id, g.time_zone, g.moment, g.nano, g.id, {shown} FROM ordered g
 WHERE $12::text IS NULL OR g.moment > $10::text
    OR g.moment = $10::text AND (g.nano < $11::bigint OR g.nano = $11::bigint AND g.id > $12::text)
 ORDER BY g.moment, g.nano DESC, g.id LIMIT $13::int)
"""


def _filters(columns: tuple[str, ...]) -> str:
    return " AND ".join(
        f"(${number}::text IS NULL OR coalesce(p.{column}::text, '') = ${number})"
        for number, column in enumerate(columns, _FIRST_FILTER)
    )


_LATEST = "9223372036854775807"

REPORT = _report(
    f"""SELECT * FROM sum_up_spend($4::bigint, {_LATEST}, $3::uuid, $1::timestamptz - interval '2 hours',
        $2::timestamptz + interval '2 hours', $5::uuid[], $6::text[])""",
    _pieces(", ".join(f"r.{column}" for column in (*DIMENSIONS.values(), *MEASURES))),
    {name: f"p.{column}::text" for name, column in DIMENSIONS.items()},
    _filters(tuple(DIMENSIONS.values())),
)
"""$15 to $24: the dimensions, in their order."""

# The same for one name of metadata, which is rolled up by days.
_TAGGED = ", ".join(("r.key", "r.value", "r.application_id", "r.model", *(f"r.{name}" for name in MEASURES)))
METADATA_REPORT = _report(
    f"""SELECT * FROM sum_up_metadata($4::bigint, {_LATEST}, $3::uuid, $1::timestamptz - interval '27 hours',
        $2::timestamptz + interval '27 hours', $5::uuid[], $6::text[])""",
    f"""pieces AS (
    SELECT {_PLAIN}, {_TAGGED} FROM spans s
    JOIN spend_metadata r ON {_OF_TENANT} AND {_NEAR} AND r.bucket >= s.d1 AND r.bucket <= s.d2
    UNION ALL
    SELECT {_PLAIN}, {_TAGGED} FROM spans s JOIN tail r ON r.tenant_id = s.tenant_id AND r.bucket >= s.d1 AND r.bucket <= s.d2
)""",
    {"application": "p.application_id::text", "model": "p.model", "value": "p.value"},
    f"p.key = $17::text AND {_filters(('application_id', 'model'))}",
)
"""$15, $16: application and model; $17: the name."""
