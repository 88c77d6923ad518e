//go:build !race

package rules_test

import (
	"slices"
	"strings"
	"testing"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/verdict"
)

const orders = `
CREATE TABLE orders (
    id bigint PRIMARY KEY, owner_id bigint NOT NULL, slot int NOT NULL, kind text NOT NULL, dep bigint,
    state text NOT NULL, used boolean NOT NULL, used_at timestamptz, gone_at timestamptz, updated_at timestamptz,
    runs_until timestamptz, title text NOT NULL, last_event_id uuid, n int NOT NULL,
    UNIQUE (owner_id, slot));
CREATE TABLE tokens (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), serial bigserial UNIQUE, code text UNIQUE,
    label text);
CREATE TABLE marks (no bigint PRIMARY KEY, code text UNIQUE, mail text UNIQUE, label text);
`

// quiet are queries for which most possible findings would be noise, with those that are still reported.
var quiet = map[string]struct {
	queries string
	want    []string
}{
	"a snapshot's test, repeated on the locked row": {"-- name: A :execrows\n" +
		"WITH seen AS (SELECT id, dep FROM orders WHERE dep = ANY (@deps::bigint[]) AND owner_id IN (SELECT 1)),\n" +
		"locked AS (SELECT o.id FROM orders o JOIN seen s ON s.id = o.id WHERE o.dep = @dep AND o.state = 'new' " +
		"FOR UPDATE OF o)\nUPDATE orders SET state = 'x' FROM locked l WHERE l.id = orders.id;\n" +
		"-- name: B :execrows\nUPDATE orders SET dep = @dep WHERE id = @id AND dep IS NULL;", nil},
	"a caller's time alone": {"-- name: A :exec\nUPDATE orders SET updated_at = @at WHERE id = @id;", nil},
	"a caller's time beside fixed values": {
		"-- name: A :exec\nUPDATE orders SET state = 'x', used_at = @at WHERE id = @id;\n-- name: B :exec\n" +
			"UPDATE orders SET state = 'y' WHERE id = @id;",
		[]string{"unguarded-transition", "unguarded-transition"}},
	"a time that lies ahead": {"-- name: A :exec\nUPDATE orders SET runs_until = @until WHERE id = @id;",
		[]string{"blind-overwrite"}},
	"a caller's time behind a test": {"-- name: A :execrows\n" +
		"UPDATE orders SET updated_at = @at WHERE id = @id AND gone_at IS NULL;\n-- name: B :execrows\n" +
		"UPDATE orders SET gone_at = now() WHERE id = @id;", nil},
	"a cleanup": {"-- name: A :exec\nDELETE FROM orders WHERE gone_at < now();\n" +
		"-- name: B :execrows\nUPDATE orders SET gone_at = now() WHERE id = @id;", nil},
	"a delete of one row behind a test": {"-- name: A :exec\nDELETE FROM orders WHERE id = @id AND state = 'new';\n" +
		"-- name: B :execrows\nUPDATE orders SET state = 'x' WHERE id = @id AND state = 'new';",
		[]string{"silent-loss"}},
	"gone already": {"-- name: A :exec\nUPDATE orders SET gone_at = now() WHERE id = @id AND gone_at IS NULL;",
		nil},
	"gone already, NOT": {"-- name: A :exec\n" +
		"UPDATE orders SET state = 'gone', used = true, gone_at = now() WHERE id = @id AND gone_at IS NULL;", nil},
	"used already": {"-- name: A :exec\nUPDATE orders SET used_at = now() WHERE id = @id AND used_at IS NULL;",
		[]string{"silent-loss"}},
	"used, a switch": {"-- name: A :exec\nUPDATE orders SET used = true WHERE id = @id AND NOT used;",
		[]string{"silent-loss"}},
	"one finding for an overwrite behind a test": {"-- name: A :exec\n" +
		"UPDATE orders SET title = @title WHERE id = @id AND gone_at IS NULL;\n-- name: B :execrows\n" +
		"UPDATE orders SET gone_at = now() WHERE id = @id AND gone_at IS NULL;",
		[]string{"liveness-overwrite"}},
	"true again after the write": {"-- name: A :execrows\n" +
		"UPDATE orders SET state = 'on', title = @title WHERE id = @id AND state <> 'off';\n-- name: B :execrows\n" +
		"UPDATE orders SET state = 'off' WHERE id = @id AND state = 'on';",
		[]string{"liveness-overwrite"}},
	"not null, and equal": {"-- name: A :exec\n" +
		"UPDATE orders SET n = n + 1 WHERE dep = @dep AND dep IS NOT NULL AND kind = @kind AND kind IS NOT NULL;", nil},
	"not null alone": {"-- name: A :exec\n" +
		"UPDATE orders SET n = n + 1 WHERE dep = @dep AND kind IS NOT NULL;", []string{"tautology-guard"}},
	"a UUID is no place": {"-- name: A :exec\nUPDATE orders SET last_event_id = @event WHERE id = @id;",
		[]string{"blind-overwrite"}},
	"keys that fill themselves": {"-- name: A :exec\n" +
		"INSERT INTO tokens (code, label) VALUES (@code, @label) ON CONFLICT DO NOTHING;", nil},
	"a key filled in the query": {"-- name: A :exec\n" +
		"INSERT INTO tokens (id, code) SELECT gen_random_uuid(), @code ON CONFLICT DO NOTHING;", nil},
	"a key that the caller brings": {"-- name: A :exec\n" +
		"INSERT INTO tokens (id, code) VALUES (@id, @code) ON CONFLICT DO NOTHING;", []string{"untargeted-do-nothing"}},

	"parts that exclude each other": {`-- name: A :execrows
WITH off AS (UPDATE orders SET used = false WHERE owner_id = @owner AND slot <> @slot RETURNING id)
UPDATE orders SET used = true WHERE owner_id = @owner AND slot = @slot;`, nil},
	"parts that name two constants": {`-- name: A :execrows
WITH a AS (UPDATE orders SET n = 1 WHERE owner_id = @owner AND kind = 'a' RETURNING id)
UPDATE orders SET n = 2 WHERE owner_id = @owner AND kind = 'b';`, nil},
	"null, and not null": {`-- name: A :execrows
WITH a AS (UPDATE orders SET n = 1 WHERE owner_id = @owner AND dep IS NULL)
UPDATE orders SET n = 2 WHERE owner_id = @owner AND dep = @dep;`, nil},
	"two halves": {`-- name: A :execrows
WITH a AS (DELETE FROM orders WHERE owner_id = @owner AND n < @n)
UPDATE orders SET n = n - @n WHERE owner_id = @owner AND NOT (n < @n);`, nil},
	"behind CTEs that exclude each other": {`-- name: A :execrows
WITH new AS (SELECT id FROM orders WHERE state = 'new' FOR UPDATE),
old AS (SELECT id FROM orders WHERE state <> 'new' FOR UPDATE),
a AS (DELETE FROM orders USING old WHERE orders.id = old.id)
UPDATE orders SET state = 'old', n = n + 1 FROM new WHERE orders.id = new.id;`, nil},
	"the second where the first found none": {`-- name: A :execrows
WITH a AS (UPDATE orders SET n = n + 1 WHERE owner_id = @owner AND kind = @kind RETURNING id)
UPDATE orders SET n = n + 2 WHERE owner_id = @owner AND NOT EXISTS (SELECT FROM a);`, nil},
	"the second without the first's": {`-- name: A :execrows
WITH a AS (UPDATE orders SET n = n + 1 WHERE owner_id = @owner AND kind = @kind RETURNING id)
UPDATE orders SET n = n + 2 WHERE owner_id = @owner AND id NOT IN (SELECT id FROM a);`, nil},
	"the second where the first counts none": {`-- name: A :execrows
WITH a AS (UPDATE orders SET n = n + 1 WHERE owner_id = @owner AND kind = @kind RETURNING id)
UPDATE orders SET n = n + 2 WHERE owner_id = @owner AND (SELECT count(*) FROM a) = 0;`, nil},
	"new rows of what the first returned": {`-- name: A :execrows
WITH a AS (UPDATE orders SET n = n + 1 WHERE owner_id = @owner RETURNING *)
INSERT INTO orders (id, owner_id, slot, kind, state, used, title, n)
SELECT @new_id, owner_id, slot + 100, kind, state, used, title, 0 FROM a
ON CONFLICT (owner_id, slot) DO UPDATE SET n = orders.n + 1;`, nil},
	"all but what is put": {`-- name: A :execrows
WITH gone AS (DELETE FROM marks WHERE code <> ALL (@codes::text[]))
INSERT INTO marks (no, code) SELECT unnest(@nos::bigint[]), unnest(@codes::text[]) ON CONFLICT (code) DO UPDATE
    SET mail = marks.mail || '!';`, nil},
	"put what is listed, drop the rest": {`-- name: A :execrows
WITH input AS (SELECT unnest(@nos::bigint[]) AS no, unnest(@codes::text[]) AS code),
put AS (INSERT INTO marks (no, code) SELECT no, code FROM input ON CONFLICT (code) DO UPDATE
    SET mail = marks.mail || '!' RETURNING no)
DELETE FROM marks WHERE NOT EXISTS (SELECT FROM input WHERE input.code = marks.code);`, nil},
	"take some, drop the others": {`-- name: A :execrows
WITH first AS (SELECT id FROM orders WHERE owner_id = @owner LIMIT 3),
others AS (SELECT id FROM orders WHERE owner_id = @owner AND id NOT IN (SELECT id FROM first) FOR UPDATE),
gone AS (DELETE FROM orders USING others WHERE orders.id = others.id)
UPDATE orders SET n = n + 1 FROM first WHERE orders.id = first.id;`, nil},
	"a cleanup by UPDATE": {"-- name: A :exec\n" +
		"UPDATE orders SET state = 'late' WHERE owner_id = @owner AND state = 'new' AND runs_until < now();", nil},
	"a claim that nobody awaits": {`-- name: A :exec
WITH l AS (SELECT id FROM orders WHERE state = 'new' FOR UPDATE SKIP LOCKED) UPDATE orders SET state = 'late' FROM l
    WHERE orders.id = l.id;`, nil},
	"the newest wins": {"-- name: A :exec\nUPDATE orders SET n = @n WHERE id = @id AND (n IS NULL OR @n > n);",
		nil},
	"a throttled time": {"-- name: A :exec\n" +
		"UPDATE orders SET used_at = now() WHERE id = @id AND (used_at IS NULL OR used_at < now() - interval '1 " +
		"minute');", nil},
	"one row, taken": {"-- name: A :exec\n" +
		"UPDATE orders SET state = 'taken' WHERE id = @id AND state = 'new';", []string{"silent-loss"}},
	"a read of groups": {"-- name: A :many\nSELECT kind, count(*) FROM orders GROUP BY kind;", nil},
	"a counter put back": {"-- name: A :exec\nUPDATE orders SET n = 0 WHERE id = @id;\n-- name: B :exec\n" +
		"UPDATE orders SET n = n + 1 WHERE id = @id;", nil},
	"keys without a value": {"-- name: A :exec\n" +
		"INSERT INTO marks (no, label) VALUES (@no, @label) ON CONFLICT DO NOTHING;", nil},
	"the schema's own tables": {"-- name: A :many\nSELECT schema_name::text FROM information_schema.schemata;", nil},
	"PostgreSQL's own tables": {"-- name: A :many\n" +
		"SELECT relname FROM pg_stat_user_tables s WHERE s.schemaname = 'public';", nil},
	"a search by any of some": {"-- name: A :execrows\n" +
		"DELETE FROM orders WHERE (id = sqlc.narg('id') OR sqlc.narg('id') IS NULL) AND (state = sqlc.narg('state') " +
		"OR sqlc.narg('state') IS NULL);\n-- name: B :execrows\n" +
		"UPDATE orders SET state = @state WHERE id = @id AND state = @old;", nil},
	"an optional guard of one": {"-- name: A :execrows\n" +
		"DELETE FROM orders WHERE id = @id AND (state = sqlc.narg('state') OR sqlc.narg('state') IS NULL);\n" +
		"-- name: B :execrows\nUPDATE orders SET state = @state WHERE id = @id AND state = @old;",
		[]string{"optional-guard"}},
	"a CASE that guards by itself": {`-- name: A :execrows
UPDATE orders SET state = CASE WHEN state = 'on' THEN @to ELSE state END, n = n + 1 WHERE id = @id
    AND (state = 'on' OR @count::boolean);`, nil},
	"a switch and a form": {"-- name: A :exec\nUPDATE orders SET used = true WHERE id = @id;\n-- name: B :execrows\n" +
		"UPDATE orders SET used = @used WHERE id = @id AND used = @old;", nil},
	"parts that may meet": {`-- name: A :execrows
WITH a AS (UPDATE orders SET n = n + 1 WHERE owner_id = @owner AND kind = @kind)
UPDATE orders SET n = n + 2 WHERE owner_id = @owner AND slot <> @slot;`, []string{"written-twice"}},
	"parts that meet where the caller says so": {`-- name: A :execrows
WITH a AS (UPDATE orders SET n = n + 1 WHERE owner_id = @owner AND kind = @a)
UPDATE orders SET n = n + 2 WHERE owner_id = @owner AND kind = @b;`, []string{"written-twice"}},
	"the same row from the first": {`-- name: A :execrows
WITH a AS (UPDATE orders SET n = n + 1 WHERE owner_id = @owner RETURNING id)
UPDATE orders SET n = orders.n + 2 FROM a WHERE orders.id = a.id;`, []string{"written-twice"}},

	"a CASE that asks the snapshot": {`-- name: A :execrows
WITH seen AS (SELECT n FROM orders WHERE id = @id)
INSERT INTO orders (id, title, n) VALUES (@id, @title, 0)
ON CONFLICT (id) DO UPDATE SET n = orders.n + 1,
    title = CASE WHEN (SELECT n FROM seen) = @n THEN EXCLUDED.title ELSE orders.title END;`, []string{"stale-test"}},
	"an upsert of rows read without a lock": {`-- name: A :execrows
WITH seen AS (SELECT id FROM orders WHERE id = @id AND n = @n)
INSERT INTO orders (id, title, n) SELECT id, @title, 1 FROM seen ON CONFLICT (id) DO UPDATE
    SET title = EXCLUDED.title, n = orders.n + 1;`, []string{"stale-test"}},
	"a lock of something else beside a stale test": {`-- name: A :execrows
WITH free AS (SELECT id FROM orders WHERE state = 'new'),
held AS (SELECT o.id FROM orders o JOIN free ON free.id = o.id WHERE o.n > 0 FOR UPDATE OF o)
UPDATE orders SET state = 'on', title = @title FROM held WHERE orders.id = held.id;
-- name: B :execrows
UPDATE orders SET n = n + 1 WHERE id = @id;`, []string{"stale-test"}},
	"all rows by TRUNCATE": {"-- name: A :exec\nTRUNCATE orders, marks;",
		[]string{"unbounded-write", "unbounded-write"}},
}

func TestFindingsWithoutNoise(t *testing.T) {
	t.Parallel()
	for name, c := range quiet {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := check(t, orders, c.queries, &rules.Options{}); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// found returns the findings of queries against a schema.
func found(t *testing.T, schema, queries string) []rules.Finding {
	t.Helper()
	db, errs := verdict.Judge(&project.Database{
		Schema:  project.Statements(project.NewFile("schema.sql", schema)),
		Queries: project.Queries(project.NewFile("queries.sql", queries)),
	}, verdict.Options{})
	for _, err := range errs {
		t.Fatal(err)
	}
	return rules.Check(db, &rules.Options{})
}

// TestAVersionOfSomethingElseIsNoLock: a column named version that describes the row, and that no write
// increments, is no lock.
func TestAVersionOfSomethingElseIsNoLock(t *testing.T) {
	t.Parallel()
	for column, lock := range map[string]bool{
		"version int NOT NULL": false, "version int NOT NULL DEFAULT 1": true,
		"version text NOT NULL DEFAULT '1'": false, "version int": false,
	} {
		schema := "CREATE TABLE assets (id int PRIMARY KEY, name text NOT NULL, " + column + ");"
		all := found(t, schema, "-- name: A :exec\nUPDATE assets SET name = @name WHERE id = @id;")
		if len(all) != 1 || (all[0].Advice.Kind == rules.CheckVersion) != lock {
			t.Errorf("%s: got %+v", column, all)
		}
	}
	all := found(t, "CREATE TABLE assets (id int PRIMARY KEY, name text NOT NULL, version int NOT NULL DEFAULT 0);",
		"-- name: A :exec\nUPDATE assets SET name = @name WHERE id = @id;\n-- name: B :execrows\n"+
			"UPDATE assets SET version = @version WHERE id = @id AND version = @old;")
	if len(all) != 1 || all[0].Advice.Kind == rules.CheckVersion {
		t.Errorf("a version that a caller sets: got %+v", all)
	}
}

// TestNoSuggestionForManyRows: the version that a caller read of one row says nothing of other rows.
func TestNoSuggestionForManyRows(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"UPDATE orders SET title = @title WHERE owner_id = @owner;",
		"UPDATE orders SET title = @title WHERE id = ANY (@ids::bigint[]);",
		"UPDATE orders SET title = v.title FROM (SELECT unnest(@ids::bigint[]) AS id, unnest(@titles::text[]) AS " +
			"title) v WHERE v.id = orders.id;",
		"MERGE INTO orders o USING (SELECT @id::bigint AS id) s ON o.id = s.id WHEN MATCHED THEN UPDATE SET title = " +
			"@title;",
	} {
		for _, f := range found(t, orders, "-- name: A :exec\n"+query) {
			if f.Rule.ID == "blind-overwrite" && f.Advice != nil {
				t.Errorf("%s\n%s", query, f.Advice.Text)
			}
		}
	}
}

// said are queries, and the text of their first finding.
var said = map[string]struct{ queries, want string }{
	"nothing else": {"-- name: A :exec\nUPDATE orders SET title = @title WHERE id = @id;",
		"by primary key (id) alone."},
	"a fixed column": {"-- name: A :exec\nUPDATE orders SET title = @title WHERE id = @id AND kind = @kind;",
		"alone: kind never changes."},
	"an owner": {"-- name: A :exec\nUPDATE orders SET title = @title WHERE id = @id AND owner_id = @o;\n" +
		"-- name: B :execrows\nUPDATE orders SET owner_id = @to WHERE id = @id AND owner_id = @o;",
		"alone: owner_id identifies the owner of the row, not its state."},
	"another table": {"-- name: A :exec\n" +
		"UPDATE orders SET title = @title FROM marks m WHERE orders.id = @id AND m.code = @code;",
		"alone: conditions on other tables are not tested again after a lock wait."},
	"true again": {"-- name: A :exec\n" +
		"UPDATE orders SET title = @title, updated_at = now() WHERE id = @id AND (updated_at < now() OR updated_at " +
		"IS NULL);", "alone: the test of updated_at is true again after the write."},
	"a lock beyond": {"-- name: A :exec\n" +
		"WITH f AS (SELECT id FROM orders WHERE state = 'x'), l AS (SELECT o.id FROM orders o JOIN f USING (id) FOR " +
		"UPDATE OF o) UPDATE orders SET state = 'y', title = @t FROM l WHERE orders.id = l.id;",
		"The lock in the statement comes too late"},
	"a lock of another": {"-- name: A :exec\n" +
		"WITH l AS (SELECT no FROM marks FOR UPDATE) UPDATE orders SET state = 'y', title = @t FROM l WHERE " +
		"orders.id IN (SELECT id FROM orders WHERE state = 'x');",
		"The lock in the statement is on other tables than orders."},
	"a lock before": {"-- name: A :exec\nUPDATE orders SET title = @title WHERE id = @id;\n" +
		"-- name: LockOrder :one\nSELECT * FROM orders WHERE id = @id FOR UPDATE;",
		`-- @write blind reason="…" locked-by=LockOrder`},
	"a lock by another key": {"-- name: A :exec\nUPDATE orders SET title = @title WHERE id = @id;\n" +
		"-- name: LockOrder :one\nSELECT * FROM orders WHERE owner_id = @o FOR UPDATE;", "one of the two writes is " +
		"lost."},
}

func TestWhatIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range said {
		all := found(t, orders, c.queries)
		if len(all) == 0 {
			t.Errorf("%s: there is no finding", name)
			continue
		}
		if text := strings.Join(all[0].Lines, " "); !strings.Contains(text, c.want) ||
			name == "a lock by another key" && !strings.HasSuffix(text, c.want) {
			t.Errorf("%s\n got %s\nwant %s", name, text, c.want)
		}
	}
}

// TestFindingsInAFunctionStayWhereItIsCalled: an offset in the function's body is not one in the query,
// and could fall into the next one.
func TestFindingsInAFunctionStayWhereItIsCalled(t *testing.T) {
	t.Parallel()
	schema := orders + `CREATE FUNCTION close(o bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- A long comment, so that what stands behind it is further on than the query's end.
    UPDATE orders SET n = n + 1, state = 'closed' WHERE id = o AND state = state;
    UPDATE orders SET title = 'x', state = 'void' WHERE id = o;
END $$;`
	all := found(t, schema, "-- name: Close :exec\nSELECT close(@o);\n\n-- name: Open :execrows\n"+
		"UPDATE orders SET state = 'open' WHERE id = @id AND state = 'new';\n")
	if len(all) < 2 {
		t.Fatalf("got %d findings", len(all))
	}
	for _, f := range all {
		if line, _ := f.Query.Place(f.Offset); f.Query.Name != "Close" || line != 2 {
			t.Errorf("%s of %s is placed in line %d", f.Rule.ID, f.Query.Name, line)
		}
		if f.Advice != nil && len(f.Advice.Edits) > 0 {
			t.Errorf("%s would edit the query for what its function does", f.Rule.ID)
		}
	}
}
