//go:build !race

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// TestSuggestionsAreSQL runs every suggestion for the fixtures, the pages and the project's own queries:
// each is valid SQL.
func TestSuggestionsAreSQL(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	for _, pattern := range []string{"verdict/testdata/*.sql",
		"testdata/kennels/queries/*.sql", "../../sql/queries/*.sql"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(text)
		}
	}
	for _, r := range rules.All {
		texts[r.ID] = r.Block("sql schema") + r.Block("sql fails")
	}
	o := &rules.Options{Tenant: []string{"tenant_id", "shelter_id", "id", "owner_id"}}
	carriedOut := 0
	for name, text := range texts {
		schema, _, _ := strings.Cut(text, "-- name:")
		d := &project.Database{
			Schema:  project.Statements(project.NewFile(name, schema)),
			Queries: project.Queries(project.NewFile(name, text[len(schema):])),
		}
		judged, _ := verdict.Judge(d, verdict.Options{})
		for _, f := range rules.Check(judged, o) {
			if f.Advice == nil || len(f.Advice.Edits) == 0 {
				continue
			}
			carriedOut++
			edited := sqltext.Apply(f.Query.Text, f.Advice.Edits)
			numbered, _ := sqltext.Number(edited)
			if _, err := syntax.Parse(numbered); err != nil {
				t.Errorf("%s: %s: %s: %v\n%s", name, f.Query.Name, f.Advice.Kind, err, edited)
			}
		}
	}
	if carriedOut < 100 {
		t.Errorf("only %d suggestions", carriedOut)
	}
	t.Log(carriedOut, "suggestions")
}
