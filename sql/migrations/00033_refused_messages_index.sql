-- Finds the texts that the gateway refused, few among all, for an operator who looks at
-- them and sends them again.

-- +goose NO TRANSACTION
-- +goose Up
-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS messages_refused_idx;
CREATE INDEX CONCURRENTLY messages_refused_idx ON messages (tenant_id, created_at, id) WHERE status = 'FAILED' AND reason <> 'no_number';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS messages_refused_idx;
