-- name: GetPlate :one
SELECT plate FROM vans WHERE id = @id;
