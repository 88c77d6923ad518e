-- A patient's appointments are listed in the order of their start, and drivers by what they do and where they are.

-- +goose NO TRANSACTION
-- +goose Up
-- In place of one without the order, which serves the foreign key as well. An index that a kill left behind is not
-- valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS appointments_of_patient_idx;
CREATE INDEX CONCURRENTLY appointments_of_patient_idx ON appointments (tenant_id, patient_id, starts_at, id);
DROP INDEX CONCURRENTLY IF EXISTS appointments_patient_idx;

-- What a driver does: busy while a pickup is assigned to them, otherwise free, or off duty. dispatch-pickup takes free
-- ones.
CREATE OR REPLACE FUNCTION driver_state(on_duty boolean, pickup_id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN pickup_id IS NOT NULL THEN 'busy' WHEN on_duty THEN 'free' ELSE 'off_duty' END;

-- The great-circle distance of two points in metres, by the haversine; NULL if one is not known.
CREATE OR REPLACE FUNCTION distance_meters(
    latitude float8, longitude float8, other_latitude float8, other_longitude float8
) RETURNS float8
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- atan2 and abs, since rounding can make the haversine of antipodes greater than 1.
    RETURN (
        SELECT 2 * 6371008.8 * atan2(sqrt(h.a), sqrt(abs(1 - h.a)))
        FROM (
            SELECT sin(radians(other_latitude - latitude) / 2) ^ 2
                + cos(radians(latitude)) * cos(radians(other_latitude))
                    * sin(radians(other_longitude - longitude) / 2) ^ 2 AS a
        ) AS h);

-- +goose Down
DROP FUNCTION IF EXISTS distance_meters;
DROP FUNCTION IF EXISTS driver_state;
DROP INDEX CONCURRENTLY IF EXISTS appointments_patient_idx;
CREATE INDEX CONCURRENTLY appointments_patient_idx ON appointments (tenant_id, patient_id);
DROP INDEX CONCURRENTLY IF EXISTS appointments_of_patient_idx;
