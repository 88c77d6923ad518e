-- The events of a facility in the order of the stream: the stream of one clinic in a busy tenant passes over those of
-- all others without reading them.
-- +waybill compatible_from: 00043

-- +goose NO TRANSACTION
-- +goose Up
-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS pickup_events_facility_idx;
CREATE INDEX CONCURRENTLY pickup_events_facility_idx ON pickup_events (tenant_id, facility_id, xid, seq);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS pickup_events_facility_idx;
