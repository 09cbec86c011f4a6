"""The SQL of roll-ups and of reports.

Reports are one statement, whatever they group by: the planner knows the parameters and leaves out what they rule out.
It goes over the groups twice: by what they are ordered by alone, then for all sums of those that the page shows.
No text in it comes from callers.
"""

from collections.abc import Callable

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
SELECT CASE WHEN p.watermark > 0 AND p.server = spend_server()
                AND p.watermark <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            THEN p.watermark ELSE '-9223372036854775808'::bigint END AS watermark, set_config('plan_cache_mode', 'force_custom_plan', true),
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
# with; $13 how many groups; $14 the finest part of the groups; $15 the hour or the day that the last page ended with,
# where it orders the groups; $16 … the dimensions that are asked for.
_FIRST_FILTER = 16

# Whoever is on their way to another cell is reported where they live.
_ZONES = """
zones AS MATERIALIZED (
    SELECT z.tenant_id, z.time_zone
    FROM (
        SELECT t.tenant_id, t.time_zone FROM spend_tenants t WHERE $3::uuid IS NULL OR t.tenant_id = $3
        UNION ALL
        SELECT u.id, u.zone FROM unnest($5::uuid[], $6::text[]) AS u (id, zone)
        WHERE ($3::uuid IS NULL OR u.id = $3) AND NOT EXISTS (SELECT FROM spend_tenants t WHERE t.tenant_id = u.id)
        UNION ALL
        SELECT DISTINCT r.tenant_id, 'UTC' FROM tail r
        WHERE NOT EXISTS (SELECT FROM spend_tenants t WHERE t.tenant_id = r.tenant_id) AND r.tenant_id <> ALL ($5::uuid[])
    ) AS z
    WHERE NOT EXISTS (SELECT FROM departures d WHERE d.tenant_id = z.tenant_id AND d.returned_at IS NULL)
),
hours AS (
    SELECT z.*, date_trunc('hour', $1::timestamptz, z.time_zone) AS h1,
           date_trunc('hour', $2::timestamptz - interval '1 microsecond', z.time_zone) AS h2
    FROM zones z
),
dates AS MATERIALIZED (
    SELECT h.*, (h1 AT TIME ZONE time_zone)::date AS d1, (h2 AT TIME ZONE time_zone)::date AS d2 FROM hours h
)
"""


def _spans(name: str, finest: str) -> str:
    return f"""
whole_{name} AS (
    SELECT d.*,
           CASE WHEN {finest} = 'hour' THEN 'infinity'
                ELSE d1 + (((h1 - interval '1 microsecond') AT TIME ZONE time_zone)::date = d1)::int END AS f1,
           CASE WHEN {finest} = 'hour' THEN '-infinity'
                ELSE d2 - (((h2 + interval '1 hour') AT TIME ZONE time_zone)::date = d2)::int END AS f2
    FROM dates d
),
{name} AS MATERIALIZED (
    SELECT w.*,
           CASE WHEN {finest} <> 'month' THEN 'infinity'
                ELSE (date_trunc('month', (f1 - 1)::timestamp) + interval '1 month')::date END AS g1,
           CASE WHEN {finest} <> 'month' THEN '-infinity'
                ELSE (date_trunc('month', (f2 + 1)::timestamp) - interval '1 month')::date END AS g2
    FROM whole_{name} w
)"""


# Whole months, then the days and the hours at the ends of the period, then what is not rolled up yet. What the bounds
# say twice is for the planner, who knows the period and not the spans.
_DAY = "(r.bucket AT TIME ZONE s.time_zone)::date"
_HOURS = "s.tenant_id, r.bucket AS hour, " + _DAY + " AS day"
_PLAIN = "s.tenant_id, NULL::timestamptz AS hour, r.bucket AS day"
_OF_TENANT = "r.tenant_id = s.tenant_id AND ($3::uuid IS NULL OR r.tenant_id = $3) AND $4::bigint > 0"
_NEAR = "r.bucket >= ($1::timestamptz - interval '2 days')::date AND r.bucket <= ($2::timestamptz + interval '2 days')::date"
_NEAR_HOURS = "r.bucket >= $1::timestamptz - interval '2 hours' AND r.bucket < $2::timestamptz"

# Which of the period is read: all of it, what a page can reach, or what it holds.
_ALL = ("true", "true", "true")
_ORDER = "CASE $9::int WHEN 1 THEN $7::int WHEN 2 THEN $8::int ELSE 0 END"
_BY_HOUR = f"{_ORDER} = {KEYS.index('hour')}"
_BY_DAY = f"{_ORDER} = {KEYS.index('day')}"
_SINCE = "coalesce($15::timestamptz, '-infinity')"
_SINCE_DAY = f"({_SINCE} AT TIME ZONE 'UTC')::date"
_REACHED = (
    "$13::int > 0",
    f"(NOT {_BY_HOUR} OR r.bucket >= {_SINCE} AND r.bucket <= (SELECT u.hour FROM until u))",
    f"(NOT {_BY_DAY} OR r.bucket >= {_SINCE_DAY} AND r.bucket <= (SELECT u.day FROM until u))",
)


def _held(grain: str, kind: str) -> str:
    number = KEYS.index(grain)
    time = f"CASE WHEN $7::int = {number} THEN g.t1 ELSE g.t2 END"
    return f"({number} NOT IN ($7::int, $8::int) OR r.bucket = ANY (ARRAY(SELECT ({time}){kind} FROM page g)))"


_HELD = ("$13::int > 0", _held("hour", " AT TIME ZONE 'UTC'"), _held("day", "::date"))


def _pieces(columns: str, spans: str, finest: str, reading: tuple[str, str, str]) -> str:
    asked, hours, days = reading
    return f"""
    SELECT {_PLAIN}, {columns} FROM {spans} s
    JOIN spend_months r ON {_OF_TENANT} AND {asked} AND {finest} = 'month' AND {_NEAR} AND r.bucket >= s.g1
        AND r.bucket <= s.g2
    UNION ALL
    SELECT {_PLAIN}, {columns} FROM {spans} s
    JOIN spend_days r ON {_OF_TENANT} AND {asked} AND {days} AND {finest} <> 'hour' AND {_NEAR} AND r.bucket >= s.f1
        AND r.bucket <= least(s.f2, s.g1 - 1)
    UNION ALL
    SELECT {_PLAIN}, {columns} FROM {spans} s
    JOIN spend_days r ON {_OF_TENANT} AND {asked} AND {days} AND {finest} = 'month' AND {_NEAR} AND r.bucket <= s.f2
        AND r.bucket >= greatest(s.g1, (s.g2::timestamp + interval '1 month')::date)
    UNION ALL
    SELECT {_HOURS}, {columns} FROM {spans} s
    JOIN spend_hours r ON {_OF_TENANT} AND {asked} AND {hours} AND {_NEAR_HOURS} AND r.bucket >= s.h1 AND r.bucket <= s.h2
        AND ({finest} = 'hour' OR {_DAY} < s.f1 AND r.bucket < $1::timestamptz + interval '27 hours')
    UNION ALL
    SELECT {_HOURS}, {columns} FROM {spans} s
    JOIN spend_hours r ON {_OF_TENANT} AND {asked} AND {_NEAR_HOURS} AND r.bucket >= s.h1 AND r.bucket <= s.h2
        AND {finest} <> 'hour' AND {_DAY} > s.f2 AND {_DAY} >= s.f1 AND r.bucket >= $2::timestamptz - interval '27 hours'
    UNION ALL
    SELECT {_HOURS}, {columns} FROM {spans} s
    JOIN tail r ON r.tenant_id = s.tenant_id AND {asked} AND r.bucket >= s.h1 AND r.bucket <= s.h2"""


def _tagged_pieces(columns: str, spans: str, _finest: str, reading: tuple[str, str, str]) -> str:
    asked, _, days = reading
    return f"""
    SELECT {_PLAIN}, {columns} FROM {spans} s
    JOIN spend_metadata r ON {_OF_TENANT} AND {asked} AND {days} AND {_NEAR} AND r.bucket >= s.d1 AND r.bucket <= s.d2
    UNION ALL
    SELECT {_PLAIN}, {columns} FROM {spans} s
    JOIN tail r ON r.tenant_id = s.tenant_id AND {asked} AND r.bucket >= s.d1 AND r.bucket <= s.d2"""


def _key(parameter: int, columns: dict[str, str]) -> str:
    """What a group is called, with a sign before it; nothing for what has no name."""
    named = {"tenant": "p.tenant_id::text", **columns}
    cases = " ".join(f"WHEN {KEYS.index(name)} THEN coalesce('=' || {text}, '')" for name, text in named.items())
    return f"CASE ${parameter}::int {cases} ELSE '' END"


def _time(parameter: int) -> str:
    times = {
        "hour": "p.hour AT TIME ZONE 'UTC'",
        "day": "p.day::timestamp",
        **{grain: f"date_trunc('{grain}', p.day::timestamp)" for grain in GRAINS[2:]},
    }
    cases = " ".join(f"WHEN {KEYS.index(name)} THEN {text}" for name, text in times.items())
    return f"CASE ${parameter}::int {cases} ELSE '-infinity'::timestamp END"


def _shown_key(number: int, parameter: int) -> str:
    return f"""CASE WHEN ${parameter}::int = {KEYS.index("hour")} THEN to_char(g.t{number}, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                WHEN ${parameter}::int > {KEYS.index("hour")} THEN g.t{number}::date::text
                WHEN g.k{number} <> '' THEN substr(g.k{number}, 2) END"""


def _until(unit: str, relation: str, asked: str, first: str, last: str, filters: str) -> str:
    """The time up to which there are enough groups for the page: beyond what the last one ended with, one for each."""
    return f"""coalesce((
        SELECT DISTINCT r.bucket FROM {relation} r
        WHERE {asked} AND r.tenant_id = $3::uuid AND $4::bigint > 0 AND r.bucket >= {_SINCE if unit == "hour" else _SINCE_DAY}
            AND r.bucket >= (SELECT min({first}) FROM spans) AND r.bucket <= (SELECT max({last}) FROM spans) AND {filters}
        ORDER BY r.bucket OFFSET $13::int LIMIT 1
    ), 'infinity') AS {unit}"""


# The planner expects one group on the page where there are a hundred; a left join, which it cannot turn round, keeps it
# from reading the pieces anew for each of them.
def _report(
    tail: str,
    pieces: Callable[[str, str, str, tuple[str, str, str]], str],
    until: str,
    columns: dict[str, str],
    filters: str,
) -> str:
    summed = ", ".join(f"sum(p.{name})::bigint AS {name}" for name in MEASURES)
    shown = ", ".join(f"s.{name}" for name in MEASURES)
    names = ", ".join(f"r.{name}" for name in _NAMES[pieces])
    measured = f"{names}, " + ", ".join(f"r.{name}" for name in MEASURES)
    keyed = f"p.tenant_id, {_key(7, columns)} AS k1, {_time(7)} AS t1, {_key(8, columns)} AS k2, {_time(8)} AS t2"
    return f"""
WITH tail AS MATERIALIZED ({tail}),
{_ZONES}, {_spans("spans", "$14::text")}, {_spans("longest", "'month'")},
until AS MATERIALIZED (SELECT {until}),
ranked AS (
    SELECT {keyed}, coalesce(sum(p.amount_nano), 0)::bigint AS nano
    FROM ({pieces(f"{names}, r.amount_nano", "spans", "$14::text", _REACHED)}) p WHERE {filters}
    GROUP BY 1, 2, 3, 4, 5
),
named AS (
    SELECT g.*, {_shown_key(1, 7)} AS first, {_shown_key(2, 8)} AS second FROM ranked g
),
ordered AS (
    SELECT g.*, coalesce(CASE $9::int WHEN 1 THEN g.first WHEN 2 THEN g.second END, '') COLLATE "C" AS moment,
           (g.tenant_id || coalesce('=' || g.first, '') || '/' || coalesce('=' || g.second, '')) COLLATE "C" AS id
    FROM named g
),
page AS MATERIALIZED (
    SELECT g.*, row_number() OVER (ORDER BY g.moment, g.nano DESC, g.id) AS number FROM ordered g
    WHERE $12::text IS NULL OR g.moment > $10::text
        OR g.moment = $10::text AND (g.nano < $11::bigint OR g.nano = $11::bigint AND g.id > $12::text)
    ORDER BY g.moment, g.nano DESC, g.id LIMIT $13::int
),
summed AS (
    SELECT g.number, {summed}
    FROM (SELECT {keyed}, {", ".join(f"p.{name}" for name in MEASURES)}
          FROM ({pieces(measured, "spans", "$14::text", _HELD)}) p WHERE {filters}) p
    LEFT JOIN page g USING (tenant_id, k1, t1, k2, t2)
    WHERE coalesce(g.number, 0) > 0
    GROUP BY g.number
)
(SELECT true AS is_total, NULL AS first, NULL AS second, NULL::uuid AS tenant_id, NULL AS time_zone, NULL AS moment,
        NULL::bigint AS nano, NULL AS id, {summed}
 FROM ({pieces(measured, "longest", "'month'", _ALL)}) p WHERE {filters})
UNION ALL
(SELECT false, g.first, g.second, g.tenant_id, z.time_zone, g.moment, g.nano, g.id, {shown}
 FROM page g JOIN summed s USING (number) JOIN zones z ON z.tenant_id = g.tenant_id ORDER BY g.number)
"""


def _filters(columns: tuple[str, ...], alias: str = "p") -> str:
    return " AND ".join(
        f"(${number}::text IS NULL OR coalesce({alias}.{column}::text, '') = ${number})"
        for number, column in enumerate(columns, _FIRST_FILTER)
    )


_LATEST = "9223372036854775807"
_NAMES: dict[Callable[..., str], tuple[str, ...]] = {
    _pieces: tuple(DIMENSIONS.values()),
    _tagged_pieces: ("key", "value", "application_id", "model"),
}

REPORT = _report(
    f"""SELECT * FROM sum_up_spend($4::bigint, {_LATEST}, $3::uuid, $1::timestamptz - interval '2 hours',
        $2::timestamptz + interval '2 hours', $5::uuid[], $6::text[])""",
    _pieces,
    ", ".join(
        (
            _until("hour", "spend_hours", _BY_HOUR, "h1", "h2", _filters(_NAMES[_pieces], "r")),
            _until("day", "spend_days", _BY_DAY, "f1", "f2", _filters(_NAMES[_pieces], "r")),
        )
    ),
    {name: f"p.{column}::text" for name, column in DIMENSIONS.items()},
    _filters(_NAMES[_pieces]),
)
"""$16 to $25: the dimensions, in their order."""

# The same for one name of metadata, which is rolled up by days.
_TAGGED = ("application_id", "model")
METADATA_REPORT = _report(
    f"""SELECT * FROM sum_up_metadata($4::bigint, {_LATEST}, $3::uuid, $1::timestamptz - interval '27 hours',
        $2::timestamptz + interval '27 hours', $5::uuid[], $6::text[])""",
    _tagged_pieces,
    _until("day", "spend_metadata", _BY_DAY, "d1", "d2", f"r.key = $18::text AND {_filters(_TAGGED, 'r')}"),
    {"application": "p.application_id::text", "model": "p.model", "value": "p.value"},
    f"p.key = $18::text AND {_filters(_TAGGED)}",
)
"""$16, $17: application and model; $18: the name."""
