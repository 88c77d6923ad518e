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
