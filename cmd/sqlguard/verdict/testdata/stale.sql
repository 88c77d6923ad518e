CREATE TABLE jobs (
    id bigint PRIMARY KEY, queue text NOT NULL, owner_id bigint NOT NULL, state text NOT NULL, attempt int NOT NULL,
    worker text, run_at timestamptz NOT NULL, note text, n int NOT NULL
);
CREATE TABLE runs (id bigint PRIMARY KEY, job_id bigint NOT NULL, state text NOT NULL);
CREATE VIEW ready AS SELECT id, state, run_at FROM jobs WHERE state = 'ready';

-- name: Settings :exec
-- want: jobs blind
UPDATE jobs SET run_at = @run_at, attempt = @attempt, n = @n, worker = @worker WHERE id = @id;

-- name: InUnlocked :many
-- want: jobs blind
UPDATE jobs SET state = 'running', worker = @worker WHERE id IN (SELECT id FROM jobs WHERE state = 'ready' LIMIT 10) RETURNING *;

-- name: ConstantUnlocked :many
-- want: jobs constant
UPDATE jobs SET state = 'running' WHERE id = (SELECT id FROM jobs WHERE state = 'ready' LIMIT 1) RETURNING *;

-- name: InLocked :many
-- want: jobs conditional lock
UPDATE jobs SET state = 'running', worker = @worker
WHERE id IN (SELECT id FROM jobs WHERE state = 'ready' ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED) RETURNING *;

-- name: ArrayLocked :many
-- want: jobs conditional lock
UPDATE jobs SET state = 'running', worker = @worker
WHERE id = ANY (ARRAY(SELECT id FROM jobs WHERE state = 'ready' ORDER BY id LIMIT 10 FOR NO KEY UPDATE)) RETURNING *;

-- name: RowComparisonLocked :one
-- want: jobs conditional lock
UPDATE jobs SET worker = @worker, state = 'running'
WHERE (queue, id) = (SELECT queue, id FROM jobs WHERE state = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *;

-- name: RowComparisonUnlocked :one
-- want: jobs blind
UPDATE jobs SET worker = @worker, state = 'running'
WHERE (queue, id) = (SELECT queue, id FROM jobs WHERE state = 'ready' ORDER BY id LIMIT 1) RETURNING *;

-- name: FromSubselectLocked :many
-- want: jobs conditional lock
UPDATE jobs AS j SET worker = @worker, state = 'running'
FROM (SELECT id FROM jobs WHERE state = 'ready' AND run_at < now() LIMIT 5 FOR UPDATE SKIP LOCKED) AS r WHERE j.id = r.id RETURNING j.*;

-- name: FromSubselectUnlocked :many
-- want: jobs blind
UPDATE jobs AS j SET worker = @worker, state = 'running'
FROM (SELECT id FROM jobs WHERE state = 'ready' LIMIT 5) AS r WHERE j.id = r.id RETURNING j.*;

-- name: CTELocked :many
-- want: jobs conditional lock
WITH next AS (SELECT id FROM jobs WHERE state = 'ready' LIMIT 5 FOR UPDATE SKIP LOCKED)
UPDATE jobs SET worker = @worker, state = 'running' FROM next WHERE jobs.id = next.id RETURNING jobs.*;

-- name: CTEUnlocked :many
-- want: jobs blind
WITH next AS (SELECT id FROM jobs WHERE state = 'ready' LIMIT 5)
UPDATE jobs SET worker = @worker, state = 'running' FROM next WHERE jobs.id = next.id RETURNING jobs.*;

-- name: CTEForKeyShare :many
-- want: jobs blind
WITH next AS (SELECT id FROM jobs WHERE state = 'ready' LIMIT 5 FOR KEY SHARE)
UPDATE jobs SET worker = @worker, state = 'running' FROM next WHERE jobs.id = next.id RETURNING jobs.*;

-- name: LockThenTest :many
-- want: jobs conditional lock
WITH locked AS (SELECT * FROM jobs WHERE id = @id FOR UPDATE),
good AS (SELECT id FROM locked WHERE state = 'ready')
UPDATE jobs SET worker = @worker FROM good WHERE jobs.id = good.id RETURNING jobs.*;

-- name: LockThenTestByExists :execrows
-- want: jobs conditional lock
WITH locked AS (SELECT id, state FROM jobs WHERE id = @id FOR UPDATE)
UPDATE jobs SET worker = @worker WHERE id = @id AND EXISTS (SELECT 1 FROM locked WHERE locked.state = 'ready');

-- name: TestThenLock :many
-- want: jobs blind
WITH good AS (SELECT id FROM jobs WHERE state = 'ready'),
locked AS (SELECT j.id FROM jobs j JOIN good USING (id) ORDER BY j.id FOR UPDATE OF j)
UPDATE jobs SET worker = @worker FROM locked WHERE jobs.id = locked.id RETURNING jobs.*;

-- name: TestThenLockNested :many
-- want: jobs blind
UPDATE jobs SET worker = @worker
WHERE id IN (SELECT id FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state = 'ready') FOR UPDATE) RETURNING *;

-- name: LockAfterAndTestAgain :many
-- want: jobs conditional lock
WITH good AS (SELECT id FROM jobs WHERE state = 'ready'),
locked AS (SELECT j.id FROM jobs j JOIN good USING (id) WHERE j.state = 'ready' ORDER BY j.id FOR UPDATE OF j)
UPDATE jobs SET worker = @worker FROM locked WHERE jobs.id = locked.id RETURNING jobs.*;

-- name: LockedOtherTable :many
-- want: jobs blind
WITH run AS (SELECT job_id FROM runs WHERE state = 'x' FOR UPDATE)
UPDATE jobs SET worker = @worker FROM run WHERE jobs.id = run.job_id RETURNING jobs.*;

-- name: LockOfOther :many
-- want: jobs blind
WITH run AS (SELECT j.id FROM jobs j JOIN runs r ON r.job_id = j.id WHERE j.state = 'ready' FOR UPDATE OF r)
UPDATE jobs SET worker = @worker FROM run WHERE jobs.id = run.id RETURNING jobs.*;

-- name: LockWithoutTest :exec
-- want: jobs blind
WITH locked AS (SELECT id FROM jobs WHERE id = @id FOR UPDATE)
UPDATE jobs SET worker = @worker FROM locked WHERE jobs.id = locked.id;

-- name: LockedSum :exec
-- want: jobs relative
WITH locked AS (SELECT id, n FROM jobs WHERE id = @id FOR UPDATE)
UPDATE jobs SET n = locked.n + @more FROM locked WHERE jobs.id = locked.id;

-- name: UnlockedSum :exec
-- want: jobs blind
WITH seen AS (SELECT id, n FROM jobs WHERE id = @id)
UPDATE jobs SET n = seen.n + @more FROM seen WHERE jobs.id = seen.id;

-- name: LockedSumThroughWindow :exec
-- want: jobs relative
WITH locked AS MATERIALIZED (SELECT id, n FROM jobs WHERE id = ANY (@ids::bigint[]) ORDER BY id FOR NO KEY UPDATE),
total AS (SELECT id, n, sum(n) OVER (ORDER BY id) AS running FROM locked)
UPDATE jobs SET n = total.running FROM total WHERE jobs.id = total.id;

-- name: TestedAliasLocked :exec
-- want: jobs conditional lock
WITH locked AS (SELECT id, state FROM jobs WHERE id = @id FOR UPDATE)
UPDATE jobs SET worker = @worker FROM locked WHERE jobs.id = locked.id AND locked.state = 'ready';

-- name: TestedAliasUnlocked :exec
-- want: jobs blind
UPDATE jobs SET worker = @worker FROM jobs old WHERE jobs.id = old.id AND old.state = 'ready' AND jobs.id = @id;

-- name: StaleExists :exec
-- want: jobs blind
UPDATE jobs SET worker = @worker WHERE id = @id AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = jobs.id AND j.state = 'ready');

-- name: StaleNotExists :exec
-- want: jobs blind
UPDATE jobs SET worker = @worker WHERE id = @id AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.worker = @worker);

-- name: StaleCount :exec
-- want: jobs blind
UPDATE jobs SET worker = @worker WHERE id = @id AND (SELECT count(*) FROM jobs j WHERE j.state = 'running') < @max;

-- name: StaleVersion :exec
-- want: jobs blind
UPDATE jobs SET worker = @worker, attempt = attempt + 1 WHERE id = @id AND attempt = (SELECT attempt FROM jobs WHERE id = @id);

-- name: StaleView :exec
-- want: jobs blind
UPDATE jobs SET worker = @worker WHERE id IN (SELECT id FROM ready WHERE run_at < now());

-- name: LockedView :exec
-- want: jobs conditional lock
UPDATE jobs SET worker = @worker WHERE id IN (SELECT id FROM ready WHERE run_at < now() FOR UPDATE);

-- name: StaleButGuarded :execrows
-- want: jobs conditional cas
UPDATE jobs SET worker = @worker, state = 'running' WHERE id IN (SELECT id FROM jobs WHERE state = 'ready' LIMIT 1) AND state = 'ready';

-- name: InOtherTable :exec
-- want: jobs blind
UPDATE jobs SET note = @note WHERE id IN (SELECT job_id FROM runs WHERE state = 'x');

-- name: StateInOtherTable :execrows
-- want: jobs conditional cas
UPDATE jobs SET state = @state WHERE id = @id AND state IN (SELECT state FROM runs WHERE runs.id = @run_id);

-- name: SubselectOfOwner :exec
-- want: jobs blind
UPDATE jobs SET note = @note WHERE id IN (SELECT id FROM jobs WHERE owner_id = @owner_id);

-- name: EffectOfTransition :one
-- want: jobs conditional cas
-- want: runs blind
WITH moved AS (UPDATE jobs SET state = 'done' WHERE id = @id AND state = 'running' RETURNING id, note)
UPDATE runs SET state = moved.note FROM moved WHERE runs.job_id = moved.id;

-- name: MovedInSelect :one
-- want: jobs conditional cas
WITH moved AS (UPDATE jobs SET state = 'done' WHERE id = @id AND state = 'running' RETURNING *)
SELECT sqlc.embed(jobs) FROM moved AS jobs;

-- name: MovedInInsert :exec
-- want: jobs conditional cas
WITH moved AS (UPDATE jobs SET state = 'done' WHERE id = @id AND state = 'running' RETURNING *)
INSERT INTO runs (id, job_id, state) SELECT @run_id, id, state FROM moved;

-- name: Transfer :exec
-- want: jobs conditional cas
-- want: jobs relative
WITH debit AS (UPDATE jobs SET n = n - @amount WHERE id = @from AND n >= @amount RETURNING *)
UPDATE jobs SET n = jobs.n + @amount FROM debit WHERE jobs.id = @to;

-- name: Recursive :exec
-- want: jobs blind
WITH RECURSIVE tree AS (
    SELECT id FROM jobs WHERE id = @id UNION ALL SELECT r.job_id FROM tree t JOIN runs r ON r.id = t.id)
UPDATE jobs SET note = @note WHERE id IN (SELECT id FROM tree);

-- name: LockedAmongUnnest :exec
-- want: jobs conditional lock
WITH asked AS (SELECT * FROM unnest(@ids::bigint[], @workers::text[], @attempts::int[]) AS a (id, worker, attempt)),
locked AS MATERIALIZED (
    SELECT j.id, a.worker FROM asked a JOIN jobs j ON j.id = a.id WHERE j.attempt = a.attempt ORDER BY j.id FOR NO KEY UPDATE OF j)
UPDATE jobs SET worker = locked.worker FROM locked WHERE jobs.id = locked.id;

-- A third table beside the locked rows does not make the test one of theirs.

-- name: TestThenLockThenJoin :many
-- want: jobs blind
WITH free AS (SELECT id FROM jobs WHERE state = 'ready'),
locked AS (SELECT j.id, j.owner_id, j.queue FROM jobs j JOIN free ON free.id = j.id ORDER BY j.id FOR UPDATE OF j)
UPDATE jobs SET worker = @worker FROM locked JOIN runs r ON r.job_id = locked.id AND r.state = 'x' WHERE jobs.id = locked.id RETURNING jobs.*;

-- name: TestThenLockThenJoinOwner :many
-- want: jobs blind
WITH free AS (SELECT id FROM jobs WHERE state = 'ready'),
locked AS (SELECT j.id, j.run_at FROM jobs j JOIN free ON free.id = j.id ORDER BY j.id FOR UPDATE OF j)
UPDATE jobs SET worker = @worker, run_at = locked.run_at FROM locked, runs r WHERE jobs.id = locked.id AND r.job_id = jobs.id AND r.id = jobs.n RETURNING jobs.*;

-- name: LockJoinsTested :many
-- want: jobs blind
WITH free AS (SELECT id, run_at FROM jobs WHERE state = 'ready')
UPDATE jobs SET worker = @worker FROM free JOIN runs r ON r.job_id = free.id
WHERE jobs.id IN (SELECT j.id FROM jobs j JOIN runs ON runs.job_id = j.id AND runs.id = j.n FOR UPDATE OF j) AND jobs.id = free.id RETURNING jobs.*;

-- name: CaseOfSnapshot :execrows
-- want: jobs blind
WITH seen AS (SELECT id, state FROM jobs WHERE id = @id)
UPDATE jobs SET worker = CASE WHEN (SELECT state FROM seen) = 'ready' THEN @worker ELSE worker END WHERE id = @id;

-- name: UpsertCaseOfSnapshot :execrows
-- want: jobs upsert-blind
WITH seen AS (SELECT id, attempt FROM jobs WHERE id = @id)
INSERT INTO jobs (id, worker) VALUES (@id, @worker)
ON CONFLICT (id) DO UPDATE SET worker = CASE WHEN (SELECT attempt FROM seen) = @attempt THEN EXCLUDED.worker ELSE jobs.worker END;
