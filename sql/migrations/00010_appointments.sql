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
);

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
-- is never in memory, and holds no transaction open while it comes in. Gone with the
-- feed; what a killed process leaves is swept by a later one. Not logged, so that it
-- reaches neither the log of writes nor a replica.
CREATE UNLOGGED TABLE appointment_feed_records (
    tenant_id           uuid               NOT NULL,
    feed_id             uuid               NOT NULL,
    -- In the feed, from 0.
    position            integer            NOT NULL,
    external_id         text               NOT NULL,
    patient_external_id text               NOT NULL,
    -- Who the patient becomes, if there is none of that external id.
    new_patient_id      uuid               NOT NULL,
    given_name          text               NOT NULL,
    family_name         text               NOT NULL,
    birth_date          date               NOT NULL,
    phone               text,
    starts_at           timestamptz        NOT NULL,
    ends_at             timestamptz        NOT NULL,
    status              appointment_status NOT NULL,
    created_at          timestamptz        NOT NULL DEFAULT now(),
    CONSTRAINT appointment_feed_records_pkey PRIMARY KEY (tenant_id, feed_id, position)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

CREATE INDEX appointment_feed_records_created_idx ON appointment_feed_records USING brin (created_at);

ALTER TABLE appointments ENABLE ROW LEVEL SECURITY;

CREATE POLICY appointments_viewers ON appointments TO waybill_app
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = appointments.tenant_id
                AND v.facility_id = appointments.facility_id
                AND v.user_id = (SELECT viewer_id())));

GRANT SELECT, INSERT, UPDATE ON appointments, appointment_feeds TO waybill_app;
GRANT SELECT, INSERT, DELETE ON appointment_feed_records TO waybill_app;

-- +goose Down
DROP TABLE appointment_feed_records;
DROP TABLE appointment_feeds;
DROP TABLE appointments;
DROP TYPE appointment_status;
