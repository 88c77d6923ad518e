-- Closes: a retried request makes a second account
-- name: CreateAccount :one
INSERT INTO accounts (tenant_id, id, name, currency, request_digest)
VALUES (@tenant_id, @id, @name, @currency, @request_digest)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING *;

-- name: GetAccount :one
SELECT * FROM accounts WHERE tenant_id = @tenant_id AND id = @id;

-- name: ListAccounts :many
SELECT * FROM accounts
WHERE tenant_id = @tenant_id
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- Closes: an edit overwrites an unseen edit
-- name: EditAccount :one
UPDATE accounts
SET name = coalesce(sqlc.narg('name'), name),
    version = version + 1
WHERE tenant_id = @tenant_id AND id = @id AND version = @version
RETURNING *;
