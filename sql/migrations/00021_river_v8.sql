-- River's own migration 8, "job id autoincrement", as it exports it: a test holds it against the pinned release.

-- +goose Up
-- +goose StatementBegin
-- No-op. Postgres sequences already prevent automatically generated job IDs
-- from being reused.
SELECT 1;
-- +goose StatementEnd
INSERT INTO river_migration (line, version) VALUES ('main', 8);

-- +goose Down
-- +goose StatementBegin
-- No-op. Postgres sequences already prevent automatically generated job IDs
-- from being reused.
SELECT 1;
-- +goose StatementEnd
DELETE FROM river_migration WHERE version = 8;
