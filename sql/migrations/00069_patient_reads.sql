-- Which patients a user read, in the order of time. An index on phi_reads for it would have an entry for each patient
-- of a page; here a statement that shows a page adds one row, or one for each 200 patients.
-- +waybill compatible_from: 00049

-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS patient_reads (
    tenant_id   uuid        NOT NULL,
    -- That of the first record in phi_reads.
    id          uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    operation   text        NOT NULL,
    patient_ids uuid[]      NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT patient_reads_pkey PRIMARY KEY (tenant_id, user_id, created_at, id)
);
COMMENT ON TABLE patient_reads IS 'That a user read or wrote the data of patients, by one operation';
COMMENT ON COLUMN patient_reads.id IS 'Id of the record';
COMMENT ON COLUMN patient_reads.user_id IS 'The user who did this';
COMMENT ON COLUMN patient_reads.operation IS 'The operation that showed or wrote the patients';
COMMENT ON COLUMN patient_reads.patient_ids IS 'The patients whose data it was; more than 200 are in several records';
COMMENT ON COLUMN patient_reads.created_at IS 'When it happened';
-- As in 00028: no value of a refused row in the server's log.
DROP POLICY IF EXISTS no_values_in_logs ON patient_reads;
CREATE POLICY no_values_in_logs ON patient_reads TO waybill_app USING (true) WITH CHECK (true);
ALTER TABLE patient_reads ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON patient_reads TO waybill_app;

-- The statements of phi_reads' writers, of any version, are told by a trigger.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION phi_reads_add_patient_reads() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO patient_reads (tenant_id, id, user_id, operation, patient_ids, created_at)
    SELECT r.tenant_id, (array_agg(r.id ORDER BY r.id))[1], r.user_id, r.operation,
        array_agg(r.patient_id ORDER BY r.id), r.created_at
    FROM (
        SELECT m.*, (row_number() OVER (
            PARTITION BY m.tenant_id, m.user_id, m.operation, m.created_at ORDER BY m.id) - 1) / 200 AS part
        FROM made AS m
    ) AS r
    GROUP BY r.tenant_id, r.user_id, r.operation, r.created_at, r.part;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE OR REPLACE TRIGGER phi_reads_add_patient_reads AFTER INSERT ON phi_reads
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION phi_reads_add_patient_reads();
-- Also under session_replication_role = replica.
ALTER TABLE phi_reads ENABLE ALWAYS TRIGGER phi_reads_add_patient_reads;

-- gate:allow backfill-in-one-statement patient_reads until 2027-06-30: it reads phi_reads, locks no row of it, and
-- inserts into a table whose other rows it does not meet.
--
-- What was there before the trigger, which was created when all that wrote without it had ended. What the trigger told
-- has the same first id, and is left as it is; so is all of it, once more.
INSERT INTO patient_reads (tenant_id, id, user_id, operation, patient_ids, created_at)
SELECT r.tenant_id, (array_agg(r.id ORDER BY r.id))[1], r.user_id, r.operation,
    array_agg(r.patient_id ORDER BY r.id), r.created_at
FROM (
    SELECT m.*, (row_number() OVER (
        PARTITION BY m.tenant_id, m.user_id, m.operation, m.created_at ORDER BY m.id) - 1) / 200 AS part
    FROM phi_reads AS m
    WHERE m.created_at < now()
) AS r
GROUP BY r.tenant_id, r.user_id, r.operation, r.created_at, r.part
ON CONFLICT (tenant_id, user_id, created_at, id) DO NOTHING;

-- +goose Down
DROP TRIGGER IF EXISTS phi_reads_add_patient_reads ON phi_reads;
DROP FUNCTION IF EXISTS phi_reads_add_patient_reads;
DROP TABLE IF EXISTS patient_reads;
