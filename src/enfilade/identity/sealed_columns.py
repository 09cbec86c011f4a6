"""Where this room keeps secrets sealed under the platform's key, for their renewal when that is rotated."""

from enfilade.sealing.places import Column

_OUTDATED = "substring({0} FROM 1 FOR 1) <> '\\x02'::bytea OR substring({0} FROM 2 FOR 16) <> $1::bytea"


def _column(table: str, column: str, purpose: str) -> Column:
    outdated = f"{column} IS NOT NULL AND tenant_id = current_tenant() AND ({_OUTDATED.format(column)})"
    return Column(
        name=f"{table}.{column}",
        find=f"SELECT id::text AS key, {purpose} AS purpose, {column} AS sealed FROM {table} WHERE {outdated} LIMIT $2",
        replace=f"UPDATE {table} SET {column} = $3 WHERE id = $1::text::uuid AND {column} = $2",
        count=f"SELECT count(*) FROM {table} WHERE {outdated}",
    )


SEALED_COLUMNS = (
    _column("issuers", "client_secret", "'issuer:' || id"),
    _column("second_factors", "secret", "'totp:' || user_id"),
)
