package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// rawFolders are those whose programs may send generated statements that a Store or a System
// does not give, by db.New and a connection of their own: an operator's commands as the
// owner of the database, and benchmarks. None of them serves requests or runs jobs with it.
var rawFolders = []string{"cmd/waybill", "cmd/waybill/bench"}

// rawStatements lists where a tree says db.New or db.Queries, outside of package db and the
// folders that may. To sqlguard, which may not import it, db is something else.
func rawStatements(t *testing.T, tree fs.FS) (wrong []string) {
	t.Helper()
	programs(t, tree, 0, func(name string, fset *token.FileSet, file *ast.File) {
		folder := path.Dir(name)
		if within(folder, "db") || slices.Contains(rawFolders, folder) || within(folder, "cmd/sqlguard") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := s.X.(*ast.Ident)
			if ok && pkg.Name == "db" && (s.Sel.Name == "New" || s.Sel.Name == "Queries") {
				wrong = append(wrong, fmt.Sprintf("%s:%d: db.%s", name, fset.Position(s.Pos()).Line, s.Sel.Name))
			}
			return true
		})
	})
	return wrong
}

func TestFewProgramsSendRawStatements(t *testing.T) {
	t.Parallel()
	for _, w := range rawStatements(t, repository()) {
		t.Error(w)
	}
	tree := fstest.MapFS{
		"cmd/waybill/jobs/a.go":  {Data: []byte("package jobs\nfunc f() { db.New(nil) }\n")},
		"api/a.go":               {Data: []byte("package api\nvar q *db.Queries\n")},
		"cmd/waybill/a.go":       {Data: []byte("package main\nfunc f() { db.New(nil) }\n")},
		"cmd/waybill/prove/a.go": {Data: []byte("package prove\nfunc f() { db.Open(nil) }\n")},
	}
	want := []string{"api/a.go:2: db.Queries", "cmd/waybill/jobs/a.go:2: db.New"}
	if got := rawStatements(t, tree); !slices.Equal(got, want) {
		t.Errorf("found %q; want %q", got, want)
	}
}

// retryFolders are the packages in which nothing is tried again but by db/retry.
var retryFolders = []string{"db", "db/batch", "db/quota", "api", "cmd/waybill/jobs"}

// retryLoops lists the loops that look like another way to try again: a constant number of
// times with an end before, or with a wait in between.
func retryLoops(t *testing.T, tree fs.FS) (loops []string) {
	t.Helper()
	constants := map[string]map[string]bool{} // of each folder
	each := func(do func(folder string, name string, fset *token.FileSet, file *ast.File)) {
		programs(t, tree, 0, func(name string, fset *token.FileSet, file *ast.File) {
			if slices.Contains(retryFolders, path.Dir(name)) {
				do(path.Dir(name), name, fset, file)
			}
		})
	}
	each(func(folder, _ string, _ *token.FileSet, file *ast.File) {
		if constants[folder] == nil {
			constants[folder] = map[string]bool{}
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				for _, spec := range g.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						constants[folder][name.Name] = true
					}
				}
			}
		}
	})
	each(func(folder, name string, fset *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if isRetryLoop(n, constants[folder]) {
				loops = append(loops, fmt.Sprintf("%s:%d", name, fset.Position(n.Pos()).Line))
			}
			return true
		})
	})
	return loops
}

// count is how a number of attempts is called that is no constant.
var count = regexp.MustCompile(`(?i)^\w*(attempts|tries|retries|times)$`)

func isRetryLoop(n ast.Node, constants map[string]bool) bool {
	switch loop := n.(type) {
	case *ast.RangeStmt:
		switch x := loop.X.(type) {
		case *ast.BasicLit:
			return ends(loop.Body)
		case *ast.Ident:
			return (constants[x.Name] || count.MatchString(x.Name)) && ends(loop.Body) || waits(loop.Body)
		case *ast.SelectorExpr:
			return count.MatchString(x.Sel.Name) && ends(loop.Body) || waits(loop.Body)
		}
		return waits(loop.Body)
	case *ast.ForStmt:
		return waits(loop.Body)
	}
	return false
}

// ends tells whether a loop's body may end the loop.
func ends(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.ReturnStmt:
			found = true
		case *ast.BranchStmt:
			found = found || x.Tok == token.BREAK
		case *ast.FuncLit:
			return false
		}
		return true
	})
	return found
}

// waits reports whether a loop's body sleeps, or chooses a random duration: a loop that polls
// until something ends is no retry.
func waits(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			pkg, ok := s.X.(*ast.Ident)
			found = found || ok && (pkg.Name == "rand" || pkg.Name == "time" && s.Sel.Name == "Sleep")
		}
		return true
	})
	return found
}

func TestNothingIsTriedAgainButByDBRetry(t *testing.T) {
	t.Parallel()
	for _, loop := range retryLoops(t, repository()) {
		t.Errorf("%s: a retry loop; use db/retry", loop)
	}
	tree := fstest.MapFS{
		"db/a.go": {Data: []byte("package db\nconst most = 3\nfunc f() error {\n\tfor range most {\n\t\t" +
			"if err := g(); err == nil {\n\t\t\treturn nil\n\t\t}\n\t}\n\treturn nil\n}\n")},
		"api/a.go": {Data: []byte("package api\nfunc f() {\n\tfor g() != nil {\n\t\ttime.Sleep(1)\n\t}\n\t" +
			"for range 3 {\n\t\tg()\n\t}\n}\n")},
	}
	if got := retryLoops(t, tree); !slices.Equal(got, []string{"api/a.go:3", "db/a.go:4"}) {
		t.Errorf("found %q", got)
	}
}

var httpHeader = regexp.MustCompile(`^[A-Z][a-z]+(-[A-Z][a-z]+)+$`)

// httpWords lists what the handwritten files of package db say of HTTP: headers, and
// descriptions for the API's document. Codes and fields are put into HTTP's words by api.
func httpWords(t *testing.T, tree fs.FS) (words []string) {
	t.Helper()
	programs(t, tree, 0, func(name string, _ *token.FileSet, file *ast.File) {
		if path.Dir(name) != "db" || ast.IsGenerated(file) {
			return
		}
		for _, i := range file.Imports {
			if i.Path.Value == `"net/http"` {
				words = append(words, name+": net/http")
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				if s, _ := strconv.Unquote(text.Value); httpHeader.MatchString(s) || strings.Contains(s, `doc:"`) {
					words = append(words, name+": "+s)
				}
			}
			return true
		})
	})
	return words
}

func TestPackageDBKnowsNothingOfHTTP(t *testing.T) {
	t.Parallel()
	for _, w := range httpWords(t, repository()) {
		t.Error(w)
	}
	tree := fstest.MapFS{"db/a.go": {Data: []byte("package db\nimport \"net/http\"\nvar f = \"If-Match\"\n" +
		"type t struct {\n\tN int `json:\"n\" doc:\"A number\"`\n}\n")}}
	want := []string{"db/a.go: net/http", "db/a.go: If-Match", `db/a.go: json:"n" doc:"A number"`}
	if got := httpWords(t, tree); !slices.Equal(got, want) {
		t.Errorf("found %q; want %q", got, want)
	}
}

// No program acknowledges what may be lost: only the control of a test does.
func TestNoProgramAcknowledgesTheUnreplicated(t *testing.T) {
	t.Parallel()
	declared := false
	programs(t, repository(), 0, func(name string, fset *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok || id.Name != "AcknowledgeUnreplicated" {
				return true
			}
			if name != "db/store.go" {
				t.Errorf("%s:%d: AcknowledgeUnreplicated", name, fset.Position(n.Pos()).Line)
			}
			declared = true
			return true
		})
	})
	if !declared {
		t.Error("db has no AcknowledgeUnreplicated: this proves nothing")
	}
}
