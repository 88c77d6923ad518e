package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

const locks = `-- Locks some.
-- name: Lock :many
SELECT 1
FROM t
FOR UPDATE OF t /* LockFree: SKIP LOCKED */ /* LockNow: NOWAIT */
LIMIT 1 /* LockFree: + 1 */;

-- name: Read :one
SELECT 1;
`

func folder(files ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return m
}

func TestAVariantIsItsQueryWithTheMarkedText(t *testing.T) {
	t.Parallel()
	got, err := variants(folder("a.sql", locks, output, "-- what an earlier run wrote /* X: y */\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `-- LockFree is Lock with SKIP LOCKED, and with + 1.
-- Written by cmd/variants: edit that statement, not this one.
-- name: LockFree :many
SELECT 1
FROM t
FOR UPDATE OF t SKIP LOCKED
LIMIT 1 + 1;

-- LockNow is Lock with NOWAIT.
-- Written by cmd/variants: edit that statement, not this one.
-- name: LockNow :many
SELECT 1
FROM t
FOR UPDATE OF t NOWAIT
LIMIT 1;

`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrongMarksAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"one variant of two queries": {
			[]string{"a.sql", locks, "b.sql", "-- name: Other :one\nSELECT 1 /* LockFree: + 1 */;\n"},
			"b.sql: Lock and Other both declare the variant LockFree",
		},
		"no query": {
			[]string{"a.sql", "-- A head with /* LockFree: + 1 */\n" + locks},
			"a.sql: a variant is declared outside of a query",
		},
		"a query without an end": {
			[]string{"a.sql", "-- name: Other :one\nSELECT 1 /* LockFree: + 1 */"},
			"a.sql: a variant is declared outside of a query",
		},
	} {
		if _, err := variants(folder(c.files...)); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestRunWritesBesideTheQueries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.sql"), []byte(locks), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it does not read what it wrote
		if err := run([]string{dir}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, output))
	if err != nil || strings.Count(string(got), "-- name: ") != 2 {
		t.Errorf("wrote %s, %v", got, err)
	}
	if run(nil) == nil || run([]string{filepath.Join(dir, "nowhere")}) == nil {
		t.Error("a call without a folder, or with a missing one, succeeds")
	}
}
