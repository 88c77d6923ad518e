-- An account's statement: entries in the order in which they were booked, and the balance before any of them without
-- adding up all that were booked before.
-- +waybill compatible_from: 00048

-- +goose NO TRANSACTION
-- +goose Up
-- created_at is the order of an account's entries. It was the time when a transaction began, and an entry that waited
-- for the account then had an earlier time than those that it had waited for. Now an entry gets its time under the
-- account's lock, from programs of any version, and one after the account's last entry.
ALTER TABLE accounts ADD COLUMN IF NOT EXISTS entered_at timestamptz;
COMMENT ON COLUMN accounts.entered_at IS 'When the last entry was booked';
ALTER TABLE ledger_entries
    ADD COLUMN IF NOT EXISTS balance_before_cents bigint,
    ALTER COLUMN created_at SET DEFAULT clock_timestamp();
-- Entries of one statement have the same created_at. Null: booked by an earlier version.
COMMENT ON COLUMN ledger_entries.balance_before_cents IS
    'The balance before this entry, and before those that were booked at the same time';

-- +goose Down
ALTER TABLE ledger_entries
    ALTER COLUMN created_at SET DEFAULT now(),
    DROP COLUMN IF EXISTS balance_before_cents;
ALTER TABLE accounts DROP COLUMN IF EXISTS entered_at;
