CREATE TABLE notes (id bigint PRIMARY KEY, owner_id bigint NOT NULL, state text NOT NULL, version int NOT NULL, expires_at timestamptz, created_at timestamptz NOT NULL);
CREATE TABLE members (group_id bigint, user_id bigint, role text, PRIMARY KEY (group_id, user_id));

-- name: Settings :exec
-- want: notes blind
UPDATE notes SET state = @state, version = @version, expires_at = @expires_at WHERE id = @id;

-- name: Remove :exec
-- want: notes delete-key
DELETE FROM notes WHERE id = @id;

-- name: RemoveSome :exec
-- want: notes delete-key
DELETE FROM notes WHERE id = ANY (@ids::bigint[]);

-- name: RemoveOwned :exec
-- want: notes delete-key
DELETE FROM notes WHERE id = @id AND owner_id = @owner_id;

-- name: RemoveOf :exec
-- want: notes delete-owner
DELETE FROM notes WHERE owner_id = @owner_id;

-- name: RemoveDraft :execrows
-- want: notes delete-conditional cas
DELETE FROM notes WHERE id = @id AND state = 'draft';

-- name: RemoveVersion :execrows
-- want: notes delete-conditional cas
DELETE FROM notes WHERE id = @id AND version = @version;

-- name: RemoveExpired :execrows
-- want: notes delete-conditional cas
DELETE FROM notes WHERE expires_at < now();

-- name: RemoveAll :exec
-- want: notes delete-unbounded
DELETE FROM notes;

-- name: RemoveLocked :execrows
-- want: notes delete-conditional lock
DELETE FROM notes WHERE id IN (SELECT id FROM notes WHERE state = 'done' ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED);

-- name: RemoveStale :execrows
-- want: notes delete-key
DELETE FROM notes WHERE id IN (SELECT id FROM notes WHERE state = 'done' LIMIT 100);

-- name: RemoveUsing :execrows
-- want: notes delete-key
DELETE FROM notes USING members WHERE notes.id = members.group_id AND members.role = 'x';

-- name: RemoveMember :execrows
-- want: members delete-key
DELETE FROM members WHERE group_id = @group_id AND user_id = @user_id;

-- name: RemoveGroup :execrows
-- want: members delete-owner
DELETE FROM members WHERE group_id = @group_id;

-- name: Replace :exec
-- want: members delete-owner
WITH gone AS (DELETE FROM members WHERE group_id = @group_id RETURNING user_id)
INSERT INTO members (group_id, user_id) SELECT @other_id, user_id FROM gone;

-- name: MergePut :exec
-- want: notes blind
MERGE INTO notes AS n USING (SELECT $1::bigint AS id, $2::text AS state) AS s ON n.id = s.id
WHEN MATCHED THEN UPDATE SET state = s.state
WHEN NOT MATCHED THEN INSERT (id, state) VALUES (s.id, s.state);

-- name: MergeNewer :exec
-- want: notes conditional cas
MERGE INTO notes AS n USING (SELECT $1::bigint AS id, $2::text AS state, $3::int AS version) AS s ON n.id = s.id
WHEN MATCHED AND n.version < s.version THEN UPDATE SET state = s.state, version = s.version
WHEN NOT MATCHED THEN INSERT (id, state) VALUES (s.id, s.state);

-- name: MergeOlderDoesNothing :exec
-- want: notes conditional cas
MERGE INTO notes AS n USING (SELECT $1::bigint AS id, $2::text AS state, $3::int AS version) AS s ON n.id = s.id
WHEN MATCHED AND n.version >= s.version THEN DO NOTHING
WHEN MATCHED THEN UPDATE SET state = s.state, version = s.version;

-- name: MergeAdds :exec
-- want: notes relative
MERGE INTO notes AS n USING (SELECT $1::bigint AS id) AS s ON n.id = s.id
WHEN MATCHED THEN UPDATE SET version = n.version + 1;

-- name: MergeDeletes :exec
-- want: notes delete-conditional cas
MERGE INTO notes AS n USING (SELECT $1::bigint AS id) AS s ON n.id = s.id
WHEN MATCHED AND n.state = 'done' THEN DELETE;

-- name: MergeInserts :exec
MERGE INTO notes AS n USING (SELECT $1::bigint AS id) AS s ON n.id = s.id
WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id);
