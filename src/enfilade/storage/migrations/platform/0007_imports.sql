-- Tenants that are being restored from archives.

CREATE TABLE tenant_imports (
    id uuid PRIMARY KEY,
    imported uuid NOT NULL UNIQUE,
    name text NOT NULL,
    isolation text NOT NULL,
    cell text NOT NULL,
    actor text NOT NULL,
    about jsonb NOT NULL,
    step text NOT NULL DEFAULT 'restoring' CHECK (step IN ('restoring', 'recording')),
    started_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tenant_imports IS 'Imports under way. Whoever works on one holds its advisory lock; what one left that nobody holds is cleared.';
COMMENT ON COLUMN tenant_imports.about IS 'What the event of the import is to say of the archive.';
COMMENT ON COLUMN tenant_imports.step IS 'restoring: nothing of the tenant can be seen yet. recording: it is there, and its event is to be written.';
GRANT SELECT, DELETE ON tenant_imports TO enfilade_operator;

-- An erased tenant may come back from an archive, and be erased once more.
ALTER TABLE tenant_erasures DROP CONSTRAINT tenant_erasures_erased_key;
CREATE UNIQUE INDEX tenant_erasures_open ON tenant_erasures (erased) WHERE step <> 'done';
