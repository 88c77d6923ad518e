//go:build !race

package races_test

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"waybill/cmd/sqlguard/rules"
)

const (
	dogs     = "CREATE TABLE dogs (id int PRIMARY KEY, name text NOT NULL, note text, version int NOT NULL DEFAULT 1);"
	dogRow   = "INSERT INTO dogs (id, name, note) VALUES (1, 'old', 'old')"
	dogName  = "SELECT name FROM dogs"
	plain    = "CREATE TABLE cats (id int PRIMARY KEY, name text NOT NULL, note text, home text);"
	plainRow = "INSERT INTO cats VALUES (1, 'old', NULL, 'old')"
	kennels  = "CREATE TABLE kennels (id int PRIMARY KEY, reserved_by text, reserved_until timestamptz);"
	jobs     = "CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL, worker text, note text);"
	jobRow   = "INSERT INTO jobs VALUES (1, 'ready', NULL, NULL)"
	worker   = "SELECT coalesce(worker, '-') FROM jobs"
)

var later = time.Now().Add(time.Hour)

func day(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }

// sqlState returns the code of PostgreSQL's error, or "".
func sqlState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// callers are ann and bob, who have read the same row.
func callers(same values, param string) (a, b values) {
	a, b = values{param: "ann"}, values{param: "bob"}
	for name, value := range same {
		a[name], b[name] = value, value
	}
	return a, b
}

// race is a case in which ann writes first and bob overwrites her write, or does not.
func race(c advised, param string, same values) advised {
	c.a, c.b = callers(same, param)
	c.lost, c.closed = "bob", "ann"
	return c
}

var suggestions = []advised{
	race(advised{name: "an update", kind: rules.CheckVersion, schema: dogs, rows: dogRow, check: dogName,
		queries: "-- name: A :exec\nUPDATE dogs SET name = @name WHERE id = @id;"},
		"name", values{"id": 1, "version": 1}),
	race(advised{name: "an OR, a comment and RETURNING", kind: rules.CheckVersion,
		schema: dogs, rows: dogRow, check: dogName,
		queries: "-- name: A :one\nUPDATE dogs SET name = @name -- now\n" +
			"WHERE id = @id AND (note = 'x' OR id > 0) -- here\nRETURNING *;"}, "name", values{"id": 1, "version": 1}),
	race(advised{name: "a parameter of that name", kind: rules.CheckVersion, schema: dogs, rows: dogRow, check: dogName,
		queries: "-- name: A :exec\n" +
			"UPDATE dogs SET name = sqlc.arg('name'), note = sqlc.arg(version)::text WHERE id = @id;"},
		"name", values{"id": 1, "version": "x", "old_version": 1}),
	race(advised{name: "positions", kind: rules.CheckVersion, schema: dogs, rows: dogRow, check: dogName,
		queries: "-- name: A :exec\nUPDATE dogs SET name = $2 WHERE id = $1;"}, "2", values{"1": 1, "3": 1}),
	race(advised{name: "another table", kind: rules.CheckVersion,
		schema: dogs + "CREATE TABLE toys (dog int, version int);",
		rows:   dogRow + "; INSERT INTO toys VALUES (1, 9)", check: dogName,
		queries: "-- name: A :exec\nUPDATE dogs AS d SET name = @name FROM toys t WHERE t.dog = d.id AND d.id = @id;"},
		"name", values{"id": 1, "version": 1}),
	race(advised{name: "a version that moves already", kind: rules.CheckVersion,
		schema: dogs, rows: dogRow, check: dogName,
		queries: "-- name: A :exec\nUPDATE dogs SET name = @name, version = version + 1 WHERE id = @id;"},
		"name", values{"id": 1, "version": 1}),
	race(advised{name: "a version that a trigger moves", kind: rules.CheckVersion, rows: dogRow, check: dogName,
		schema: dogs + `CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.version := OLD.version + 1; RETURN NEW; END $$;
CREATE TRIGGER bump BEFORE UPDATE ON dogs FOR EACH ROW EXECUTE FUNCTION bump();`,
		queries: "-- name: A :exec\nUPDATE dogs SET name = @name WHERE id = @id;"},
		"name", values{"id": 1, "version": 1}),
	race(advised{name: "an upsert", kind: rules.CheckVersion, schema: dogs, rows: dogRow, check: dogName,
		queries: "-- name: A :exec\n" +
			"INSERT INTO dogs (id, name) VALUES (@id, @name) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name " +
			"RETURNING id;"}, "name", values{"id": 1, "version": 1}),
	race(advised{name: "an upsert with a condition", kind: rules.CheckVersion,
		schema: dogs, rows: dogRow, check: dogName,
		queries: "-- name: A :exec\n" +
			"INSERT INTO dogs AS d (id, name) VALUES (@id, @name) ON CONFLICT (id) DO UPDATE SET name = " +
			"EXCLUDED.name WHERE d.name IS DISTINCT FROM EXCLUDED.name;"}, "name", values{"id": 1, "version": 1}),
	race(advised{name: "a CTE", kind: rules.CheckVersion, schema: dogs, rows: dogRow, check: dogName,
		queries: "-- name: A :one\n" +
			"WITH u AS (UPDATE dogs SET name = @name WHERE id = @id RETURNING id) SELECT count(*) FROM u;"},
		"name", values{"id": 1, "version": 1}),
	race(advised{name: "a no-op guard", kind: rules.CheckVersion, schema: dogs, rows: dogRow, check: dogName,
		queries: "-- name: A :exec\nUPDATE dogs SET name = @name WHERE id = @id AND name IS DISTINCT FROM @name;"},
		"name", values{"id": 1, "version": 1}),

	race(advised{name: "no equality", kind: rules.AddVersion,
		schema: "CREATE TABLE cats (id int PRIMARY KEY, data json);", rows: "INSERT INTO cats VALUES (1, '\"old\"')",
		check:   "SELECT data #>> '{}' FROM cats",
		queries: "-- name: A :exec\nUPDATE cats SET data = to_json(@data::text) WHERE id = @id;"},
		"data", values{"id": 1, "version": 1}),
	race(advised{name: "a version that is a text", kind: rules.AddVersion,
		schema: "CREATE TABLE cats (id int PRIMARY KEY, version text, a json, name text);",
		rows:   "INSERT INTO cats VALUES (1, 'v1')", check: "SELECT name FROM cats",
		queries: "-- name: A :exec\nUPDATE cats SET name = @name, a = @a WHERE id = @id;"},
		"name", values{"id": 1, "a": "{}", "revision": 1}),
	race(advised{name: "many columns", kind: rules.AddVersion,
		schema: "CREATE TABLE \"Cats\" (id int PRIMARY KEY, a text, b text, c text, d text);",
		rows:   "INSERT INTO \"Cats\" VALUES (1)", check: "SELECT d FROM \"Cats\"",
		queries: "-- name: A :exec\nUPDATE \"Cats\" SET a = @x, b = @x, c = @x, d = @x WHERE id = @id;"},
		"x", values{"id": 1, "version": 1}),

	race(advised{name: "until the caller's time", kind: rules.CheckLease, schema: kennels,
		rows: "INSERT INTO kennels VALUES (1)", check: "SELECT reserved_by FROM kennels",
		queries: "-- name: A :exec\nUPDATE kennels SET reserved_by = @by, reserved_until = @until WHERE id = @id;"},
		"by", values{"id": 1, "until": later}),
	race(advised{name: "an owner's lease", kind: rules.CheckLease,
		schema: "CREATE TABLE kennels (id int PRIMARY KEY, lease_owner text, lease_expiry timestamptz);",
		rows:   "INSERT INTO kennels VALUES (1)", check: "SELECT lease_owner FROM kennels",
		queries: "-- name: A :exec\nUPDATE kennels SET lease_owner = $2, lease_expiry = $3 WHERE id = $1;"},
		"2", values{"1": 1, "3": later}),
	race(advised{name: "for an interval", kind: rules.CheckLease, schema: kennels,
		rows:  "INSERT INTO kennels VALUES (1, 'old', now() - interval '1 day')",
		check: "SELECT reserved_by FROM kennels",
		queries: "-- name: A :exec\n" +
			"UPDATE kennels SET reserved_by = @by, reserved_until = now() + @lease::interval WHERE id = @id;"},
		"by", values{"id": 1, "lease": "1 hour"}),
	race(advised{name: "without an end", kind: rules.CheckLease, schema: jobs, rows: jobRow, check: worker,
		queries: "-- name: A :exec\nUPDATE jobs SET worker = @by, state = 'running' WHERE id = @id;"},
		"by", values{"id": 1}),
	race(advised{name: "a holder that is never null", kind: rules.CheckLease,
		schema: "CREATE TABLE kennels (id int PRIMARY KEY, held_by text NOT NULL, held_until timestamptz NOT NULL);",
		rows:   "INSERT INTO kennels VALUES (1, 'old', '-infinity')", check: "SELECT held_by FROM kennels",
		queries: "-- name: A :exec\nUPDATE kennels SET held_by = @by, held_until = @until WHERE id = @id;"},
		"by", values{"id": 1, "until": later}),
	race(advised{name: "an upsert", kind: rules.CheckLease, schema: kennels, rows: "INSERT INTO kennels VALUES (1)",
		check: "SELECT reserved_by FROM kennels",
		queries: "-- name: A :exec\n" +
			"INSERT INTO kennels VALUES (@id, @by, now() + interval '1 hour') ON CONFLICT (id) DO UPDATE SET " +
			"reserved_by = EXCLUDED.reserved_by, reserved_until = EXCLUDED.reserved_until;"}, "by", values{"id": 1}),

	race(advised{name: "by whom and when", kind: rules.CheckFirst,
		schema: "CREATE TABLE vouchers (id int PRIMARY KEY, redeemed_by text, redeemed_at timestamptz);",
		rows:   "INSERT INTO vouchers VALUES (1)", check: "SELECT redeemed_by FROM vouchers",
		queries: "-- name: A :exec\nUPDATE vouchers SET redeemed_at = now(), redeemed_by = @u WHERE id = @id;"},
		"u", values{"id": 1}),
	race(advised{name: "a guard that is true again", kind: rules.CheckFirst,
		schema: "CREATE TABLE vouchers (id int PRIMARY KEY, redeemed_by text, redeemed_at timestamptz);",
		rows:   "INSERT INTO vouchers VALUES (1)", check: "SELECT redeemed_by FROM vouchers",
		queries: "-- name: A :exec\n" +
			"UPDATE vouchers SET redeemed_at = clock_timestamp(), redeemed_by = @u WHERE id = @id AND (redeemed_by " +
			"IS NULL OR redeemed_at < clock_timestamp());"}, "u", values{"id": 1}),

	race(advised{name: "a column", kind: rules.CheckOldValues, schema: plain,
		rows: plainRow, check: "SELECT name FROM cats",
		queries: "-- name: A :exec\nUPDATE cats SET name = @name WHERE id = @id;"},
		"name", values{"id": 1, "old_name": "old"}),
	race(advised{name: "a column that may be null", kind: rules.CheckOldValues, schema: plain,
		rows: plainRow, check: "SELECT note FROM cats",
		queries: "-- name: A :exec\nUPDATE cats SET note = @note WHERE id = @id;"},
		"note", values{"id": 1, "old_note": nil}),
	race(advised{name: "one of several columns", kind: rules.CheckOldValues, schema: plain,
		rows: plainRow, check: "SELECT home FROM cats",
		queries: "-- name: A :exec\nUPDATE cats SET name = @name, home = @home WHERE id = @id;"}, "home",
		values{"id": 1, "name": "old", "old_name": "old", "old_home": "old"}),
	race(advised{name: "positions", kind: rules.CheckOldValues, schema: plain,
		rows: plainRow, check: "SELECT home FROM cats",
		queries: "-- name: A :exec\nUPDATE cats SET name = $1, home = $2 WHERE id = $3;"}, "2",
		values{"3": 1, "1": "old", "4": "old", "5": "old"}),
	race(advised{name: "a lease without a time zone", kind: rules.CheckOldValues,
		schema: "CREATE TABLE kennels (id int PRIMARY KEY, lease_owner text, lease_expiry timestamp);",
		rows:   "INSERT INTO kennels VALUES (1)", check: "SELECT lease_owner FROM kennels",
		queries: "-- name: A :exec\nUPDATE kennels SET lease_owner = $2, lease_expiry = $3 WHERE id = $1;"},
		"2", values{"1": 1, "3": later, "4": nil, "5": nil}),
	race(advised{name: "a patch", kind: rules.CheckOldValues, schema: plain,
		rows: plainRow, check: "SELECT name FROM cats",
		queries: "-- name: A :exec\nUPDATE cats SET name = COALESCE(sqlc.narg('name'), name) WHERE id = @id;"},
		"name", values{"id": 1, "old_name": "old"}),
	race(advised{name: "quoted names", kind: rules.CheckOldValues,
		schema: `CREATE TABLE "Cats" ("Id" int PRIMARY KEY, "ownerName" text, "order" text);`,
		rows:   `INSERT INTO "Cats" VALUES (1, 'old', 'old')`, check: `SELECT "ownerName" FROM "Cats"`,
		queries: "-- name: A :exec\nUPDATE \"Cats\" SET \"ownerName\" = @name, \"order\" = @o WHERE \"Id\" = @id;"},
		"name", values{"id": 1, "o": "old", "old_owner_name": "old", "old_order": "old"}),
	race(advised{name: "an enum called version", kind: rules.CheckOldValues,
		schema: "CREATE TYPE v AS ENUM ('old', 'ann', 'bob'); CREATE TABLE cats (id int PRIMARY KEY, version v " +
			"NOT NULL);", rows: "INSERT INTO cats VALUES (1, 'old')", check: "SELECT version::text FROM cats",
		queries: "-- name: A :exec\nUPDATE cats SET version = @v WHERE id = @id;"},
		"v", values{"id": 1, "old_version": "old"}),
	race(advised{name: "a field", kind: rules.CheckOldValues,
		schema: "CREATE TYPE address AS (city text); CREATE TABLE cats (id int PRIMARY KEY, home address);",
		rows:   "INSERT INTO cats VALUES (1, row('old'))", check: "SELECT (home).city FROM cats",
		queries: "-- name: A :exec\nUPDATE cats SET home.city = @city WHERE id = @id;"},
		"city", values{"id": 1, "old_city": "old"}),
	race(advised{name: "behind a test that both pass", kind: rules.CheckOldValues, schema: plain,
		rows: "INSERT INTO cats VALUES (1, 'old', NULL, 'old')", check: "SELECT name FROM cats",
		queries: "-- name: A :execrows\nUPDATE cats SET name = @name WHERE id = @id AND note IS NULL;\n" +
			"-- name: B :exec\nUPDATE cats SET note = @note WHERE id = @id;"},
		"name", values{"id": 1, "old_name": "old"}),

	{name: "a step from elsewhere", kind: rules.CheckBefore, schema: jobs, rows: jobRow,
		check: "SELECT state FROM jobs", lost: "running", closed: "canceled", against: "Cancel",
		queries: "-- name: Start :exec\nUPDATE jobs SET state = 'running' WHERE id = @id;\n-- name: Cancel :exec\n" +
			"UPDATE jobs SET state = 'canceled' WHERE id = @id;",
		a: values{"id": 1}, b: values{"id": 1, "before": []string{"ready"}}},
	{name: "an enum, beside a time", kind: rules.CheckBefore,
		schema: "CREATE TYPE s AS ENUM ('new', 'on', 'off'); CREATE TABLE jobs (id int PRIMARY KEY, state s, " +
			"ended_at timestamptz);", rows: "INSERT INTO jobs VALUES (1, 'new')", check: "SELECT state::text FROM jobs",
		lost: "on", closed: "off", against: "Off",
		queries: "-- name: On :exec\nUPDATE jobs SET state = 'on', ended_at = @at WHERE id = @id;\n" +
			"-- name: Off :exec\nUPDATE jobs SET state = 'off' WHERE id = @id;",
		a: values{"id": 1}, b: values{"id": 1, "at": later, "before": []string{"new"}}},

	{name: "an update", kind: rules.MoveForward, schema: "CREATE TABLE feeds (id int PRIMARY KEY, last_seq bigint);",
		rows: "INSERT INTO feeds VALUES (1)", check: "SELECT last_seq::text FROM feeds", lost: "5", closed: "9",
		queries: "-- name: A :exec\nUPDATE feeds SET last_seq = @seq WHERE id = @id;",
		a:       values{"id": 1, "seq": 9}, b: values{"id": 1, "seq": 5}},
	{name: "an upsert of two", kind: rules.MoveForward,
		schema: "CREATE TABLE feeds (id int PRIMARY KEY, watermark int, as_of date);",
		rows:   "INSERT INTO feeds VALUES (1)", check: "SELECT watermark || ' ' || as_of FROM feeds",
		lost: "5 2001-01-01", closed: "9 2001-01-01",
		queries: "-- name: A :exec\n" +
			"INSERT INTO feeds (id, watermark, as_of) VALUES (@id, @w, coalesce(@d::date, now())) ON CONFLICT (id) " +
			"DO UPDATE SET watermark = EXCLUDED.watermark, as_of = EXCLUDED.as_of;",
		a: values{"id": 1, "w": 9, "d": day(2000)}, b: values{"id": 1, "w": 5, "d": day(2001)}},

	{name: "a missing parameter", kind: rules.RequireGuard, schema: dogs, rows: dogRow,
		check: dogName, lost: "bob", closed: "ann",
		a: values{"id": 1, "name": "ann", "v": 1}, b: values{"id": 1, "name": "bob", "v": nil},
		queries: "-- name: A :exec\n" +
			"UPDATE dogs SET name = @name, version = version + 1 WHERE id = @id AND (sqlc.narg('v')::int IS NULL OR " +
			"version = sqlc.narg('v'));\n"},
	{name: "a zero", kind: rules.RequireGuard, schema: dogs, rows: dogRow, check: dogName, lost: "bob", closed: "ann",
		a: values{"id": 1, "name": "ann", "v": 1}, b: values{"id": 1, "name": "bob", "v": 0},
		queries: "-- name: A :exec\n" +
			"UPDATE dogs SET name = @name, version = version + 1 WHERE id = @id AND (@v::int = 0 OR version = " +
			"@v::int);\n"},
	{name: "its own default", kind: rules.RequireGuard, schema: dogs, rows: dogRow,
		check: dogName, lost: "bob", closed: "ann",
		a: values{"id": 1, "name": "ann", "v": 1}, b: values{"id": 1, "name": "bob", "v": nil},
		queries: "-- name: A :exec\n" +
			"UPDATE dogs SET name = @name, version = version + 1 WHERE id = @id AND version = " +
			"COALESCE(sqlc.narg('v')::int, version);\n"},

	race(advised{name: "EXISTS", kind: rules.RepeatTest, schema: jobs, rows: jobRow, check: worker,
		queries: "-- name: A :exec\n" +
			"UPDATE jobs SET worker = @by, state = 'running' WHERE id = @id AND EXISTS (SELECT 1 FROM jobs j WHERE " +
			"j.id = jobs.id AND j.state = 'ready');"}, "by", values{"id": 1}),
	race(advised{name: "IN", kind: rules.RepeatTest, schema: jobs, rows: jobRow, check: worker,
		queries: "-- name: A :exec\n" +
			"UPDATE jobs SET worker = @by, state = 'running' WHERE id IN (SELECT j.id FROM jobs j WHERE j.state = " +
			"'ready' OR j.state = sqlc.arg(state));"}, "by", values{"state": "waiting"}),
	race(advised{name: "the table twice", kind: rules.RepeatTest, schema: jobs, rows: jobRow, check: worker,
		queries: "-- name: A :exec\n" +
			"UPDATE jobs SET worker = @by, state = 'running' FROM jobs old WHERE jobs.id = old.id AND old.state = " +
			"'ready' AND jobs.id = @id;"}, "by", values{"id": 1}),
	race(advised{name: "test, then lock", kind: rules.RepeatTest, schema: jobs + "CREATE TABLE runs (job int, id int);",
		rows: jobRow + "; INSERT INTO runs VALUES (1, 1)", check: worker,
		queries: `-- name: A :exec
WITH free AS (SELECT id FROM jobs WHERE state = 'ready'),
locked AS (SELECT j.id FROM jobs j JOIN free ON free.id = j.id ORDER BY j.id FOR UPDATE OF j)
UPDATE jobs SET worker = @by, state = 'running' FROM locked JOIN runs r ON r.job = locked.id
    WHERE jobs.id = locked.id;`}, "by", values{}),
	{name: "a delete", kind: rules.RepeatTest, schema: jobs, rows: jobRow, check: "SELECT count(*)::text FROM jobs",
		lost: "0", closed: "1", against: "Start",
		queries: "-- name: Drop :execrows\n" +
			"DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state = 'ready');\n-- name: Start :exec\n" +
			"UPDATE jobs SET state = 'running' WHERE id = @id;",
		a: values{"id": 1}},

	race(advised{name: "a test with a subselect", kind: rules.LockTested,
		schema: jobs + "CREATE TABLE ready (state text);",
		rows:   jobRow + "; INSERT INTO ready VALUES ('ready')", check: worker,
		queries: "-- name: A :exec\n" +
			"UPDATE jobs SET worker = @by, state = 'running' WHERE id IN (SELECT j.id FROM jobs j WHERE j.state IN " +
			"(SELECT state FROM ready));"}, "by", values{}),
	race(advised{name: "a join", kind: rules.LockTested, schema: jobs + "CREATE TABLE ready (state text);",
		rows: jobRow + "; INSERT INTO ready VALUES ('ready')", check: worker,
		queries: "-- name: A :exec\n" +
			"UPDATE jobs SET worker = @by, state = 'running' WHERE id IN (SELECT j.id FROM jobs j JOIN ready r ON " +
			"r.state = j.state WHERE j.worker IS NULL);"}, "by", values{}),

	race(advised{name: "one row", kind: rules.TakeUnlocked, schema: jobs, rows: jobRow, check: worker,
		queries: "-- name: A :one\n" +
			"UPDATE jobs SET worker = @by, state = 'running' WHERE id = (SELECT id FROM jobs WHERE state = 'ready' " +
			"ORDER BY id LIMIT 1) RETURNING *;"}, "by", values{}),
	race(advised{name: "a CTE with a join", kind: rules.TakeUnlocked, schema: jobs + "CREATE TABLE queues (id int);",
		rows: jobRow + "; INSERT INTO queues VALUES (1)", check: worker,
		queries: "-- name: A :many\n" +
			"WITH next AS (SELECT j.id FROM jobs j JOIN queues q ON q.id = j.id WHERE j.state = 'ready' LIMIT @n) " +
			"UPDATE jobs SET worker = @by, state = 'running' FROM next WHERE jobs.id = next.id RETURNING jobs.*;"},
		"by", values{"n": 10}),

	{name: "another key", kind: rules.NameConflict,
		schema: "CREATE TABLE dogs (id int PRIMARY KEY, chip text UNIQUE, name text UNIQUE);", rows: "SELECT 1",
		check: "SELECT count(*)::text FROM dogs", lost: "1", closed: "1", refused: "23505",
		queries: "-- name: A :execrows\n" +
			"INSERT INTO dogs (id, chip, name) VALUES (@id, @chip, @name) ON CONFLICT DO NOTHING;",
		a: values{"id": 1, "chip": "x", "name": "a"}, b: values{"id": 2, "chip": "y", "name": "a"}},

	{name: "all rows", kind: rules.LimitRows, schema: "CREATE TABLE dogs (id int PRIMARY KEY);",
		rows: "INSERT INTO dogs SELECT generate_series(1, 100)", check: "SELECT count(*)::text FROM dogs",
		lost: "100", closed: "100",
		queries: "-- name: A :many\nSELECT * FROM dogs;", a: values{"max_rows": 10}, b: values{"max_rows": 10}},

	{name: "an update", kind: rules.AskForTenant, schema: "CREATE TABLE dogs (id int, tenant_id int, n int NOT NULL);",
		rows:  "INSERT INTO dogs VALUES (1, 1, 0), (1, 2, 0)",
		check: "SELECT sum(n)::text FROM dogs", lost: "4", closed: "2",
		queries: "-- name: A :execrows\nUPDATE dogs SET n = n + 1 WHERE id = @id OR n < 0;",
		a:       values{"id": 1, "tenant_id": 1}, b: values{"id": 1, "tenant_id": 2}},
	{name: "an upsert of what a SELECT gives", kind: rules.AskForTenant,
		schema: "CREATE TABLE dogs (id int, tenant_id int); CREATE TABLE seen (id int PRIMARY KEY, n int);",
		rows:   "INSERT INTO dogs VALUES (1, 1), (2, 2), (3, 3)",
		check:  "SELECT count(*)::text FROM seen", lost: "3", closed: "2",
		queries: "-- name: A :execrows\n" +
			"INSERT INTO seen (id, n) SELECT id, 1 FROM dogs WHERE id > @after ON CONFLICT (id) DO UPDATE SET n = " +
			"seen.n + 1;", a: values{"after": 0, "tenant_id": 1}, b: values{"after": 0, "tenant_id": 2}},
	{name: "a delete", kind: rules.AskForTenant, schema: "CREATE TABLE dogs (id int, tenant_id int);",
		rows:  "INSERT INTO dogs VALUES (1, 1), (1, 2), (1, 3)",
		check: "SELECT count(*)::text FROM dogs", lost: "0", closed: "1",
		queries: "-- name: A :execrows\n" +
			"DELETE FROM dogs USING (SELECT 1 AS one) AS o WHERE dogs.id = o.one RETURNING dogs.id;",
		a: values{"tenant_id": 1}, b: values{"tenant_id": 2}},
}
