-- name: ListPatientReads :many
SELECT * FROM phi_reads
WHERE tenant_id = @tenant_id
    AND patient_id = @patient_id
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;
