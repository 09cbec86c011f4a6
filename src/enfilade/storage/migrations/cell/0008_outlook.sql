-- Anomalies of costs: when a tenant wants to be told, and what it was told of.

CREATE TABLE anomaly_rules (
    tenant_id uuid PRIMARY KEY,
    rules jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE anomaly_rules IS 'What differs from the defaults; a tenant without a row goes by them.';

CREATE TABLE cost_anomalies (
    tenant_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('tenant', 'department', 'application', 'model')),
    subject text NOT NULL,
    hour timestamptz NOT NULL,
    found_at timestamptz NOT NULL,
    actual_nano bigint NOT NULL,
    usual_nano bigint NOT NULL,
    PRIMARY KEY (tenant_id, kind, subject, hour)
);
COMMENT ON TABLE cost_anomalies IS 'One row for each scope and hour of which an event tells: nobody tells of it twice.';
COMMENT ON COLUMN cost_anomalies.subject IS 'An id; of a model its name.';
COMMENT ON COLUMN cost_anomalies.actual_nano IS 'What the hour had cost by then.';

-- Calls are millions of the log's events, alerts a few: this index holds the latter alone.
CREATE INDEX events_alerts ON events (tenant_id, at, seq) WHERE type IN (
    'BudgetThresholdCrossed', 'BudgetExhausted', 'CostAnomalyDetected', 'UnpricedSettlement', 'OverrunSettlement',
    'ReconciliationDifference', 'PriceBookRejected');

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['anomaly_rules', 'cost_anomalies']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON anomaly_rules TO enfilade_app;
GRANT SELECT, INSERT ON cost_anomalies TO enfilade_app;
