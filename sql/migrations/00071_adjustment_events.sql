-- A change of what a pickup is charged is an event of it, too: its names.
-- +waybill compatible_from: 00057

-- +goose NO TRANSACTION
-- +goose Up
ALTER TYPE transition_name ADD VALUE IF NOT EXISTS 'reprice';
ALTER TYPE transition_name ADD VALUE IF NOT EXISTS 'refund';

-- +goose Down
-- A value of an enum stays: PostgreSQL drops none. It stops where there are events of it, of which a former version
-- would tell the hub and drivers.
-- +goose StatementBegin
DO $$ BEGIN
    IF EXISTS (SELECT FROM pickup_events WHERE transition::text IN ('reprice', 'refund')) THEN
        RAISE EXCEPTION 'there are events of adjustments, which the former version does not know';
    END IF;
END $$;
-- +goose StatementEnd
