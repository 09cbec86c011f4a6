-- Approvals, access for a time, and reviews of who may do what.

CREATE TABLE approval_rules (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    position integer NOT NULL,
    rule jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
COMMENT ON COLUMN approval_rules.position IS 'The first rule that covers a request decides: lower positions come first, then names.';

CREATE TABLE approval_delegations (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    delegate_id uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id, delegate_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, delegate_id) REFERENCES users (tenant_id, id),
    CHECK (user_id <> delegate_id),
    CHECK (ends_at > starts_at)
);
COMMENT ON TABLE approval_delegations IS 'Who decides in whose place for a time.';

CREATE TABLE approval_requests (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    requester_id uuid NOT NULL,
    user_id uuid,
    application_id uuid,
    key_id uuid,
    asked jsonb NOT NULL,
    reason text NOT NULL,
    duration_s bigint NOT NULL CHECK (duration_s > 0),
    starts_at timestamptz,
    rule jsonb NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'refused', 'withdrawn', 'expired')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    decided_at timestamptz,
    reminded_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, requester_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id),
    CHECK ((state = 'pending') = (decided_at IS NULL))
);
CREATE INDEX approval_requests_pending ON approval_requests (tenant_id, expires_at) WHERE state = 'pending';
CREATE INDEX approval_requests_requester ON approval_requests (tenant_id, requester_id);
COMMENT ON COLUMN approval_requests.rule IS 'The rule as it was when the request was made: later changes of rules do not change it.';
COMMENT ON COLUMN approval_requests.reason IS 'May name people; it stands in no event.';

CREATE TABLE approval_decisions (
    tenant_id uuid NOT NULL,
    request_id uuid NOT NULL,
    reviewer_id uuid NOT NULL,
    seat_id uuid NOT NULL,
    stage smallint NOT NULL,
    approves boolean NOT NULL,
    comment text NOT NULL DEFAULT '',
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, request_id, reviewer_id),
    UNIQUE (tenant_id, request_id, seat_id),
    FOREIGN KEY (tenant_id, request_id) REFERENCES approval_requests (tenant_id, id),
    FOREIGN KEY (tenant_id, reviewer_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, seat_id) REFERENCES users (tenant_id, id)
);
COMMENT ON COLUMN approval_decisions.seat_id IS 'Whose right it was: the reviewer''s own, or that of whom they stand in for.';

CREATE TABLE approval_comments (
    tenant_id uuid NOT NULL,
    request_id uuid NOT NULL,
    id uuid NOT NULL,
    author_id uuid NOT NULL,
    comment text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, request_id, id),
    FOREIGN KEY (tenant_id, request_id) REFERENCES approval_requests (tenant_id, id),
    FOREIGN KEY (tenant_id, author_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE access_grants (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    request_id uuid,
    user_id uuid,
    application_id uuid,
    key_id uuid,
    asked jsonb NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    granted_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    revocation text,
    ended_at timestamptz,
    reminded_at timestamptz,
    remind_before_s bigint NOT NULL DEFAULT 0,
    emergency boolean NOT NULL DEFAULT false,
    reason text,
    review_due_at timestamptz,
    reviewed_at timestamptz,
    reviewed_by uuid,
    justified boolean,
    review_note text,
    overdue_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, request_id),
    FOREIGN KEY (tenant_id, request_id) REFERENCES approval_requests (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications (tenant_id, id),
    FOREIGN KEY (tenant_id, key_id) REFERENCES keys (tenant_id, id),
    FOREIGN KEY (tenant_id, reviewed_by) REFERENCES users (tenant_id, id),
    CHECK (ends_at > starts_at),
    CHECK (emergency = (request_id IS NULL)),
    CHECK (NOT emergency OR (user_id IS NOT NULL AND reason IS NOT NULL AND review_due_at IS NOT NULL)),
    CHECK (reviewed_by IS NULL OR reviewed_by <> user_id)
);
CREATE INDEX access_grants_live ON access_grants (tenant_id, ends_at) WHERE revoked_at IS NULL AND ended_at IS NULL;
CREATE INDEX access_grants_unreviewed ON access_grants (tenant_id, review_due_at) WHERE emergency AND reviewed_at IS NULL;
CREATE INDEX access_grants_user ON access_grants (tenant_id, user_id);
COMMENT ON COLUMN access_grants.ended_at IS 'When its end was told. That it has ended follows from ends_at and the clock alone.';

CREATE TABLE access_review_schedules (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    settings jsonb NOT NULL,
    every text NOT NULL CHECK (every IN ('month', 'quarter', 'half_year', 'year')),
    next_at timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE access_reviews (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    settings jsonb NOT NULL,
    schedule_id uuid,
    started_by text NOT NULL,
    started_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    reminded_at timestamptz,
    closed_at timestamptz,
    report text,
    report_hash text,
    PRIMARY KEY (tenant_id, id),
    CHECK (due_at > started_at),
    CHECK (num_nulls(closed_at, report, report_hash) IN (0, 3))
);
CREATE INDEX access_reviews_open ON access_reviews (tenant_id, due_at) WHERE closed_at IS NULL;
COMMENT ON COLUMN access_reviews.report IS 'Canonical JSON (RFC 8785); report_hash is its SHA-256, which the closing event repeats.';

CREATE TABLE access_review_items (
    tenant_id uuid NOT NULL,
    review_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('role', 'assignment', 'key', 'grant', 'exception')),
    object text NOT NULL,
    subject_id uuid,
    subject text NOT NULL,
    label text NOT NULL,
    evidence jsonb NOT NULL,
    reviewers uuid[] NOT NULL,
    decision text CHECK (decision IN ('keep', 'revoke', 'change')),
    change jsonb,
    reason text,
    decided_by uuid,
    decided_at timestamptz,
    applied_at timestamptz,
    outcome text,
    PRIMARY KEY (tenant_id, review_id, id),
    FOREIGN KEY (tenant_id, review_id) REFERENCES access_reviews (tenant_id, id),
    FOREIGN KEY (tenant_id, subject_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, decided_by) REFERENCES users (tenant_id, id),
    CHECK (decided_by IS NULL OR subject_id IS NULL OR decided_by <> subject_id),
    CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CHECK (applied_at IS NULL OR decision IS NOT NULL)
);
CREATE INDEX access_review_items_open ON access_review_items (tenant_id, review_id) WHERE applied_at IS NULL;
COMMENT ON COLUMN access_review_items.object IS 'An id; of a role on a user''s row the role, of an exception the row of the matrix.';
COMMENT ON COLUMN access_review_items.decided_by IS 'Null with a decision: nobody answered in time.';

CREATE FUNCTION keep_closed_reviews() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_TABLE_NAME = 'access_reviews' THEN
        IF OLD.closed_at IS NOT NULL THEN
            RAISE EXCEPTION 'a closed review does not change' USING ERRCODE = 'EF002';
        END IF;
    ELSIF EXISTS (SELECT FROM access_reviews r
                  WHERE r.tenant_id = OLD.tenant_id AND r.id = OLD.review_id AND r.closed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'a closed review does not change' USING ERRCODE = 'EF002';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION keep_closed_reviews() FROM PUBLIC;
CREATE TRIGGER closed_reviews BEFORE UPDATE ON access_reviews FOR EACH ROW EXECUTE FUNCTION keep_closed_reviews();
CREATE TRIGGER closed_reviews BEFORE UPDATE ON access_review_items FOR EACH ROW EXECUTE FUNCTION keep_closed_reviews();

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['approval_rules', 'approval_delegations', 'approval_requests', 'approval_decisions',
        'approval_comments', 'access_grants', 'access_review_schedules', 'access_reviews', 'access_review_items']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_tenant ON %I TO enfilade_app
                        USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY operator_reads ON %I FOR SELECT TO enfilade_operator USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON approval_rules, approval_delegations, access_review_schedules TO enfilade_app;
GRANT SELECT, INSERT, UPDATE ON approval_requests, access_grants, access_reviews, access_review_items TO enfilade_app;
GRANT SELECT, INSERT ON approval_decisions, approval_comments TO enfilade_app;

-- Since when, and by whom: reviews look for the few events about rights among millions about calls.
CREATE INDEX events_rights ON events (tenant_id, at, seq) WHERE type IN (
    'UserCreated', 'UserChanged', 'KeyIssued', 'KeyChanged', 'RoleAssigned');

-- Some of these are alerts.
DROP INDEX events_alerts;
CREATE INDEX events_alerts ON events (tenant_id, at, seq) WHERE type IN (
    'BudgetThresholdCrossed', 'BudgetExhausted', 'CostAnomalyDetected', 'UnpricedSettlement', 'OverrunSettlement',
    'ReconciliationDifference', 'PriceBookRejected', 'EmergencyAccessTaken', 'EmergencyReviewOverdue',
    'AccessReviewOverdue');
