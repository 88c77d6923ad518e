-- Feeds that are more careful: how much of a facility's appointments one may cancel, how
-- far ahead of the clock it may be, and ids without the blanks around them.

-- +goose NO TRANSACTION
-- +goose Up
-- Which patients deny a facility is looked up for each patient that a viewer asks for.
DROP INDEX CONCURRENTLY IF EXISTS patient_facilities_denied_idx; -- half of one, after a kill
CREATE INDEX CONCURRENTLY patient_facilities_denied_idx ON patient_facilities (tenant_id, facility_id, patient_id) WHERE NOT allowed;

-- The share of a facility's current appointments that a feed cancels without more ado.
ALTER TABLE facilities ADD COLUMN IF NOT EXISTS max_cancel_share double precision NOT NULL DEFAULT 0.5;
ALTER TABLE facilities DROP CONSTRAINT IF EXISTS facilities_max_cancel_share_check;
ALTER TABLE facilities ADD CONSTRAINT facilities_max_cancel_share_check CHECK (max_cancel_share BETWEEN 0 AND 1) NOT VALID;
ALTER TABLE facilities VALIDATE CONSTRAINT facilities_max_cancel_share_check;

-- The newest as_of that a feed may have: clocks differ, by a minute at most.
CREATE OR REPLACE FUNCTION latest_as_of() RETURNS timestamptz
LANGUAGE sql VOLATILE
RETURN clock_timestamp() + interval '1 minute';

-- A watermark that is ahead, as it could be by a day, keeps no true list out.
UPDATE appointment_feeds SET as_of = latest_as_of() WHERE as_of > latest_as_of();

-- An id from a facility's records without the blanks around it, those that are in use: the
-- application knows some more.
CREATE OR REPLACE FUNCTION trimmed_id(id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN btrim(id, U&'\0009\000A\000B\000C\000D\0020\0085\00A0\1680\180E\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\200B\200E\200F\2028\2029\202F\205F\2060\3000\FEFF');

-- What came before by another spelling of an id is found by the next feed. Where several
-- spellings came to be rows, one has the id from now on: the one that had it, or the oldest.
UPDATE patients AS p
SET external_id = trimmed_id(p.external_id)
FROM (
    SELECT DISTINCT ON (tenant_id, facility_id, trimmed_id(external_id)) tenant_id, id, external_id
    FROM patients
    WHERE trimmed_id(external_id) <> ''
    ORDER BY tenant_id, facility_id, trimmed_id(external_id), external_id <> trimmed_id(external_id), id
) AS o
WHERE o.tenant_id = p.tenant_id AND o.id = p.id AND o.external_id <> trimmed_id(o.external_id);

UPDATE appointments AS a
SET external_id = trimmed_id(a.external_id)
FROM (
    SELECT DISTINCT ON (tenant_id, facility_id, trimmed_id(external_id)) tenant_id, id, external_id
    FROM appointments
    WHERE trimmed_id(external_id) <> ''
    ORDER BY tenant_id, facility_id, trimmed_id(external_id), external_id <> trimmed_id(external_id), id
) AS o
WHERE o.tenant_id = a.tenant_id AND o.id = a.id AND o.external_id <> trimmed_id(o.external_id);

DROP FUNCTION trimmed_id;

-- +goose Down
DROP FUNCTION IF EXISTS latest_as_of;
ALTER TABLE facilities DROP COLUMN IF EXISTS max_cancel_share;
DROP INDEX CONCURRENTLY IF EXISTS patient_facilities_denied_idx;
