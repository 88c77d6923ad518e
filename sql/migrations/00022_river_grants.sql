-- What the application does with River's tables: enqueues in its statements, works,
-- elects the one that maintains, prunes. River's migrations stay its owner's.

-- +goose Up
GRANT SELECT, INSERT, UPDATE, DELETE ON river_job, river_leader, river_queue TO waybill_app;
GRANT USAGE ON SEQUENCE river_job_id_seq TO waybill_app;

-- A row is inserted, updated twice and deleted within a day: vacuum by the number of
-- dead rows, not by a share of a table that is large only while a gateway is down.
ALTER TABLE river_job SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0);

-- +goose Down
ALTER TABLE river_job RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    autovacuum_analyze_scale_factor, autovacuum_analyze_threshold,
    autovacuum_vacuum_cost_delay);
REVOKE USAGE ON SEQUENCE river_job_id_seq FROM waybill_app;
REVOKE SELECT, INSERT, UPDATE, DELETE ON river_job, river_leader, river_queue FROM waybill_app;
