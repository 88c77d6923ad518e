package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// layer lists the packages of this module that the packages in a folder may import: those named, and
// with "/..." those below as well. It also applies to the folders below, unless they have their own.
type layer struct {
	folder string
	may    []string
}

// layers are those of ARCHITECTURE.md: sql <- db <- api <- cmd. Tests may import anything.
var layers = []layer{
	{"sql", nil},
	{"db", []string{"sql", "db/..."}},
	{"db/batch", []string{"db/retry"}},
	{"db/localpg", nil},
	{"db/pgbouncer", nil},
	{"db/pgproxy", nil},
	{"db/quota", nil},
	{"db/retry", nil},
	{"db/scale", nil},
	{"db/seed", []string{"db"}},
	{"api", []string{"db", "db/quota", "api/board", "api/docs", "api/samples", "api/webhook"}},
	{"api/client", nil},
	{"api/board", nil},
	{"api/docs", []string{"api/samples"}},
	{"api/generators", []string{"api/generators/..."}},
	{"api/samples", nil},
	{"api/webhook", nil},
	{"cmd/comments", nil},
	{"cmd/begin", nil},
	{"cmd/document", []string{"api"}},
	{"cmd/goclient", nil},
	{"cmd/scratch", []string{"sql", "db/localpg"}},
	{"cmd/schemaguard", []string{"db/localpg", "cmd/schemaguard/...", "cmd/sqlguard/project", "cmd/sqlguard/sqltext",
		"cmd/sqlguard/syntax"}},
	{"cmd/sqlguard", []string{"db/localpg", "cmd/sqlguard/..."}},
	{"cmd/variants", nil},
	{"cmd/waybill", []string{"sql", "db", "db/batch", "db/localpg", "db/pgproxy", "db/scale", "db/seed", "api",
		"cmd/schemaguard/gate", "cmd/waybill/..."}},
	{"cmd/waybill/jobs", []string{"sql", "db", "api/webhook", "cmd/waybill/texts", "cmd/waybill/webhooks"}},
	{"cmd/waybill/faults", []string{"db", "db/localpg", "db/pgbouncer", "db/seed"}},
	{"cmd/waybill/listappend", nil},
	{"cmd/waybill/replicas", []string{"db", "db/localpg", "db/seed", "api", "api/client", "cmd/waybill/listappend"}},
	{"cmd/waybill/texts", []string{"api/webhook"}},
	{"cmd/waybill/webhooks", []string{"cmd/waybill/texts"}},
	{"cmd/waybill/texts/fakegateway", []string{"api/client/webhooks"}},
	{"cmd/waybill/prove", nil},
}

// libraries may be imported in and below these folders alone.
var libraries = map[string][]string{
	"github.com/danielgtaylor/huma": {"api"},
	"github.com/jackc/pgx":          {"db", "cmd"},
	"github.com/riverqueue/river":   {"db", "cmd"},
}

// within reports whether a package is in a folder or below it.
func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// wrongImport returns why a package may not import another, or "".
func wrongImport(pkg, imported string) string {
	for library, folders := range libraries {
		if strings.HasPrefix(imported, library) &&
			!slices.ContainsFunc(folders, func(f string) bool { return within(pkg, f) }) {
			return "only " + strings.Join(folders, " and ") + " may"
		}
	}
	own, ok := strings.CutPrefix(imported, "waybill/")
	if !ok {
		return ""
	}
	var closest layer
	for _, l := range layers {
		if within(pkg, l.folder) && len(l.folder) > len(closest.folder) {
			closest = l
		}
	}
	for _, may := range closest.may {
		if tree, ok := strings.CutSuffix(may, "/..."); own == may || ok && within(own, tree) {
			return ""
		}
	}
	return fmt.Sprintf("of this module it may import %v", closest.may)
}

// goFiles parses the Go files of a tree.
func goFiles(t *testing.T, tree fs.FS, mode parser.Mode, each func(name string, fset *token.FileSet, file *ast.File)) {
	t.Helper()
	if err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"testdata", "node_modules", ".git", "out"}, d.Name()):
			return fs.SkipDir
		case d.IsDir(), path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, mode|parser.ParseComments)
		if err == nil {
			each(name, fset, file)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// programs parses the Go files of a tree that are not tests.
func programs(t *testing.T, tree fs.FS, mode parser.Mode, each func(name string, fset *token.FileSet, file *ast.File)) {
	t.Helper()
	goFiles(t, tree, mode, func(name string, fset *token.FileSet, file *ast.File) {
		if !strings.HasSuffix(name, "_test.go") {
			each(name, fset, file)
		}
	})
}

// wrongImports lists the imports in a tree that break the rule.
func wrongImports(t *testing.T, tree fs.FS) (wrong []string) {
	t.Helper()
	programs(t, tree, parser.ImportsOnly, func(name string, _ *token.FileSet, file *ast.File) {
		for _, i := range file.Imports {
			imported, _ := strconv.Unquote(i.Path.Value)
			if why := wrongImport(path.Dir(name), imported); why != "" {
				wrong = append(wrong, fmt.Sprintf("%s imports %s: %s", name, imported, why))
			}
		}
	})
	return wrong
}

func TestImportsGoFromSQLToCommands(t *testing.T) {
	t.Parallel()
	for _, w := range wrongImports(t, repository()) {
		t.Error(w)
	}
}

func TestWrongImportsAreNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		imported string
		wrong    bool
	}{
		"api/pickups.go":           {"github.com/jackc/pgx/v5", true},
		"api/users.go":             {"waybill/sql", true},
		"api/client/client.go":     {"waybill/db", true},
		"db/dates.go":              {"github.com/danielgtaylor/huma/v2", true},
		"db/store.go":              {"waybill/api", true},
		"db/quota/quota.go":        {"waybill/db", true},
		"db/batch/batcher.go":      {"waybill/db", true},
		"db/seed/rows.go":          {"waybill/api", true},
		"api/patients.go":          {"waybill/db/seed", true},
		"cmd/waybill/demo.go":      {"waybill/db/seed", false},
		"sql/sql.go":               {"waybill/db", true},
		"cmd/sqlguard/main.go":     {"waybill/db", true},
		"cmd/waybill/jobs/jobs.go": {"waybill/api", true},
		"new/new.go":               {"waybill/db", true},
		"api/api.go":               {"waybill/db", false},
		"db/db.go":                 {"waybill/db/quota", false},
		"cmd/waybill/main.go":      {"waybill/cmd/waybill/bench", false},
		"cmd/waybill/main_test.go": {"waybill/db/dbtest", false},
	} {
		tree := fstest.MapFS{name: {Data: []byte("package p\nimport _ " + strconv.Quote(c.imported) + "\n")}}
		got := wrongImports(t, tree)
		if c.wrong != (len(got) == 1 && strings.HasPrefix(got[0], name+" imports "+c.imported+": ")) {
			t.Errorf("%s may import %s: %v, got %v", name, c.imported, !c.wrong, got)
		}
	}
}

// longestFunction is the maximum number of lines of a handwritten function.
const longestFunction = 60

// longFunctions lists the handwritten functions of a tree that are too long, and counts all of them.
func longFunctions(t *testing.T, tree fs.FS) (long []string, n int) {
	t.Helper()
	goFiles(t, tree, 0, func(name string, fset *token.FileSet, file *ast.File) {
		if ast.IsGenerated(file) {
			return
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n++
			if lines := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; lines > longestFunction {
				long = append(long, fmt.Sprintf("%s: %s has %d lines", name, f.Name.Name, lines))
			}
		}
	})
	return long, n
}

func TestFunctionsAreShort(t *testing.T) {
	t.Parallel()
	long, n := longFunctions(t, repository())
	for _, f := range long {
		t.Errorf("%s, want at most %d lines", f, longestFunction)
	}
	if n < 2_000 {
		t.Errorf("only %d functions were examined", n)
	}
}

func TestLongFunctionsAreNamed(t *testing.T) {
	t.Parallel()
	const generated = "// Code generated by sqlc. DO NOT EDIT.\n\n"
	for _, name := range []string{"db/a.go", "db/a_test.go"} {
		for _, c := range []struct {
			before string
			lines  int
			want   string
		}{
			{"", longestFunction, "[] 1"},
			{"", longestFunction + 1, "[" + name + ": f has 61 lines] 1"},
			{generated, longestFunction + 1, "[] 0"},
		} {
			text := c.before + "package p\nfunc f() {" + strings.Repeat("\n", c.lines-1) + "}\n"
			long, n := longFunctions(t, fstest.MapFS{name: {Data: []byte(text)}})
			if got := fmt.Sprint(long, n); got != c.want {
				t.Errorf("%s, %d lines: got %s, want %s", name, c.lines, got, c.want)
			}
		}
	}
}

// The first "task --list" of a newcomer builds task and whatever it needs: clients of clouds once made
// that minutes.
func TestTaskIsCheapToBuild(t *testing.T) {
	text, err := os.ReadFile("../tools/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "// indirect"); n > 60 || !strings.Contains(string(text), "go-task/task/v3") {
		t.Errorf("cmd/tools/go.mod requires %d modules: it is for task alone, other tools have a folder below", n)
	}
	for _, heavy := range []string{"google.golang.org/grpc", "cloud.google.com",
		"aws-sdk-go", "sqlc-dev", "honnef.co"} {
		if strings.Contains(string(text), heavy) {
			t.Errorf("cmd/tools/go.mod requires %s", heavy)
		}
	}
}

// What "task new" has begun says in each place what is to be done there, until it is.
func TestNoRecipeIsUnfinished(t *testing.T) {
	tree, mark := repository(), "UNFINISHED"+"("
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git" || name == "cmd/begin"):
			return fs.SkipDir
		case strings.HasSuffix(name, ".sql.go"): // generated
			return nil
		case entry.IsDir() || !slices.Contains([]string{".go", ".sql", ".ts", ".md", ".yaml", ".yml"}, path.Ext(name)):
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		for n, line := range strings.Split(string(text), "\n") {
			if _, what, ok := strings.Cut(line, mark); ok {
				t.Errorf("%s:%d: %s", name, n+1, what)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
