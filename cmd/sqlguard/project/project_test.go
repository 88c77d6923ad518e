//go:build !race

// Sequential code: the race detector checks it in the tests of cmd/sqlguard.

package project_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waybill/cmd/sqlguard/project"
)

// write makes a folder of the files; each name is a path in it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const oneQuery = "-- name: GetKennel :one\nSELECT 1;\n"

func load(t *testing.T, files map[string]string) *project.Project {
	t.Helper()
	all, err := project.Load(write(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

const config = "version: '2'\nsql: [{engine: postgresql, schema: s/*, queries: q/*}]\n"

func TestLoadTakesOnlySQLFilesWhateverThePatternMatches(t *testing.T) {
	t.Parallel()
	p := load(t, map[string]string{
		"sqlc.yaml": config, "s/1.sql": "CREATE TABLE t ();", "s/1.down.sql": "DROP TABLE t;", "s/README.md": "not SQL",
		"q/a.sql": oneQuery, "q/a.sql.go": "package q", "q/.a.sql": "draft",
		"q/down.down.sql": "no", "q/more/b.sql": oneQuery,
	})
	d := p.Databases[0]
	if len(d.Schema) != 1 || len(d.Queries) != 2 || d.Queries[0].File.Name != "q/a.sql" ||
		d.Queries[1].File.Name != "q/more/b.sql" {
		t.Errorf("got %+v", d)
	}
}

func TestLoadFindsEveryConfigurationBelowTheFolder(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, folder := range []string{"server/a", "server/b", "vendor/x", ".cache/y",
		"web/node_modules/z", "a/testdata/w"} {
		files[folder+"/sqlc.yaml"] = config
		files[folder+"/s/1.sql"] = ""
		files[folder+"/q/a.sql"] = oneQuery
	}
	all, err := project.Load(write(t, files))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Databases[0].Queries[0].File.Name)
	}
	if want := []string{"server/a/q/a.sql", "server/b/q/a.sql"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestLoadReadsTheOthersWhereOneConfigurationIsBroken(t *testing.T) {
	t.Parallel()
	all, err := project.Load(write(t, map[string]string{
		"a/sqlc.yaml": config, "a/s/1.sql": "", "a/q/a.sql": oneQuery, "b/sqlc.yaml": "sql: 1\n",
	}))
	if err == nil || len(all) != 1 {
		t.Errorf("got %d projects and %v", len(all), err)
	}
}

func TestLoadReadsBothVersionsOfTheConfig(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"sqlc.yaml": "version: '2'\nsql:\n- {engine: postgresql, schema: s.sql, queries: q}\n",
		"sqlc.yml":  "version: 1\npackages:\n- {path: db, schema: [s.sql], queries: 'q/*.sql'}\n",
		"sqlc.json": `{"version": "2", "sql": [{"engine": "postgresql", "schema": ["s.sql"], "queries": ["q/a.sql"]}]}`,
	} {
		p := load(t, map[string]string{name: config, "s.sql": "CREATE TABLE t (); CREATE TABLE u ();",
			"q/a.sql": oneQuery})
		if len(p.Databases) != 1 || len(p.Databases[0].Schema) != 2 || len(p.Databases[0].Queries) != 1 {
			t.Errorf("%s: got %+v", name, p.Databases)
		}
	}
}

func TestLoadJudgesEntriesOfOneSchemaTogether(t *testing.T) {
	t.Parallel()
	p := load(t, map[string]string{
		"sqlc.yaml": `
version: "2"
sql:
- {engine: postgresql, schema: s.sql, queries: a}
- {engine: postgresql, schema: s.sql, queries: b}
- {engine: mysql, schema: s.sql, queries: c}
`, "s.sql": "", "a/q.sql": oneQuery, "b/q.sql": oneQuery,
	})
	if len(p.Databases) != 1 || len(p.Databases[0].Queries) != 2 {
		t.Errorf("got %+v", p.Databases)
	}
	if len(p.LeftOut) != 1 || !strings.Contains(p.LeftOut[0], "mysql") {
		t.Errorf("left out %q", p.LeftOut)
	}
}

func TestLoadTakesMigrationsInTheOrderOfTheirNumbersWithoutTheWayDown(t *testing.T) {
	t.Parallel()
	p := load(t, map[string]string{
		"sqlc.yaml":       "version: '2'\nsql:\n- {engine: postgresql, schema: m, queries: q.sql}\n",
		"q.sql":           oneQuery,
		"m/10_b.up.sql":   "ALTER TABLE t ADD b int;",
		"m/2_a.up.sql":    "CREATE TABLE t ();",
		"m/2_a.down.sql":  "DROP TABLE t;",
		"m/11_goose.sql":  "-- +goose Up\nSELECT 11;\n-- +goose Down\nDROP TABLE t;\n",
		"m/12_dbmate.sql": "-- migrate:up\nSELECT 12;\n-- migrate:down\nDROP TABLE t;\n",
		"m/13_tern.sql":   "SELECT 13;\n---- create above / drop below ----\nDROP TABLE t;\n",
		"m/14_dump.sql":   "\\connect x\nCOPY t FROM stdin;\n1\t;\n\\.\nSELECT 14;\n",
	})
	var got []string
	for _, s := range p.Databases[0].Schema {
		got = append(got, s.Text)
	}
	want := "CREATE TABLE t ()|ALTER TABLE t ADD b int|SELECT 11|SELECT 12|SELECT 13|SELECT 14"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
}

func TestLoadRefusesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"no config": {"x": ""},
		"no schema": {"sqlc.yaml": "version: '2'\nsql:\n- {engine: postgresql, queries: q.sql}\n"},
		"no queries": {"sqlc.yaml": "version: '2'\nsql:\n- {engine: postgresql, schema: s.sql, queries: nowhere}\n",
			"s.sql": ""},
		"no SQL": {"sqlc.yaml": "version: '2'\nsql:\n- {engine: postgresql, schema: s.sql, queries: q}\n",
			"s.sql": "", "q/README": ""},
		"no entry": {"sqlc.yaml": "version: '2'\n"},
		"not YAML": {"sqlc.yaml": "\t:"},
	} {
		_, err := project.Load(write(t, files))
		var problem *project.Error
		if !errors.As(err, &problem) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLoadLeavesOutByteOrderMarks(t *testing.T) {
	t.Parallel()
	p := load(t, map[string]string{
		"sqlc.yaml": "version: '2'\nsql:\n- {engine: postgresql, schema: s.sql, queries: q.sql}\n",
		"s.sql":     "\ufeffCREATE TABLE t ();", "q.sql": "\ufeff" + strings.ReplaceAll(oneQuery, "\n", "\r\n"),
	})
	d := p.Databases[0]
	if len(d.Queries) != 1 || d.Queries[0].Name != "GetKennel" || !strings.HasPrefix(d.Schema[0].Text, "CREATE") {
		t.Errorf("got %+v", d)
	}
}

func TestQueriesOwnTheCommentsAboveAndInThem(t *testing.T) {
	t.Parallel()
	f := project.NewFile("q.sql", `-- of the file

-- Above A.
-- name: A :one
-- In A.
SELECT '-- name: not :one'; -- after A

-- Above B.
/* name: B :exec */
UPDATE t SET a = 1;
`)
	queries := project.Queries(f)
	if len(queries) != 2 {
		t.Fatalf("got %d queries", len(queries))
	}
	a, b := queries[0], queries[1]
	if a.Name != "A" || a.Command != ":one" || len(a.Comments) != 4 || a.Comments[0].Text != "Above A." {
		t.Errorf("A: got %+v", a)
	}
	if b.Name != "B" || b.Command != ":exec" || len(b.Comments) != 2 || b.Comments[0].Text != "Above B." {
		t.Errorf("B: got %+v", b)
	}
	if line, column := b.Place(strings.Index(b.Text, "UPDATE")); line != 10 || column != 1 {
		t.Errorf("B's UPDATE: got %d:%d", line, column)
	}
}

func TestQueriesKeepSQLWithoutAName(t *testing.T) {
	t.Parallel()
	queries := project.Queries(project.NewFile("q.sql", "DELETE FROM t;\n"+oneQuery))
	if len(queries) != 2 || queries[0].Name != "" {
		t.Errorf("got %+v", queries)
	}
}
