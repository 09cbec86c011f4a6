-- Access: policies in versions, use cases, decisions on calls.

CREATE TABLE access_versions (
    tenant_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    state text NOT NULL CHECK (state IN ('draft', 'approved', 'published', 'superseded', 'discarded')),
    content jsonb NOT NULL,
    compiled jsonb,
    note text NOT NULL DEFAULT '',
    author text NOT NULL,
    author_user_id uuid,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    approver text,
    approved_at timestamptz,
    publisher text,
    published_at timestamptz,
    edition integer NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, version),
    CONSTRAINT access_versions_nobody_approves_their_own CHECK (approver IS DISTINCT FROM author)
);
CREATE UNIQUE INDEX access_versions_one_published ON access_versions (tenant_id) WHERE state = 'published';
COMMENT ON TABLE access_versions IS 'All policies of a tenant at one time: the matrix, Cedar, the settings. What was published is never changed.';
COMMENT ON COLUMN access_versions.compiled IS 'What was found out about the policies when they were written, so that nobody parses them at start.';
COMMENT ON COLUMN access_versions.author IS 'Who wrote it last, as events name them; a person under all of their keys by author_user_id.';
COMMENT ON COLUMN access_versions.edition IS 'Grows with each change of a draft.';

CREATE TABLE use_cases (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    spec jsonb NOT NULL,
    review_date date,
    overdue_told date,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
COMMENT ON TABLE use_cases IS 'The register: what models are used for, who answers for it, how risky it is.';
COMMENT ON COLUMN use_cases.overdue_told IS 'The review date of which an event told that it has passed.';

ALTER TABLE calls
    ADD COLUMN access_policies text[] NOT NULL DEFAULT '{}',
    ADD COLUMN access_missing text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN calls.access_policies IS 'The policies that decided whether the call was allowed.';
COMMENT ON COLUMN calls.access_missing IS 'What would have allowed a call that was refused: approval.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['access_versions', 'use_cases']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON access_versions TO enfilade_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON use_cases TO enfilade_app;
