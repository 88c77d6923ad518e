-- An event tells the facility of its pickup, so that a stream of staff judges what it passes over without
-- looking each pickup up. A pickup's facility is edited while it is a draft, and a draft has no events.

-- +goose Up
-- NULL for events from before: their pickups are looked up, as they were. To fill it in would rewrite a table
-- of any size for what few streams resume from. No foreign key: the pickup has it.
ALTER TABLE pickup_events ADD COLUMN facility_id uuid;
COMMENT ON COLUMN pickup_events.facility_id IS 'That of the pickup. NULL for events from before it was recorded.';

-- +goose Down
ALTER TABLE pickup_events DROP COLUMN facility_id;
