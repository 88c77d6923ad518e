CREATE TYPE address AS (street text, city text, visits int);
CREATE TABLE teams (id bigint PRIMARY KEY, org bigint NOT NULL, name text);
CREATE TABLE papers (
    id bigint PRIMARY KEY, owner_id bigint NOT NULL, team_id bigint REFERENCES teams, editor bigint REFERENCES teams, "writerId" bigint,
    title text, state text NOT NULL, locked_by text, attempt int NOT NULL, home address, tags text[]);

-- name: Everything :exec
-- want: papers conditional cas
UPDATE papers SET owner_id = @to, team_id = @team, editor = @editor, "writerId" = @w, locked_by = @by, attempt = @a
WHERE id = @id AND owner_id = @owner;

-- Whose row it is, and what it belongs to, is scope, though a query changes it.

-- name: ByOwner :execrows
-- want: papers blind
UPDATE papers SET title = @title WHERE id = @id AND owner_id = @owner;

-- name: ByOwners :execrows
-- want: papers blind
UPDATE papers SET title = @title WHERE id = @id AND owner_id = ANY (@owners::bigint[]) AND "writerId" IN (@a, @b);

-- name: ByJoin :execrows
-- want: papers blind
UPDATE papers p SET title = @title FROM teams t WHERE p.team_id = t.id AND t.org = @org AND p.id = @id;

-- name: ByReference :execrows
-- want: papers blind
UPDATE papers SET title = @title WHERE id = @id AND editor = @editor;

-- name: BySubselect :execrows
-- want: papers blind
UPDATE papers SET title = @title WHERE id = @id AND team_id IN (SELECT id FROM teams WHERE org = @org);

-- name: RemoveOwned :execrows
-- want: papers delete-key
DELETE FROM papers WHERE id = @id AND owner_id = @owner;

-- name: RemoveOfOwner :execrows
-- want: papers delete-owner
DELETE FROM papers WHERE owner_id = @owner AND owner_id IS NOT NULL;

-- name: OwnedByNobody :execrows
-- want: papers conditional liveness
UPDATE papers SET title = @title WHERE id = @id AND team_id IS NULL;

-- Who works on it, and at which attempt, is a fence.

-- name: ByWorker :execrows
-- want: papers conditional fence
UPDATE papers SET title = @title WHERE id = @id AND locked_by = @by;

-- name: ByAttempt :execrows
-- want: papers conditional fence
UPDATE papers SET title = @title WHERE id = @id AND owner_id = @owner AND attempt = @attempt;

-- What a row is not names none.

-- name: AllButOne :exec
-- want: papers delete-owner
DELETE FROM papers WHERE owner_id = @owner AND id <> @keep;

-- name: AllBut :exec
-- want: papers delete-owner
DELETE FROM papers WHERE id <> ALL (@keep::bigint[]);

-- name: AllButSelected :exec
-- want: papers delete-owner
DELETE FROM papers WHERE id NOT IN (SELECT id FROM teams) AND NOT (id = @keep);

-- A field of a composite is overwritten as a column is; an element leaves the rest.

-- name: MoveHome :exec
-- want: papers blind
UPDATE papers SET home.city = @city WHERE id = @id;

-- name: VisitHome :exec
-- want: papers relative
UPDATE papers SET home.visits = (home).visits + 1 WHERE id = @id;

-- name: SetTag :exec
-- want: papers relative
UPDATE papers SET tags[1] = @tag WHERE id = @id;

-- name: Empty :exec
-- want: papers delete-unbounded
-- want: teams delete-unbounded
TRUNCATE papers, teams CASCADE;
