-- An appointment of a whole day is one of 25 hours where the clocks are set back. How long
-- one may be bounds the start of those that overlap a window, and so stands in queries
-- too: they and the constraint take it from one place. It can be raised as it is here;
-- whoever only replaces the function leaves the rows that there are unchecked.

-- +goose NO TRANSACTION
-- +goose Up
-- Inlined wherever it is called.
CREATE OR REPLACE FUNCTION longest_appointment() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '25 hours';

-- The rows are looked at afterwards, beside the requests. Again after a kill.
ALTER TABLE appointments
    DROP CONSTRAINT IF EXISTS appointments_range_check,
    ADD CONSTRAINT appointments_range_check
        CHECK (starts_at < ends_at AND ends_at - starts_at <= longest_appointment()) NOT VALID;
ALTER TABLE appointments VALIDATE CONSTRAINT appointments_range_check;

-- +goose Down
-- Longer ones that came meanwhile stay, and so the rows are not looked at.
ALTER TABLE appointments
    DROP CONSTRAINT IF EXISTS appointments_range_check,
    ADD CONSTRAINT appointments_range_check
        CHECK (starts_at < ends_at AND ends_at - starts_at <= interval '24 hours') NOT VALID;
DROP FUNCTION IF EXISTS longest_appointment();
