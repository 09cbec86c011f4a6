-- Billing: who bills, how tenants are billed, and what was billed. Invoices, credit notes and credits are only ever
-- appended: no role but the tables' owner may change or remove one.

CREATE TABLE billing_issuer (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    profile jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE billing_issuer IS 'Who issues invoices. It stands on each of them, so every tenant may read it.';

CREATE TABLE billing_profiles (
    tenant_id uuid PRIMARY KEY,
    profile jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE billing_profiles IS 'How a tenant is billed. An invoice holds a copy, so a change concerns later ones only.';

CREATE TABLE invoices (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL CHECK (type IN ('invoice', 'credit_note')),
    year smallint NOT NULL,
    sequence integer NOT NULL CHECK (sequence > 0),
    number text NOT NULL UNIQUE,
    issued_at timestamptz NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    corrects uuid,
    is_full boolean NOT NULL DEFAULT false,
    replaces uuid,
    currency text NOT NULL,
    total text NOT NULL,
    body text NOT NULL,
    digest bytea NOT NULL CHECK (digest = sha256(convert_to(body, 'UTF8'))),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (type, year, sequence),
    UNIQUE (tenant_id, replaces),
    FOREIGN KEY (tenant_id, corrects) REFERENCES invoices (tenant_id, id),
    FOREIGN KEY (tenant_id, replaces) REFERENCES invoices (tenant_id, id),
    CHECK (period_start < period_end),
    CHECK ((type = 'credit_note') = (corrects IS NOT NULL)),
    CHECK (type = 'credit_note' OR NOT is_full),
    CHECK (type = 'invoice' OR replaces IS NULL)
);
CREATE UNIQUE INDEX invoices_first_of_period ON invoices (tenant_id, period_start) WHERE type = 'invoice' AND replaces IS NULL;
CREATE UNIQUE INDEX invoices_full_credit ON invoices (tenant_id, corrects) WHERE is_full;
CREATE INDEX invoices_corrected ON invoices (tenant_id, corrects, sequence);
COMMENT ON COLUMN invoices.body IS 'The document as canonical JSON (RFC 8785), kept as text: its bytes are what was hashed.';
COMMENT ON COLUMN invoices.is_full IS 'A credit note that takes back all that is left of its invoice.';
COMMENT ON COLUMN invoices.replaces IS 'The fully credited invoice whose ledger entries this one bills again.';

CREATE TABLE invoice_coverage (
    tenant_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    from_xact bigint NOT NULL,
    to_xact bigint NOT NULL,
    PRIMARY KEY (tenant_id, invoice_id, period_start),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, id),
    CHECK (from_xact <= to_xact)
);
COMMENT ON TABLE invoice_coverage IS 'Which ledger entries a document holds: those that began in the period, posted from from_xact up to, and without, to_xact.';

CREATE TABLE credits (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    amount_nano bigint NOT NULL CHECK (amount_nano > 0),
    reason text NOT NULL,
    granted_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE credit_uses (
    tenant_id uuid NOT NULL,
    credit_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    amount_nano bigint NOT NULL CHECK (amount_nano <> 0),
    PRIMARY KEY (tenant_id, credit_id, invoice_id),
    FOREIGN KEY (tenant_id, credit_id) REFERENCES credits (tenant_id, id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, id)
);
COMMENT ON TABLE credit_uses IS 'What invoices took of credits; what a full credit note gives back is negative.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['billing_profiles', 'invoices', 'invoice_coverage', 'credits', 'credit_uses']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

-- Tenants read what concerns them. Only the platform issues, and not even the platform changes what was issued.
GRANT SELECT ON billing_issuer, billing_profiles, invoices, invoice_coverage, credits, credit_uses TO enfilade_app;
GRANT INSERT, UPDATE, DELETE ON billing_issuer, billing_profiles TO enfilade_operator;
GRANT INSERT ON invoices, invoice_coverage, credits, credit_uses TO enfilade_operator;
