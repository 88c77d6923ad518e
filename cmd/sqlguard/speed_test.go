package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func itoa(i int) string { return strconv.Itoa(i) }

// shapes are twenty typical queries of a project; T stands for a table's number.
const shapes = `
-- name: Create_T :one
INSERT INTO t_T (id, tenant_id, name, status) VALUES (@id, @tenant_id, @name, @status) ON CONFLICT (id) DO NOTHING
    RETURNING *;
-- name: Get_T :one
SELECT * FROM t_T WHERE tenant_id = @tenant_id AND id = @id;
-- name: List_T :many
SELECT * FROM t_T WHERE tenant_id = @tenant_id AND (created_at, id) < (@created_at::timestamptz, @before::bigint)
    ORDER BY created_at DESC LIMIT @n::int;
-- name: Edit_T :one
UPDATE t_T SET name = coalesce(sqlc.narg('name'), name), version = version + 1 WHERE tenant_id = @tenant_id
    AND id = @id AND version = @version RETURNING *;
-- name: Move_T :execrows
UPDATE t_T SET status = @after WHERE tenant_id = @tenant_id AND id = @id AND status = ANY (@before::text[]);
-- name: Rename_T :exec
UPDATE t_T SET name = @name WHERE id = @id;
-- name: Count_T :exec
UPDATE t_T SET n = n + @n, updated_at = now() WHERE id = @id;
-- name: Put_T :exec
INSERT INTO t_T (id, tenant_id, name, status) VALUES (@id, @tenant_id, @name, @status) ON CONFLICT (id) DO UPDATE
    SET name = EXCLUDED.name, status = EXCLUDED.status;
-- name: Take_T :many
WITH next AS (SELECT id FROM t_T WHERE status = 'ready' ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED)
UPDATE t_T SET status = 'running' FROM next WHERE t_T.id = next.id RETURNING t_T.*;
-- name: Remove_T :execrows
DELETE FROM t_T WHERE tenant_id = @tenant_id AND id = @id;
-- name: Sum_T :one
SELECT count(*), sum(n) FROM t_T WHERE tenant_id = @tenant_id AND status = @status;
-- name: Join_T :many
SELECT a.*, b.name AS other FROM t_T a JOIN t_0 b ON b.tenant_id = a.tenant_id AND b.id = a.n
    WHERE a.tenant_id = @tenant_id LIMIT 100;
-- name: Flush_T :many
WITH asked AS (SELECT * FROM unnest(@ids::bigint[], @names::text[]) AS a (id, name)),
locked AS MATERIALIZED (SELECT t.id, a.name FROM asked a JOIN t_T t ON t.id = a.id WHERE t.status = 'open'
    ORDER BY t.id FOR NO KEY UPDATE OF t),
moved AS (UPDATE t_T t SET name = l.name, version = t.version + 1 FROM locked l WHERE t.id = l.id RETURNING t.*)
SELECT * FROM moved;
-- name: Case_T :execrows
UPDATE t_T SET status = CASE WHEN n > 3 THEN 'done' ELSE status END, n = n + 1 WHERE id = @id
    AND (updated_at IS NULL OR updated_at < now());
-- name: Exists_T :one
SELECT EXISTS (SELECT 1 FROM t_T WHERE tenant_id = @tenant_id AND name = @name);
-- name: Patch_T :exec
UPDATE t_T SET name = CASE WHEN @set_name::boolean THEN @name ELSE name END WHERE id = @id
    AND (@version::int = 0 OR version = @version);
-- name: Touch_T :exec
UPDATE t_T SET updated_at = now() WHERE id = @id;
-- name: Stale_T :exec
UPDATE t_T SET status = 'running', name = @name WHERE id IN (SELECT id FROM t_T WHERE status = 'ready');
-- name: Page_T :many
SELECT id, name FROM t_T WHERE tenant_id = @tenant_id AND id > @after ORDER BY id LIMIT 50;
-- name: Clear_T :execrows
UPDATE t_T SET name = NULL WHERE tenant_id = @tenant_id AND id = ANY (@ids::bigint[]);
`

// large makes a project of 200 tables with 20 queries each.
func large(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	var schema strings.Builder
	for i := range 200 {
		fmt.Fprintf(&schema, "CREATE TABLE t_%d (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, name text, status "+
			"text NOT NULL, n int NOT NULL DEFAULT 0, version int NOT NULL DEFAULT 1, created_at timestamptz NOT "+
			"NULL, updated_at timestamptz, UNIQUE (tenant_id, name));\n", i)
		put(tb, filepath.Join(dir, fmt.Sprintf("q/%d.sql", i)), strings.ReplaceAll(shapes, "_T", "_"+itoa(i)))
	}
	put(tb, filepath.Join(dir, "schema.sql"), schema.String())
	put(tb, filepath.Join(dir, "sqlc.yaml"),
		"version: '2'\nsql: [{engine: postgresql, schema: schema.sql, queries: q}]\n")
	return dir
}

func put(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
}

// TestLargeProjectIsAnalyzedWhole checks the findings in each of 200 files; the benchmark measures the
// time.
func TestLargeProjectIsAnalyzedWhole(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("takes long")
	}
	dir := large(t)
	var out strings.Builder
	run([]string{dir}, &out, io.Discard)
	for i := range 200 {
		if name := fmt.Sprintf("Rename_%d ", i); !strings.Contains(out.String(), name) {
			t.Fatalf("nothing is said of %s", name)
		}
	}
	if !strings.Contains(out.String(), "in 4000 queries") {
		t.Errorf("not all are counted: %s", out.String()[max(0, out.Len()-300):])
	}
}

func BenchmarkFourThousandQueries(b *testing.B) {
	dir := large(b)
	for b.Loop() {
		run([]string{dir}, io.Discard, io.Discard)
	}
}
