-- name: GetFlag :one
SELECT * FROM flags WHERE tenant_id = @tenant_id AND name = @name;

-- name: ListFlags :many
SELECT * FROM flags
WHERE tenant_id = @tenant_id AND name > @after_name
ORDER BY name
LIMIT @max_rows::int;

-- Closes: a flag is set over a setting that was not seen
-- name: SetFlag :one
UPDATE flags
SET enabled = @enabled, version = version + 1, updated_at = now()
WHERE tenant_id = @tenant_id AND name = @name AND version = @version
RETURNING *;
