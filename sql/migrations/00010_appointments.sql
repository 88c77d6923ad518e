-- Appointments, as the facilities' records have them: they come by feeds alone.

-- +goose Up
CREATE TYPE appointment_status AS ENUM ('BOOKED', 'ARRIVED', 'FULFILLED', 'NO_SHOW', 'CANCELED');

CREATE TABLE appointments (
    tenant_id   uuid               NOT NULL,
    id          uuid               NOT NULL DEFAULT new_id(),
    facility_id uuid               NOT NULL,
    patient_id  uuid               NOT NULL,
    external_id text               NOT NULL,
    starts_at   timestamptz        NOT NULL,
    ends_at     timestamptz        NOT NULL,
    status      appointment_status NOT NULL,
    created_at  timestamptz        NOT NULL DEFAULT now(),
    updated_at  timestamptz        NOT NULL DEFAULT now(),
    CONSTRAINT appointments_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT appointments_facility_fkey FOREIGN KEY (tenant_id, facility_id) REFERENCES facilities,
    CONSTRAINT appointments_patient_fkey FOREIGN KEY (tenant_id, patient_id) REFERENCES patients,
    CONSTRAINT appointments_external_id_key UNIQUE (tenant_id, facility_id, external_id),
    CONSTRAINT appointments_external_id_check
        CHECK (btrim(external_id) <> '' AND char_length(external_id) <= 200),
    -- The longest is what bounds the start of those that overlap a window: without
    -- it, a late window reads all that began before.
    CONSTRAINT appointments_range_check
        CHECK (starts_at < ends_at AND ends_at - starts_at <= interval '24 hours')
) WITH (fillfactor = 90); -- room for the next status beside the row, which then moves no index

CREATE INDEX appointments_facility_idx ON appointments (tenant_id, facility_id, starts_at, id);
CREATE INDEX appointments_patient_idx ON appointments (tenant_id, patient_id);

-- A facility's watermark: the as_of of the newest feed.
CREATE TABLE appointment_feeds (
    tenant_id   uuid        NOT NULL,
    facility_id uuid        NOT NULL,
    as_of       timestamptz NOT NULL,
    CONSTRAINT appointment_feeds_pkey PRIMARY KEY (tenant_id, facility_id),
    CONSTRAINT appointment_feeds_facility_fkey FOREIGN KEY (tenant_id, facility_id) REFERENCES facilities
);

-- Where the records of a feed wait until all of them are there: a feed of a million
-- is never in memory, and holds no transaction open while it comes in. A row is some
-- thousands of records, an array for each of their members: a tenth of what a row for
-- each would cost. Gone with the feed; what a killed process leaves is swept by a
-- later one. Not logged, so that it reaches neither the log of writes nor a replica.
CREATE UNLOGGED TABLE appointment_feed_chunks (
    tenant_id            uuid                 NOT NULL,
    feed_id              uuid                 NOT NULL,
    -- Where its first record stands in the feed, from 0.
    first_position       integer              NOT NULL,
    external_ids         text[]               NOT NULL,
    patient_external_ids text[]               NOT NULL,
    -- Who each patient becomes, if there is none of that external id.
    new_patient_ids      uuid[]               NOT NULL,
    given_names          text[]               NOT NULL,
    family_names         text[]               NOT NULL,
    birth_dates          date[]               NOT NULL,
    phones               text[]               NOT NULL, -- '' for none
    starts_at            timestamptz[]        NOT NULL,
    ends_at              timestamptz[]        NOT NULL,
    statuses             appointment_status[] NOT NULL,
    created_at           timestamptz          NOT NULL DEFAULT now(),
    CONSTRAINT appointment_feed_chunks_pkey PRIMARY KEY (tenant_id, feed_id, first_position)
);

-- To compress what is read once costs more than to write it.
ALTER TABLE appointment_feed_chunks
    ALTER external_ids SET STORAGE EXTERNAL,
    ALTER patient_external_ids SET STORAGE EXTERNAL,
    ALTER new_patient_ids SET STORAGE EXTERNAL,
    ALTER given_names SET STORAGE EXTERNAL,
    ALTER family_names SET STORAGE EXTERNAL,
    ALTER birth_dates SET STORAGE EXTERNAL,
    ALTER phones SET STORAGE EXTERNAL,
    ALTER starts_at SET STORAGE EXTERNAL,
    ALTER ends_at SET STORAGE EXTERNAL,
    ALTER statuses SET STORAGE EXTERNAL;

-- A feed's records, one a row.
CREATE VIEW appointment_feed_records WITH (security_invoker) AS
SELECT
    c.tenant_id, c.feed_id,
    c.first_position + r.ord::integer - 1 AS position,
    r.external_id, r.patient_external_id, r.new_patient_id, r.given_name, r.family_name, r.birth_date,
    nullif(r.phone, '') AS phone, r.starts_at, r.ends_at, r.status
FROM appointment_feed_chunks AS c
CROSS JOIN unnest(
    c.external_ids, c.patient_external_ids, c.new_patient_ids, c.given_names, c.family_names, c.birth_dates,
    c.phones, c.starts_at, c.ends_at, c.statuses) WITH ORDINALITY
    AS r (external_id, patient_external_id, new_patient_id, given_name, family_name, birth_date,
        phone, starts_at, ends_at, status, ord);

ALTER TABLE appointments ENABLE ROW LEVEL SECURITY;
ALTER TABLE appointment_feed_chunks ENABLE ROW LEVEL SECURITY;

CREATE POLICY appointments_viewers ON appointments TO waybill_app
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = (SELECT viewer_tenant_id())
                AND v.facility_id = appointments.facility_id
                AND v.user_id = (SELECT viewer_id())));

-- Whoever the feed is, its tenant's other feeds sweep what it leaves.
CREATE POLICY appointment_feed_chunks_viewers ON appointment_feed_chunks TO waybill_app
    USING (tenant_id = (SELECT viewer_tenant_id()));

GRANT SELECT, INSERT, UPDATE ON appointments, appointment_feeds TO waybill_app;
GRANT SELECT, INSERT, DELETE ON appointment_feed_chunks TO waybill_app;
GRANT SELECT ON appointment_feed_records TO waybill_app;

-- +goose Down
DROP VIEW appointment_feed_records;
DROP TABLE appointment_feed_chunks;
DROP TABLE appointment_feeds;
DROP TABLE appointments;
DROP TYPE appointment_status;
