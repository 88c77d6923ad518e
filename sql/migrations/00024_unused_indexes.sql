-- Indexes that no query reads, and that each booking, transition and text paid for.
-- River's two serve searches by arguments and metadata, which nothing here makes, and grow
-- for ever: only their owner may rebuild them, and the workers' role is not.

-- +goose NO TRANSACTION
-- +goose Up
-- Each by itself and without a lock that requests would queue behind; again after a kill.
DROP INDEX CONCURRENTLY IF EXISTS pickups_account_idx;
DROP INDEX CONCURRENTLY IF EXISTS ledger_entries_pickup_idx;
DROP INDEX CONCURRENTLY IF EXISTS river_job_args_index;
DROP INDEX CONCURRENTLY IF EXISTS river_job_metadata_index;

-- +goose Down
CREATE INDEX IF NOT EXISTS river_job_metadata_index ON river_job USING gin (metadata);
CREATE INDEX IF NOT EXISTS river_job_args_index ON river_job USING gin (args);
CREATE INDEX IF NOT EXISTS ledger_entries_pickup_idx ON ledger_entries (tenant_id, pickup_id) WHERE pickup_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS pickups_account_idx ON pickups (tenant_id, account_id);
