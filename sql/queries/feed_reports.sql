-- Records what became of a list. No row: its sender does not see the facility any more.
-- Closes: a report is written by somebody who does not see the facility
-- name: CreateFeedReport :execrows
INSERT INTO feed_reports (
    tenant_id, id, facility_id, actor_id, as_of, outcome, code, records, created, updated, unchanged, canceled,
    consent_withdrawn, current_appointments, error_records, error_fields, error_codes)
SELECT
    v.tenant_id, @id, v.facility_id, v.user_id, @as_of::timestamptz, @outcome, sqlc.narg('code'), sqlc.narg('records'),
    @created,
    @updated, @unchanged, @canceled, @consent_withdrawn, sqlc.narg('current_appointments'),
    @error_records::int[], @error_fields::text[], @error_codes::text[]
FROM facility_viewers AS v
WHERE v.tenant_id = @tenant_id
    AND v.facility_id = @facility_id
    AND v.user_id = @viewer_id
LIMIT 1;

-- Lists what became of a facility's lists, newest first.
-- name: ListFeedReports :many
SELECT r.* FROM feed_reports AS r
WHERE r.tenant_id = @tenant_id
    AND r.facility_id = @facility_id
    AND (r.created_at, r.id) < (@before_created_at::timestamptz, @before_id::uuid)
    AND (@viewer_role::user_role IN ('admin', 'dispatcher')
        OR @viewer_role::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = r.tenant_id AND v.facility_id = r.facility_id AND v.user_id = @viewer_id::uuid))
ORDER BY r.created_at DESC, r.id DESC
LIMIT @max_rows::int;

-- Deletes the reports of a facility before its last hundred. What it deletes is old whatever comes meanwhile.
-- Closes: a report is swept away that is not old
-- name: SweepFeedReports :execrows
DELETE FROM feed_reports AS r
WHERE r.tenant_id = @tenant_id
    AND r.facility_id = @facility_id
    AND (r.created_at, r.id) < (
        SELECT k.created_at, k.id
        FROM feed_reports AS k
        WHERE k.tenant_id = @tenant_id
            AND k.facility_id = @facility_id
        ORDER BY k.created_at DESC, k.id DESC
        OFFSET 99
        LIMIT 1);
