-- A change of what a pickup is charged is an event of it, too: its names.
-- +waybill compatible_from: 00057

-- +goose NO TRANSACTION
-- +goose Up
ALTER TYPE transition_name ADD VALUE IF NOT EXISTS 'reprice';
ALTER TYPE transition_name ADD VALUE IF NOT EXISTS 'refund';

-- +goose Down
-- A value of an enum stays: PostgreSQL drops none, and events of the past may have it.
