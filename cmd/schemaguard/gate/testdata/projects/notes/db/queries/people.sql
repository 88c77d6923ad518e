-- name: GetPerson :one
WITH seen AS (
    SELECT id, team_id, name FROM people WHERE team_id = @team_id AND id = @id
), recorded AS (
    INSERT INTO reads (team_id, person_id) SELECT team_id, id FROM seen
)
SELECT id, name FROM seen;
