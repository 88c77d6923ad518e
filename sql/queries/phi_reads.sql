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

-- Has the transaction keep which patients it records as read. It writes nothing, and ends with the transaction.
-- name: KeepOwnReads :exec
SELECT set_config('waybill.own_reads', ',', true);

-- Lists which patients this transaction has recorded as read, since it keeps them: see KeepOwnReads.
-- name: ListOwnReads :many
SELECT
    split_part(r.read, ' ', 1)::uuid AS patient_id,
    split_part(r.read, ' ', 2)::text AS operation
FROM unnest(string_to_array(current_setting('waybill.own_reads', true), ',')) AS r (read)
WHERE r.read <> '';

-- Records that a dry run has shown patients, by the operation that was tried. What it created is not there any more,
-- and not shown to anybody else. All others are recorded, also those whom the viewer does not see: of pickups that name
-- them, and by memberships that the dry run itself has made.
-- name: RecordDryRun :exec
INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
SELECT @tenant_id::uuid, r.patient_id, @viewer_id::uuid, r.operation || '?dry_run=true'
FROM (
    SELECT
        unnest(@patient_ids::uuid[]) AS patient_id,
        unnest(@operations::text[]) AS operation
) AS r
WHERE patient_exists(@tenant_id::uuid, r.patient_id);
