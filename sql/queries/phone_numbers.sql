-- Closes: a retried request makes a second number
-- Closes: one number belongs to two users
-- Closes: a number is added to an unknown user
-- name: CreatePhoneNumber :one
INSERT INTO phone_numbers (tenant_id, id, user_id, number, request_digest)
VALUES (@tenant_id, @id, @user_id, @number, @request_digest)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING *;

-- name: GetPhoneNumber :one
SELECT * FROM phone_numbers WHERE tenant_id = @tenant_id AND id = @id;

-- name: ListPhoneNumbers :many
SELECT * FROM phone_numbers
WHERE tenant_id = @tenant_id
    AND user_id = @user_id
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- Closes: a number removed twice
-- name: DeletePhoneNumber :execrows
DELETE FROM phone_numbers
WHERE tenant_id = @tenant_id AND user_id = @user_id AND id = @id;
