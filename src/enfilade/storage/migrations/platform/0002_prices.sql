-- Prices as versions: what administrators set, price lists that were imported, what providers grant us and tenants
-- pay on top, and exchange rates for display. Rows are only ever added: the past keeps its price.

CREATE TABLE price_versions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model text NOT NULL,
    effective_from timestamptz NOT NULL,
    effective_to timestamptz CHECK (effective_to > effective_from),
    price jsonb,
    reason text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX price_versions_model ON price_versions (model, effective_from);
COMMENT ON TABLE price_versions IS 'Prices that administrators set for a model, each until the next one begins or its own end.';
COMMENT ON COLUMN price_versions.price IS 'Nano-dollars per million units by kind, tiers and all; null gives the word back to lists and book.';

INSERT INTO price_versions (model, effective_from, price, created_by, created_at)
SELECT model, effective_from,
    CASE
        WHEN rates IS NULL THEN NULL
        WHEN rates ? 'free' THEN '{"free": true}'::jsonb
        ELSE jsonb_build_object('rates', rates)
    END,
    'migration', created_at
FROM price_overrides ORDER BY created_at, model, effective_from;
DROP TABLE price_overrides;

CREATE TABLE price_lists (
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    version integer NOT NULL CHECK (version > 0),
    entries jsonb NOT NULL,
    imported_by text NOT NULL,
    imported_at timestamptz NOT NULL,
    PRIMARY KEY (name, version)
);
COMMENT ON TABLE price_lists IS 'Imported price lists. A version is in force from its import until the next one of its name.';

CREATE TABLE price_adjustments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('discount', 'markup')),
    for_tenant uuid REFERENCES tenants (id),
    provider text NOT NULL,
    model text NOT NULL,
    millionths bigint CHECK (millionths >= -1000000),
    effective_from timestamptz NOT NULL,
    effective_to timestamptz CHECK (effective_to > effective_from),
    reason text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (kind = 'discount' OR for_tenant IS NOT NULL)
);
COMMENT ON TABLE price_adjustments IS 'Discounts that providers grant us and markups that tenants pay. Only the operator role reads them: a margin is not the tenant''s business.';
COMMENT ON COLUMN price_adjustments.millionths IS 'What is added to each rate: -50000 takes five per cent off. Null ends the adjustment.';
COMMENT ON COLUMN price_adjustments.for_tenant IS 'Null: for every tenant.';

CREATE TABLE exchange_rates (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    effective_from date NOT NULL,
    rate numeric NOT NULL CHECK (rate > 0),
    source text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX exchange_rates_currency ON exchange_rates (currency, effective_from);
COMMENT ON COLUMN exchange_rates.rate IS 'Units of the currency for one US dollar, from that day on. Of two for one day the later entry counts.';

-- A book that an earlier program compiled may have another form: it is kept, and read by nobody.
ALTER TABLE price_books ADD COLUMN form integer NOT NULL DEFAULT 1;
ALTER TABLE price_books ALTER COLUMN form DROP DEFAULT;
ALTER TABLE price_books DROP CONSTRAINT price_books_pkey;
ALTER TABLE price_books ADD PRIMARY KEY (version, form);

GRANT SELECT, INSERT ON price_versions, price_lists, price_adjustments, exchange_rates TO enfilade_operator;
