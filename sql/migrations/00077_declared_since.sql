-- Five migrations were merged without the line that says which older programs may serve beside them, so that these
-- refuse to start. All five add alone: comments; functions, tables and triggers that serve the statements of before as
-- well; an index with one column more. The statements of 00039 are tried on what they made (sql/releases).
-- +waybill compatible_from: 00057

-- +goose Up
UPDATE migration_files
SET compatible_from = 39
WHERE version IN (48, 52, 53, 54, 65) AND compatible_from IS NULL;

-- +goose Down
UPDATE migration_files
SET compatible_from = NULL
WHERE version IN (48, 52, 53, 54, 65);
