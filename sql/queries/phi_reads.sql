-- Lists who read a patient, newest first, all or one user's, in [from, to).
-- name: ListPatientReads :many
SELECT * FROM phi_reads
WHERE tenant_id = @tenant_id
    AND patient_id = @patient_id
    AND (sqlc.narg('user_id')::uuid IS NULL OR user_id = sqlc.narg('user_id'))
    AND created_at >= coalesce(sqlc.narg('from_time')::timestamptz, '-infinity')
    -- One upper bound: of a row comparison and a plain bound, PostgreSQL would use only the row comparison for the
    -- index.
    AND (created_at, id) < (
        least(@before_created_at::timestamptz, sqlc.narg('to_time')::timestamptz),
        CASE
            WHEN sqlc.narg('to_time') <= @before_created_at THEN '00000000-0000-0000-0000-000000000000'
            ELSE @before_id::uuid
        END)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- Lists what a user read of any patients, newest first, in [from, to).
-- name: ListReads :many
SELECT * FROM patient_reads
WHERE tenant_id = @tenant_id
    AND user_id = @user_id
    AND created_at >= coalesce(sqlc.narg('from_time')::timestamptz, '-infinity')
    -- See ListPatientReads.
    AND (created_at, id) < (
        least(@before_created_at::timestamptz, sqlc.narg('to_time')::timestamptz),
        CASE
            WHEN sqlc.narg('to_time') <= @before_created_at THEN '00000000-0000-0000-0000-000000000000'
            ELSE @before_id::uuid
        END)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- Lists which patients the viewer has read in this transaction, which has written a record of each.
-- name: ListOwnReads :many
SELECT r.patient_id, r.operation
FROM phi_reads AS r
WHERE r.created_at = now()
    AND r.tenant_id = @tenant_id
    AND r.user_id = @viewer_id
    AND r.xmin = pg_current_xact_id_if_assigned()::xid
LIMIT 10000;

-- Records that a dry run has shown patients, by the operation that was tried. What it created is not there any more,
-- and not shown to anybody else.
-- name: RecordDryRun :exec
INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
SELECT p.tenant_id, p.id, @viewer_id::uuid, r.operation || '?dry_run=true'
FROM (
    SELECT
        unnest(@patient_ids::uuid[]) AS patient_id,
        unnest(@operations::text[]) AS operation
) AS r
JOIN patients AS p ON p.tenant_id = @tenant_id::uuid AND p.id = r.patient_id;
