-- name: CreateDog :one
INSERT INTO dogs (shelter_id, chip, name, weight)
VALUES (@shelter_id, @chip, @name, @weight)
ON CONFLICT DO NOTHING
RETURNING *;

-- name: RenameDog :exec
UPDATE dogs SET name = @name
WHERE id = @id AND shelter_id = @shelter_id AND name IS DISTINCT FROM @name;

-- name: WeighDog :execrows
UPDATE dogs SET weight = @weight
WHERE id = @id AND shelter_id = @shelter_id AND deleted_at IS NULL;

-- name: EditDog :execrows
UPDATE dogs SET name = COALESCE(sqlc.narg('name'), name), version = version + 1
WHERE id = @id
    AND shelter_id = @shelter_id
    AND (sqlc.narg('version')::int IS NULL OR version = sqlc.narg('version'));

-- name: MoveDog :exec
UPDATE dogs SET kennel_id = @to_kennel, version = version + 1
WHERE id = @id AND shelter_id = @shelter_id AND kennel_id = @from_kennel;

-- name: FeedDogs :execrows
UPDATE dogs SET weight = weight + 1 WHERE shelter_id = @shelter_id AND id = ANY (@ids::bigint[]);

-- name: GetDogByChip :one
SELECT * FROM dogs WHERE chip = @chip;

-- name: DeleteDog :one
WITH gone AS (
    UPDATE dogs SET deleted_at = now()
    WHERE id = @id AND shelter_id = @shelter_id AND deleted_at IS NULL
    RETURNING id
)
SELECT d.deleted_at, EXISTS (SELECT FROM gone) AS deleted
FROM dogs AS d
WHERE d.id = @id AND d.shelter_id = @shelter_id;
