-- What became of each list of a facility's appointments: who sent it, what it changed, or why it was refused, by the
-- positions, members and codes of its errors, without any value of it.

-- +goose Up
CREATE TYPE feed_outcome AS ENUM ('APPLIED', 'SUPERSEDED', 'REFUSED');
COMMENT ON TYPE feed_outcome IS 'What became of a list of appointments
APPLIED: the list was applied, as a whole
SUPERSEDED: a newer list, or this one, came before; nothing was changed
REFUSED: the list was rejected; nothing was changed';

CREATE TABLE feed_reports (
    tenant_id            uuid         NOT NULL,
    id                   uuid         NOT NULL,
    facility_id          uuid         NOT NULL,
    -- From the session of the same statement; users are never deleted.
    actor_id             uuid         NOT NULL,
    as_of                timestamptz  NOT NULL,
    outcome              feed_outcome NOT NULL,
    code                 text,
    records              bigint,
    created              bigint       NOT NULL,
    updated              bigint       NOT NULL,
    unchanged            bigint       NOT NULL,
    canceled             bigint       NOT NULL,
    consent_withdrawn    bigint       NOT NULL,
    current_appointments bigint,
    error_records        integer[]    NOT NULL,
    error_fields         text[]       NOT NULL,
    error_codes          text[]       NOT NULL,
    created_at           timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT feed_reports_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT feed_reports_facility_fkey FOREIGN KEY (tenant_id, facility_id) REFERENCES facilities,
    CONSTRAINT feed_reports_code_check CHECK ((outcome = 'REFUSED') = (code IS NOT NULL)),
    CONSTRAINT feed_reports_errors_check CHECK (
        cardinality(error_records) <= 100
        AND cardinality(error_fields) = cardinality(error_records)
        AND cardinality(error_codes) = cardinality(error_records)),
    -- Of the names of members, and never a text of the list.
    CONSTRAINT feed_reports_fields_check CHECK (array_to_string(error_fields, '.', '?') ~ '^[a-z_.]*$')
);
COMMENT ON TABLE feed_reports IS 'What became of a list of a facility''s appointments';
COMMENT ON COLUMN feed_reports.actor_id IS 'The user who sent it';
COMMENT ON COLUMN feed_reports.as_of IS 'The time as of which it was said to be correct';
COMMENT ON COLUMN feed_reports.outcome IS 'What became of it';
COMMENT ON COLUMN feed_reports.code IS 'Why it was refused; null unless it was';
COMMENT ON COLUMN feed_reports.records IS 'How many records came; null if it was not read to its end';
COMMENT ON COLUMN feed_reports.created IS 'Records of appointments that were not there before';
COMMENT ON COLUMN feed_reports.updated IS 'Records that changed their appointment, or its patient; revived ones too';
COMMENT ON COLUMN feed_reports.unchanged IS 'Records that were as they are';
COMMENT ON COLUMN feed_reports.canceled IS 'Appointments that the list no longer had';
COMMENT ON COLUMN feed_reports.consent_withdrawn IS 'Records of patients who do not allow the facility to see them';
COMMENT ON COLUMN feed_reports.current_appointments IS 'Of mass_cancellation: how many appointments could be canceled';
COMMENT ON COLUMN feed_reports.error_records IS 'The positions of the invalid records, from 0';
COMMENT ON COLUMN feed_reports.error_fields IS 'The member of each, or an empty text';
COMMENT ON COLUMN feed_reports.error_codes IS 'The code of each';

CREATE INDEX feed_reports_facility_idx ON feed_reports (tenant_id, facility_id, created_at, id);

-- As in 00028: no value of a refused row in the server's log.
CREATE POLICY no_values_in_logs ON feed_reports TO waybill_app USING (true) WITH CHECK (true);
ALTER TABLE feed_reports ENABLE ROW LEVEL SECURITY;

GRANT SELECT, INSERT, DELETE ON feed_reports TO waybill_app;

-- +goose Down
DROP TABLE feed_reports;
DROP TYPE feed_outcome;
