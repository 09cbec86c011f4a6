-- Budgets: fiscal months and years, what is carried over from one window to the next, and temporary raises.

ALTER TABLE budgets
    ADD COLUMN month_starts_on smallint NOT NULL DEFAULT 1 CHECK (month_starts_on BETWEEN 1 AND 28),
    ADD COLUMN year_starts_in smallint NOT NULL DEFAULT 1 CHECK (year_starts_in BETWEEN 1 AND 12),
    ADD COLUMN carry_over boolean NOT NULL DEFAULT false,
    ADD COLUMN carry_over_limit_nano bigint CHECK (carry_over_limit_nano >= 0);
COMMENT ON COLUMN budgets.carry_over_limit_nano IS 'The most that is carried over; null: all that was left.';

CREATE TABLE budget_limits (
    tenant_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    since timestamptz NOT NULL,
    limit_nano bigint NOT NULL CHECK (limit_nano >= 0),
    PRIMARY KEY (tenant_id, budget_id, since),
    FOREIGN KEY (tenant_id, budget_id) REFERENCES budgets (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE budget_limits IS 'The limits that a budget has had: what was left of a window goes by the limit of then.';

CREATE TABLE budget_raises (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    budget_id uuid NOT NULL,
    amount_nano bigint NOT NULL CHECK (amount_nano > 0),
    reason text NOT NULL,
    actor text NOT NULL,
    starts_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL CHECK (until_at > starts_at),
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, budget_id) REFERENCES budgets (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX budget_raises_budget ON budget_raises (tenant_id, budget_id, id);
COMMENT ON COLUMN budget_raises.ended_at IS 'When somebody ended it before its time. That its time has passed is written nowhere.';

-- The owner is held to the policies of its own tables; for this one statement it is not.
ALTER TABLE budgets NO FORCE ROW LEVEL SECURITY;
INSERT INTO budget_limits (tenant_id, budget_id, since, limit_nano)
SELECT tenant_id, id, created_at, limit_nano FROM budgets;
ALTER TABLE budgets FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['budget_limits', 'budget_raises']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON budget_limits, budget_raises TO enfilade_app;
