package verdict_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/verdict"
)

// TestVerdicts judges the queries of each file in testdata. A file begins with its schema; a query's
// comments state what is expected, "want: table verdict kind".
func TestVerdicts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			schema, _, _ := strings.Cut(string(text), "-- name:")
			d := &project.Database{
				Schema:  project.Statements(project.NewFile(path, schema)),
				Queries: project.Queries(project.NewFile(path, string(text)[len(schema):])),
			}
			judged, errs := verdict.Judge(d, verdict.Options{})
			for _, err := range errs {
				t.Error(err)
			}
			for _, q := range judged.Queries {
				check(t, q)
			}
		})
	}
}

func check(t *testing.T, q *verdict.Query) {
	t.Helper()
	var got, want []string
	for _, w := range q.Writes {
		got = append(got, strings.TrimSpace(w.Table()+" "+string(w.Verdict)+" "+string(w.Kind)))
	}
	for _, f := range q.Opaque {
		got = append(got, f+" opaque")
	}
	for _, c := range q.Comments {
		if w, ok := strings.CutPrefix(c.Text, "want: "); ok {
			want = append(want, w)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\n got %q\nwant %q", q.Name, got, want)
	}
}
