"""The SQL of imports under way."""

ADD_IMPORT = """
INSERT INTO enfilade.tenant_imports (id, imported, name, isolation, cell, actor, about)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb) ON CONFLICT (imported) DO NOTHING RETURNING id
"""
_COLUMNS = "id, imported, name, isolation, cell, actor, about::text, step"
FIND_IMPORT = f"SELECT {_COLUMNS} FROM enfilade.tenant_imports WHERE id = $1"
FIND_IMPORT_OF = f"SELECT {_COLUMNS} FROM enfilade.tenant_imports WHERE imported = $1"
LIST_IMPORTS = "SELECT id FROM enfilade.tenant_imports ORDER BY id"
HOLD_IMPORT = "SELECT pg_try_advisory_lock(hashtextextended('import ' || $1, 0))"
NOTE_ARRIVAL = "UPDATE enfilade.tenant_imports SET step = 'recording' WHERE id = $1"
END_IMPORT = "DELETE FROM enfilade.tenant_imports WHERE id = $1"
