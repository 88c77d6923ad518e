-- What a dry run has read is kept by its transaction, in a setting, and recorded once that is rolled back: nothing
-- looks for it in phi_reads, and no other recording of a read pays for an index (00062) by which to find it.
-- +waybill compatible_from: 00039

-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION phi_reads_keep_own() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM set_config(
        'waybill.own_reads',
        current_setting('waybill.own_reads') || NEW.patient_id::text || ' ' || NEW.operation || ',',
        true);
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- Only a transaction that asks for it has the setting (KeepOwnReads): for others, the condition is all it costs.
CREATE OR REPLACE TRIGGER phi_reads_keep_own AFTER INSERT ON phi_reads
    FOR EACH ROW WHEN (current_setting('waybill.own_reads', true) <> '') EXECUTE FUNCTION phi_reads_keep_own();

DROP INDEX CONCURRENTLY IF EXISTS phi_reads_newest_idx;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_newest_idx;
CREATE INDEX CONCURRENTLY phi_reads_newest_idx ON phi_reads USING brin (created_at) WITH (autosummarize = on);
DROP TRIGGER IF EXISTS phi_reads_keep_own ON phi_reads;
DROP FUNCTION IF EXISTS phi_reads_keep_own;
