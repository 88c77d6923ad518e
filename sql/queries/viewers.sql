-- Tells the policies who asks, until the transaction ends. It goes in one round trip
-- with the statement that it is for.
-- name: SetViewer :exec
SELECT
    set_config('waybill.tenant_id', (@tenant_id::uuid)::text, true),
    set_config('waybill.viewer_id', (@viewer_id::uuid)::text, true);
