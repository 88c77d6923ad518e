-- The time zone of a facility, for times that are shown to people elsewhere. Null: nobody has said it.
-- +waybill compatible_from: 00057

-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE facilities ADD COLUMN IF NOT EXISTS time_zone text;
ALTER TABLE facilities DROP CONSTRAINT IF EXISTS facilities_time_zone_check;
-- The form of a name alone: which names there are changes with the versions of the database of time zones, and a check
-- holds for ever. The API knows the names.
ALTER TABLE facilities ADD CONSTRAINT facilities_time_zone_check
CHECK (char_length(time_zone) <= 64 AND time_zone ~ '^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$') NOT VALID;
ALTER TABLE facilities VALIDATE CONSTRAINT facilities_time_zone_check;
COMMENT ON COLUMN facilities.time_zone IS
'The name of its time zone in the IANA database, such as America/Los_Angeles; null if it is not known';

-- +goose Down
ALTER TABLE facilities DROP COLUMN IF EXISTS time_zone;
