package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/report"
	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/verdict"
)

// analyze runs the whole analysis on a text, as the command does on a project: the part before the first
// annotation is the schema, the rest are queries.
func analyze(text string) {
	schema, _, _ := strings.Cut(text, "-- name:")
	d := &project.Database{
		Schema:  project.Statements(project.NewFile("schema.sql", schema)),
		Queries: project.Queries(project.NewFile("queries.sql", text)),
	}
	judged, _ := verdict.Judge(d, verdict.Options{Scopes: []string{"tenant_id"}})
	r := &report.Report{Databases: []*verdict.Database{judged}}
	r.Findings = rules.Check(judged,
		&rules.Options{Tenant: []string{"tenant_id"}, Viewed: []string{"dogs"}, Viewer: []string{"viewer_id"}})
	for _, f := range r.Findings {
		if f.Advice != nil {
			sqltext.Apply(f.Query.Text, f.Advice.Edits)
		}
	}
	report.Verdicts(io.Discard, r.Databases)
	for _, print := range report.Formats {
		print(io.Discard, r, true)
	}
}

// FuzzAnalyze searches for text that makes the analysis panic or hang.
func FuzzAnalyze(f *testing.F) {
	if raceDetector {
		f.Skip("TestWaybillHasNoFindingAndNoWaiver analyses the queries at once, with the race detector looking on")
	}
	for _, pattern := range []string{"verdict/testdata/*.sql", "testdata/*/*/*.sql", "../../sql/*/*.sql"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
			for i, part := range strings.Split(string(text), "-- name:") {
				if i < 40 {
					f.Add("CREATE TABLE jobs (id int PRIMARY KEY, state text);\n-- name:" + part)
				}
			}
		}
	}
	for _, r := range rules.All {
		f.Add(r.Block("sql schema") + r.Block("sql fails") + r.Block("sql passes"))
	}
	// The timeout of go test detects an analysis that does not end.
	f.Fuzz(func(_ *testing.T, text string) { analyze(text) })
}

// TestAnalyzeSurvives analyzes texts that once made it panic, or might.
func TestAnalyzeSurvives(t *testing.T) {
	t.Parallel()
	chain := "WITH c0 AS (SELECT 1 AS a)"
	for i := range 60 {
		chain += strings.NewReplacer("N", itoa(i+1), "M", itoa(i)).Replace(", cN AS (SELECT *, * FROM cM x, cM y)")
	}
	views := "CREATE TABLE t (a int);\nCREATE VIEW v0 AS SELECT * FROM t;\n"
	for i := range 60 {
		views += strings.NewReplacer("N", itoa(i+1), "M", itoa(i)).
			Replace("CREATE VIEW vN AS SELECT x.a FROM vM x, vM y;\n")
	}
	for _, text := range []string{
		"", "-- name: A :one\n", "-- name: A :one\n\xff",
		"CREATE VIEW v AS SELECT * FROM v; -- name: A :one\nUPDATE v SET a = 1 WHERE EXISTS (SELECT FROM v)",
		"-- name: A :one\nSELECT " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000),
		"-- name: A :one\nUPDATE t SET a = a" + strings.Repeat(" + a", 3000) + " WHERE a = 1" +
			strings.Repeat(" AND (a = 1 OR b)", 500),
		"-- name: A :one\n" + chain + " UPDATE t SET a = 1 FROM c60",
		views + "-- name: A :one\nUPDATE t SET a = 1 WHERE a IN (SELECT a FROM v60 FOR UPDATE)",
		"CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT g()'; CREATE FUNCTION g() RETURNS void LANGUAGE " +
			"sql AS 'SELECT f()';\n-- name: A :one\nSELECT f()",
		"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN'; -- name: A :one\nSELECT f()",
		"-- name: A :one\nWITH RECURSIVE r AS (SELECT * FROM r) UPDATE t SET a = r.a FROM r WHERE r.a = t.a",
		"-- name: A :one\nUPDATE t SET (a, b) = (SELECT 1) WHERE (a, b) = (SELECT) AND NOT ()",
		"-- name: A :one\nINSERT INTO t DEFAULT VALUES ON CONFLICT ON CONSTRAINT x DO UPDATE SET a = EXCLUDED.a",
	} {
		analyze(text)
	}
}
