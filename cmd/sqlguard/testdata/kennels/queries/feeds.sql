-- name: MoveFeed :exec
INSERT INTO feeds (shelter_id, name, as_of)
VALUES (@shelter_id, @name, @as_of)
ON CONFLICT (shelter_id, name) DO UPDATE SET as_of = EXCLUDED.as_of;

-- @write blind reason="an operator's decision; runs by hand, in a transaction that holds the row" locked-by=LockFeed
-- name: ResetFeed :execrows
UPDATE feeds SET as_of = @as_of WHERE shelter_id = @shelter_id AND name = @name;

-- name: LockFeed :one
SELECT * FROM feeds WHERE shelter_id = @shelter_id AND name = @name FOR UPDATE;

-- @write blind
-- name: DropFeed :execrows
DELETE FROM feeds WHERE shelter_id = @shelter_id AND name = @name;
