package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"waybill/sql"
)

var (
	statement = regexp.MustCompile(`(?s)-- name: (\w+) :.*?(?:;\n|$)`)
	guarded   = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|INTO)\s+(pickups|patients|patient_facilities|appointments|appointment_feed_chunks)\b`)
)

// safe are the statements on such tables that handlers send as they were generated, and why they may.
var safe = map[string]string{
	"GetFacility":        "it asks whether the viewer sees the facility",
	"ListFacilities":     "it asks which facilities the viewer sees",
	"ListPickups":        "it asks which pickups the viewer sees",
	"ListPickupEvents":   "it asks whether the viewer sees the pickup",
	"StreamPickupEvents": "it asks whether the viewer sees the pickup",
	"ListMessages":       "it asks whether the viewer sees the pickup",
}

// guardedStatements are those that touch a table whose rows not everybody in the tenant sees.
func guardedStatements(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := fs.Glob(sql.Queries, "queries/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(sql.Queries, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range statement.FindAllStringSubmatch(string(text), -1) {
			if guarded.MatchString(q[0]) {
				names[q[1]] = true
			}
		}
	}
	return names
}

// A generated statement on patients shows nothing without a viewer, and one on pickups leaves
// out what the Store does: it confirms the session, shares statements, explains a loss.
func TestHandlersSendNoRawStatement(t *testing.T) {
	t.Parallel()
	names, used := guardedStatements(t), map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			called := s.Sel.Name
			if called == "Queries" {
				t.Errorf("%s: %s gives every statement", fset.Position(s.Pos()), called)
			}
			if names[called] && !ofViewer(s.X) {
				used[called] = true
				if safe[called] == "" {
					t.Errorf("%s: %s is sent without a viewer", fset.Position(s.Pos()), called)
				}
			}
			return true
		})
	}
	for name := range safe {
		if !used[name] {
			t.Errorf("no handler sends %s any more", name)
		}
	}
}

// ofViewer tells whether the receiver of a call is As(v).
func ofViewer(receiver ast.Expr) bool {
	call, ok := receiver.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "As"
}
