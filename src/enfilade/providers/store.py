"""The SQL of this room."""

_COLUMNS = "id, name, spec, version"
LIST_PROVIDERS = f"SELECT {_COLUMNS} FROM providers WHERE removed_at IS NULL AND id > $1 ORDER BY id LIMIT $2"
FIND_PROVIDER = f"""
SELECT {_COLUMNS} FROM providers
WHERE removed_at IS NULL AND (name = $1 OR id::text = $1) ORDER BY (name = $1) DESC LIMIT 1
"""
INSERT_PROVIDER = "INSERT INTO providers (id, name, spec) VALUES ($1, $2, $3::jsonb)"
UPDATE_PROVIDER = "UPDATE providers SET spec = $2::jsonb, version = version + 1 WHERE id = $1"
REMOVE_PROVIDER = "UPDATE providers SET removed_at = now(), version = version + 1 WHERE id = $1"
LOAD_PROVIDERS = f"SELECT {_COLUMNS} FROM providers WHERE removed_at IS NULL"

# Sealed secrets: anybody who may change providers writes them, only the owner reads them. For PostgreSQL, naming
# `excluded.sealed` would be reading.
PUT_SECRET = """
INSERT INTO secrets (name, sealed, fingerprint) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET sealed = $2, fingerprint = $3, updated_at = now()
"""
READ_FINGERPRINT = "SELECT fingerprint FROM secrets WHERE name = $1"
# The sealed secrets of one provider, but those that it still refers to.
FORGET_SECRETS = """
DELETE FROM secrets WHERE (name = $1 OR starts_with(name, $1 || ':')) AND NOT name = ANY ($2)
"""
# Of those that are not sealed under the key whose id is $1.
_OUTDATED = "FROM enfilade.secrets WHERE substring(sealed FROM 1 FOR 1) = '\\x01'::bytea OR substring(sealed FROM 2 FOR 16) <> $1::bytea"
OUTDATED_SECRETS = f"SELECT name, sealed {_OUTDATED} ORDER BY name LIMIT $2"
COUNT_OUTDATED_SECRETS = f"SELECT count(*) {_OUTDATED}"
RESEAL_SECRET = """
UPDATE enfilade.secrets SET sealed = $3, fingerprint = $4 WHERE name = $1 AND sealed = $2 RETURNING name
"""
READ_SECRETS = "SELECT name, sealed FROM enfilade.secrets WHERE name = ANY ($1)"
