"""The SQL of this room: the catalogue of models and aliases."""

_COLUMNS = "id, name, spec, version"
LIST_MODELS = f"SELECT {_COLUMNS} FROM models WHERE removed_at IS NULL AND id > $1 ORDER BY id LIMIT $2"
FIND_MODEL = f"""
SELECT {_COLUMNS} FROM models
WHERE removed_at IS NULL AND (name = $1 OR id::text = $1) ORDER BY (name = $1) DESC LIMIT 1
"""
INSERT_MODEL = "INSERT INTO models (id, name, spec) VALUES ($1, $2, $3::jsonb)"
UPDATE_MODEL = "UPDATE models SET spec = $2::jsonb, version = version + 1 WHERE id = $1"
REMOVE_MODEL = "UPDATE models SET removed_at = now(), version = version + 1 WHERE id = $1"
LOAD_MODELS = f"SELECT {_COLUMNS} FROM models WHERE removed_at IS NULL ORDER BY name"

LIST_ALIASES = f"SELECT {_COLUMNS} FROM aliases WHERE removed_at IS NULL AND id > $1 ORDER BY id LIMIT $2"
FIND_ALIAS = f"""
SELECT {_COLUMNS} FROM aliases
WHERE removed_at IS NULL AND (name = $1 OR id::text = $1) ORDER BY (name = $1) DESC LIMIT 1
"""
INSERT_ALIAS = "INSERT INTO aliases (id, name, spec) VALUES ($1, $2, $3::jsonb)"
UPDATE_ALIAS = "UPDATE aliases SET spec = $2::jsonb, version = version + 1 WHERE id = $1"
REMOVE_ALIAS = "UPDATE aliases SET removed_at = now(), version = version + 1 WHERE id = $1"
LOAD_ALIASES = f"SELECT {_COLUMNS} FROM aliases WHERE removed_at IS NULL ORDER BY name"

MODEL_WITH_PROVIDER = """
SELECT name FROM models WHERE removed_at IS NULL
    AND EXISTS (SELECT FROM jsonb_array_elements(spec -> 'deployments') AS d WHERE d ->> 'provider' = $1)
LIMIT 1
"""
USER_OF_MODEL = """
SELECT name FROM models WHERE removed_at IS NULL AND name <> $1 AND spec -> 'fallbacks' ? $1
UNION ALL
SELECT name FROM aliases WHERE removed_at IS NULL AND (spec ->> 'model' = $1
    OR EXISTS (SELECT FROM jsonb_array_elements(coalesce(spec -> 'rules', '[]')) AS r WHERE r ->> 'use' = $1))
LIMIT 1
"""
