-- name: ReserveKennel :exec
UPDATE kennels
SET reserved_by = @reserved_by, reserved_until = @reserved_until
WHERE label = @label AND shelter_id = @shelter_id;

-- name: TakeFreeKennel :one
UPDATE kennels
SET status = 'taken', reserved_by = @reserved_by
WHERE shelter_id = @shelter_id
    AND id = (
        SELECT id FROM kennels
        WHERE shelter_id = @shelter_id AND status = 'free'
        ORDER BY id
        LIMIT 1)
RETURNING *;

-- name: CloseKennel :exec
UPDATE kennels SET status = 'closed' WHERE id = @id AND shelter_id = @shelter_id;

-- name: CountVisit :exec
UPDATE kennels SET visits = visits + 1 WHERE id = @id AND shelter_id = @shelter_id;

-- name: ClearKennels :execrows
UPDATE kennels SET reserved_by = NULL;

-- name: ListKennels :many
SELECT * FROM kennels WHERE shelter_id = @shelter_id;
