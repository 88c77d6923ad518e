//go:build !race

// Sequential code: the race detector checks it in the tests of cmd/sqlguard.

package rules_test

import (
	"slices"
	"testing"

	"waybill/cmd/sqlguard/rules"
)

const schema = `
CREATE TABLE jobs (
    id bigint PRIMARY KEY, tenant_id bigint NOT NULL, owner_id bigint REFERENCES owners, label text NOT NULL UNIQUE,
    state text NOT NULL, urgent boolean NOT NULL, n int NOT NULL, note text, last_seen_at timestamptz,
    version int NOT NULL);
CREATE TABLE owners (id bigint PRIMARY KEY, name text);
CREATE VIEW named AS SELECT j.id, j.tenant_id, o.name FROM jobs j JOIN owners o ON o.id = j.owner_id;
CREATE TABLE parts (tenant_id bigint NOT NULL, id bigint NOT NULL, job_id bigint, PRIMARY KEY (tenant_id, id));
CREATE FUNCTION put(j bigint, t text) RETURNS void LANGUAGE sql AS $$ UPDATE jobs SET note = t WHERE id = j $$;
`

// cases are queries and their findings with the schema above.
var cases = map[string]struct {
	queries string
	want    []string
}{
	"one finding for one overwrite": {
		`-- name: A :exec
UPDATE jobs SET note = @note, last_seen_at = @seen WHERE id = @id AND note IS DISTINCT FROM @note
    AND version = version;`,
		[]string{"tautology-guard"}},
	"a stale test beside a real one": {
		`-- name: A :execrows
UPDATE jobs SET state = 'x', note = @note WHERE state = 'y' AND id IN (SELECT id FROM jobs WHERE state = 'y' LIMIT 1);`,
		nil},
	"a stale test before a constant": {
		`-- name: A :execrows
UPDATE jobs SET state = 'x' WHERE id IN (SELECT id FROM jobs WHERE state = 'y' LIMIT 1);`,
		[]string{"stale-test"}},
	"a stale delete": {
		`-- name: A :execrows
UPDATE jobs SET state = @state WHERE id = @id AND state = @old;
-- name: B :execrows
DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state = 'y' LIMIT 100);`,
		[]string{"stale-test"}},
	"a noop guard before a constant is fine": {
		`-- name: A :exec
UPDATE jobs SET state = 'x' WHERE id = @id AND state IS DISTINCT FROM 'x';`,
		nil},
	"a switch set to and fro": {
		`-- name: A :exec
UPDATE jobs SET urgent = true WHERE id = @id;
-- name: B :exec
UPDATE jobs SET urgent = false WHERE id = @id;`,
		[]string{"unguarded-transition", "unguarded-transition"}},
	"one constant alone": {
		`-- name: A :exec
UPDATE jobs SET state = 'done' WHERE id = @id;`,
		nil},
	"a cursor moved by a clock": {
		`-- name: A :exec
UPDATE jobs SET last_seen_at = now() WHERE id = @id;`,
		nil},
	"a cursor moved by its caller": {
		`-- name: A :exec
UPDATE jobs SET last_seen_at = @at WHERE id = @id;`,
		[]string{"cursor-can-move-back"}},
	"a cursor moved forward": {
		`-- name: A :exec
UPDATE jobs SET last_seen_at = GREATEST(last_seen_at, @at) WHERE id = @id;`,
		nil},
	"a fallback that reads what another table's write found": {
		`-- name: A :one
WITH moved AS (UPDATE jobs SET state = 'x' WHERE id = @id AND state = 'y' RETURNING owner_id)
SELECT o.* FROM owners o JOIN moved m ON m.owner_id = o.id;`,
		nil},
	"a fallback in a CTE": {
		`-- name: A :one
WITH moved AS (UPDATE jobs SET state = 'x' WHERE id = @id AND state = 'y' RETURNING id),
now AS (SELECT state FROM jobs WHERE id = @id)
SELECT now.state, (SELECT count(*) FROM moved) FROM now;`,
		[]string{"same-statement-explanation"}},
	"an upsert of what the table has already": {
		`-- name: A :execrows
WITH seen AS (SELECT j.id FROM jobs AS j WHERE j.id = @id),
made AS (
    INSERT INTO jobs AS t (id, state) SELECT s.id + 1, 'x' FROM seen AS s
    ON CONFLICT (id) DO UPDATE SET state = 'x' WHERE t.state = 'y'
    RETURNING t.id)
INSERT INTO owners (id, name) SELECT m.id, 'new' FROM made AS m;`,
		nil},
	"an array behind an ordered lock": {
		`-- name: A :execrows
WITH l AS (SELECT id FROM jobs WHERE id = ANY (@ids::bigint[]) ORDER BY id FOR UPDATE)
UPDATE jobs SET n = n + 1 FROM l WHERE jobs.id = l.id;`,
		nil},
	"rows of unnest": {
		`-- name: A :execrows
UPDATE jobs SET n = jobs.n + v.n FROM unnest(@ids::bigint[], @ns::int[]) AS v (id, n) WHERE jobs.id = v.id;`,
		[]string{"unordered-locks"}},
	"two rows of one table": {
		`-- name: A :execrows
WITH a AS (UPDATE jobs SET n = n - 1 WHERE id = @from_id)
UPDATE jobs SET n = n + 1 WHERE id = @to_id;`,
		[]string{"written-twice"}},
	"one key has nothing else to swallow": {
		`-- name: A :execrows
INSERT INTO owners (id, name) VALUES (@id, @name) ON CONFLICT DO NOTHING;`,
		nil},
	"a read by foreign key": {
		`-- name: A :many
SELECT * FROM jobs WHERE owner_id = @owner_id;`,
		nil},
	"a read by array": {
		`-- name: A :many
SELECT * FROM jobs WHERE id = ANY (@ids::bigint[]);`,
		nil},
	"a sum of all": {
		`-- name: A :many
SELECT count(*) FROM jobs;`,
		nil},
	"a read of all": {
		`-- name: A :many
SELECT * FROM jobs ORDER BY id;`,
		[]string{"unbounded-read"}},
	"a waiver that holds": {
		`-- @write blind reason="one writer: the scheduler" locked-by=L
-- name: A :exec
UPDATE jobs SET note = @note WHERE id = @id;
-- name: L :one
SELECT * FROM jobs WHERE id = @id FOR UPDATE;`,
		nil},
	"waivers that do not": {
		`-- @write blind reason="one writer" locked-by=Nobody
-- name: A :exec
UPDATE jobs SET note = @note WHERE id = @id;
-- @write blind reason="one writer" locked-by=D
-- name: B :exec
UPDATE jobs SET note = @note WHERE id = @id;
-- @write blind reason="not needed"
-- name: C :exec
UPDATE jobs SET n = n + 1 WHERE id = @id;
-- name: D :one
SELECT * FROM jobs WHERE id = @id;
-- @write
-- name: E :one
SELECT 1;`,
		[]string{"bad-waiver", "blind-overwrite", "bad-waiver", "blind-overwrite", "bad-waiver", "bad-waiver"}},
	"a function's write": {
		`-- name: A :exec
SELECT put(@id, @note);`,
		[]string{"blind-overwrite"}},
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := check(t, schema, c.queries, &rules.Options{}); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// scoped are queries and whether they name their tenant.
var scoped = map[string]bool{
	"SELECT * FROM jobs WHERE " +
		"id = @id": false,
	"SELECT * FROM jobs WHERE tenant_id = @tenant_id AND " +
		"id = @id": true,
	"SELECT * FROM jobs j JOIN parts p ON p.tenant_id = j.tenant_id AND p.job_id = j.id WHERE " +
		"p.tenant_id = @t": true,
	"SELECT * FROM jobs j JOIN parts p USING (tenant_id) WHERE " +
		"j.tenant_id = @t": true,
	"SELECT * FROM jobs j JOIN parts p ON p.tenant_id = j.tenant_id AND " +
		"p.job_id = j.id": false,
	"SELECT * FROM jobs j JOIN parts p ON p.job_id = j.id WHERE " +
		"j.tenant_id = @t": false,
	"SELECT * FROM jobs j WHERE tenant_id = @t AND EXISTS (SELECT FROM parts p WHERE p.job_id " +
		"= j.id)": false,
	"SELECT * FROM jobs j WHERE tenant_id = @t AND EXISTS (SELECT FROM parts p WHERE p.tenant_id = " +
		"j.tenant_id)": true,
	"SELECT * FROM jobs WHERE (tenant_id, id) IN (SELECT a, b FROM unnest(@a::bigint[], @b::bigint[]) AS u " +
		"(a, b))": true,
	"SELECT j.* FROM unnest(@a::bigint[], @b::bigint[]) AS u (a, b) JOIN jobs j ON j.tenant_id = u.a AND " +
		"j.id = u.b": true,
	"SELECT * FROM jobs WHERE (tenant_id, id) = " +
		"(@t, @id)": true,
	"SELECT * FROM named WHERE " +
		"tenant_id = @t": true,
	"SELECT * FROM named WHERE " +
		"id = @id": false,
	"UPDATE jobs SET n = n + 1 WHERE " +
		"id = @id": false,
	"DELETE FROM parts WHERE " +
		"tenant_id = @t": true,
	"INSERT INTO parts (tenant_id, id) VALUES " +
		"(@t, @id)": true,
	"INSERT INTO parts (id) " +
		"VALUES (@id)": false,
	"WITH p AS (SELECT * FROM parts WHERE tenant_id = @t) SELECT * FROM p JOIN jobs j ON j.tenant_id = " +
		"p.tenant_id": true,
	"WITH p AS (SELECT id FROM jobs WHERE tenant_id = @t FOR UPDATE) UPDATE jobs SET n = 1 FROM p WHERE " +
		"jobs.id = p.id": true,
	"WITH p AS (SELECT id FROM jobs WHERE n = 1 FOR UPDATE) UPDATE jobs SET n = 1 FROM p WHERE " +
		"jobs.id = p.id": false,
	"WITH p AS (SELECT id FROM jobs WHERE tenant_id = @t FOR UPDATE) UPDATE jobs SET n = 1 FROM p WHERE " +
		"jobs.n = p.id": false,
	"WITH p AS (SELECT n FROM jobs WHERE tenant_id = @t FOR UPDATE) UPDATE jobs SET n = 1 FROM p WHERE " +
		"jobs.n = p.n": false,
	"UPDATE jobs SET n = 1 WHERE id = (SELECT id FROM jobs WHERE tenant_id = @t LIMIT 1 FOR UPDATE SKIP " +
		"LOCKED)": true,
	"UPDATE jobs SET n = 1 WHERE id IN (SELECT id FROM jobs WHERE tenant_id = @t FOR UPDATE SKIP " +
		"LOCKED)": true,
	"UPDATE jobs SET n = 1 WHERE id NOT IN (SELECT id FROM jobs WHERE " +
		"tenant_id = @t)": false,
	"SELECT * FROM owners": true,
}

func TestMissingScope(t *testing.T) {
	t.Parallel()
	for query, want := range scoped {
		if got := !slices.Contains(check(t, schema, "-- name: A :one\n"+query+";", tenants),
			"missing-scope"); got != want {
			t.Errorf("%s\n names its tenant: %v, want %v", query, got, want)
		}
	}
}

func TestReadsNameAViewer(t *testing.T) {
	t.Parallel()
	o := &rules.Options{Viewed: []string{"jobs"}, Viewer: []string{"viewer_id"}}
	for query, want := range map[string]bool{
		"SELECT * FROM jobs WHERE id = @id":                                           false,
		"SELECT * FROM jobs WHERE id = @id AND owner_id = @viewer_id":                 true,
		"SELECT * FROM jobs WHERE id = @id AND owner_id = sqlc.arg('viewer_id')":      true,
		"SELECT * FROM owners WHERE id IN (SELECT owner_id FROM jobs WHERE id = @id)": false,
		"SELECT * FROM owners": true,
	} {
		if got := !slices.Contains(check(t, schema, "-- name: A :one\n"+query+";", o), "missing-scope"); got != want {
			t.Errorf("%s\n names its viewer: %v, want %v", query, got, want)
		}
	}
}
