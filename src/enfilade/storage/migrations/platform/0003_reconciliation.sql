-- What providers say that they charge: an export spans all tenants, so it is the platform's. Exports are kept as they
-- were imported; a newer one of the same period supersedes an older one and takes nothing away from it.

CREATE TABLE reconciliations (
    id uuid PRIMARY KEY,
    provider text NOT NULL,
    providers text[] NOT NULL,
    formats text[] NOT NULL,
    files text[] NOT NULL,
    digest bytea NOT NULL,
    first_day date NOT NULL,
    end_day date NOT NULL,
    rows bigint NOT NULL,
    rounded_rows bigint NOT NULL,
    outside_rows bigint NOT NULL,
    unit_nano bigint NOT NULL CHECK (unit_nano > 0),
    tolerance_nano bigint NOT NULL CHECK (tolerance_nano >= 0),
    total_nano bigint,
    left_out jsonb NOT NULL,
    keys jsonb NOT NULL,
    options jsonb NOT NULL,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL,
    superseded_by uuid REFERENCES reconciliations (id),
    CHECK (first_day < end_day)
);
CREATE UNIQUE INDEX reconciliations_content ON reconciliations (provider, digest);
CREATE INDEX reconciliations_period ON reconciliations (provider, first_day) WHERE superseded_by IS NULL;
COMMENT ON COLUMN reconciliations.provider IS 'Our name of the provider whose export it is; rows may be mapped to others, see providers.';
COMMENT ON COLUMN reconciliations.digest IS 'SHA-256 of what was understood: the same export, however it is packed, is the same.';
COMMENT ON COLUMN reconciliations.end_day IS 'Not in the period. Days are the provider''s, in UTC.';
COMMENT ON COLUMN reconciliations.unit_nano IS 'The export''s smallest unit: each row may be off by half of it.';
COMMENT ON COLUMN reconciliations.total_nano IS 'Null where the export counts and does not price.';
COMMENT ON COLUMN reconciliations.left_out IS 'Rows and nano-dollars of taxes, credits, other services and the like.';

CREATE TABLE reconciliation_items (
    reconciliation_id uuid NOT NULL REFERENCES reconciliations (id),
    position integer NOT NULL,
    day date NOT NULL,
    model text NOT NULL,
    provider text NOT NULL,
    kind text,
    quantity bigint,
    amount_nano bigint,
    rows bigint NOT NULL,
    PRIMARY KEY (reconciliation_id, position)
);
COMMENT ON TABLE reconciliation_items IS 'An export''s rows, added up by day, model, provider and kind.';

CREATE TABLE reconciliation_bookings (
    id uuid PRIMARY KEY,
    reconciliation_id uuid NOT NULL REFERENCES reconciliations (id),
    day date NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    model_key text NOT NULL,
    cause text NOT NULL,
    provider_nano bigint NOT NULL,
    amount_nano bigint NOT NULL,
    corrections integer NOT NULL,
    reason text NOT NULL,
    booked_at timestamptz NOT NULL,
    booked_by text NOT NULL
);
CREATE INDEX reconciliation_bookings_of ON reconciliation_bookings (reconciliation_id, id);
COMMENT ON TABLE reconciliation_bookings IS 'What was booked of which difference, so that nothing is booked twice. The entries stand in the ledger.';

GRANT SELECT, INSERT ON reconciliations, reconciliation_items, reconciliation_bookings TO enfilade_operator;
GRANT UPDATE (superseded_by) ON reconciliations TO enfilade_operator;
