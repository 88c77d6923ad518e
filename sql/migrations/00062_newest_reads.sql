-- What a dry run has read is found by its time, and recorded once its transaction is rolled back. The index has an
-- entry for each megabyte: recording a read looks at one or two of its pages, and writes none.
-- +waybill compatible_from: 00039

-- +goose NO TRANSACTION
-- +goose Up
-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_newest_idx;
CREATE INDEX CONCURRENTLY phi_reads_newest_idx ON phi_reads USING brin (created_at) WITH (autosummarize = on);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_newest_idx;
