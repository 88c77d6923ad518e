-- A pickup that a search tests is found by its key alone. The time when it was created was a condition of an index,
-- too: in small tables, and where statistics were missing, that index was read in place of the key's, from the first
-- pickup to the last, for each pickup that was looked at.
-- +waybill compatible_from: 00057

-- +goose Up
-- As in 00057, but that no index serves created_at.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pickup_matches(
    p pickups, statuses pickup_status[], of_facility uuid, of_driver uuid, of_account uuid, of_patient uuid,
    of_requester uuid, window_from timestamptz, window_to timestamptz, created_from timestamptz,
    created_to timestamptz, is_waiting boolean)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (cardinality(statuses) = 0 OR p.status = ANY (statuses))
    AND (of_facility IS NULL OR p.facility_id = of_facility)
    AND (of_driver IS NULL OR coalesce(p.driver_id = of_driver, false))
    AND (of_account IS NULL OR p.account_id = of_account)
    AND (of_patient IS NULL OR coalesce(p.patient_id = of_patient, false))
    AND (of_requester IS NULL OR p.requested_by = of_requester)
    AND (num_nonnulls(window_from, window_to) = 0 OR num_nonnulls(p.window_start, p.window_end) > 0)
    AND (window_from IS NULL OR coalesce(p.window_end > window_from, true))
    AND (window_to IS NULL OR coalesce(p.window_start < window_to, true))
    AND coalesce(p.created_at >= created_from AND p.created_at < created_to, false)
    AND (NOT is_waiting OR p.submitted_at IS NOT NULL AND p.status NOT IN ('DRAFT', 'DELIVERED', 'CANCELED'));
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pickup_matches(
    p pickups, statuses pickup_status[], of_facility uuid, of_driver uuid, of_account uuid, of_patient uuid,
    of_requester uuid, window_from timestamptz, window_to timestamptz, created_from timestamptz,
    created_to timestamptz, is_waiting boolean)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (cardinality(statuses) = 0 OR p.status = ANY (statuses))
    AND (of_facility IS NULL OR p.facility_id = of_facility)
    AND (of_driver IS NULL OR coalesce(p.driver_id = of_driver, false))
    AND (of_account IS NULL OR p.account_id = of_account)
    AND (of_patient IS NULL OR coalesce(p.patient_id = of_patient, false))
    AND (of_requester IS NULL OR p.requested_by = of_requester)
    AND (num_nonnulls(window_from, window_to) = 0 OR num_nonnulls(p.window_start, p.window_end) > 0)
    AND (window_from IS NULL OR coalesce(p.window_end > window_from, true))
    AND (window_to IS NULL OR coalesce(p.window_start < window_to, true))
    AND p.created_at >= created_from
    AND p.created_at < created_to
    AND (NOT is_waiting OR p.submitted_at IS NOT NULL AND p.status NOT IN ('DRAFT', 'DELIVERED', 'CANCELED'));
-- +goose StatementEnd
