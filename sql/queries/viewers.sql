-- Sets the viewer for the row level security policies until the transaction ends. It is sent in one
-- round trip with the statement that it is for.
-- name: SetViewer :exec
SELECT
    set_config('waybill.tenant_id', (@tenant_id::uuid)::text, true),
    set_config('waybill.viewer_id', (@viewer_id::uuid)::text, true);
