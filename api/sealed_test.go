package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"waybill/db"
)

// isOpen tells whether a type gives its holder any statement: all of them, the connections,
// or what leads to either.
func isOpen(of reflect.Type) bool {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	return of == reflect.TypeFor[db.Queries]() || of == reflect.TypeFor[db.System]() ||
		of == reflect.TypeFor[db.DBTX]() || strings.HasPrefix(of.PkgPath(), "github.com/jackc/") &&
		!strings.HasSuffix(of.PkgPath(), "/pgtype") // values
}

// reachable calls each with every type that a holder of a value gets by exported fields and
// methods, and by the functions that these take.
func reachable(of reflect.Type, seen map[reflect.Type]bool, each func(reflect.Type)) {
	if seen[of] {
		return
	}
	seen[of] = true
	each(of)
	if isOpen(of) {
		return
	}
	next := func(t reflect.Type) { reachable(t, seen, each) }
	for i := range of.NumMethod() {
		next(of.Method(i).Type)
	}
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
		next(of.Elem())
	case reflect.Map:
		next(of.Key())
		next(of.Elem())
	case reflect.Func:
		for i := range of.NumIn() {
			next(of.In(i))
		}
		for i := range of.NumOut() {
			next(of.Out(i))
		}
	case reflect.Struct:
		for i := range of.NumField() {
			if f := of.Field(i); f.IsExported() {
				next(f.Type)
			}
		}
	}
}

// A handler holds a *db.Store. Which statements that gives is TestStatementsAreSafeAsTheyAre's,
// in package db; here, that it leads to no others.
func TestTheStoreLeadsToNoOtherStatement(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	reachable(reflect.TypeFor[*db.Store](), seen, func(of reflect.Type) {
		if isOpen(of) {
			t.Errorf("a *db.Store exposes %s", of)
		}
	})
	if !seen[reflect.TypeFor[db.Reader]()] || !seen[reflect.TypeFor[db.Viewer]()] {
		t.Error("the search misses what a *db.Store is known to expose")
	}
	open := 0
	reachable(reflect.TypeFor[*db.System](), map[reflect.Type]bool{}, func(of reflect.Type) {
		if isOpen(of) {
			open++
		}
	})
	if open == 0 {
		t.Error("the search misses what a *db.System exposes")
	}
}

// privileged are the functions and types of package db that make or give more than a Store
// does: those whose declaration says Queries, DBTX, System or a type of pgx, or that return
// a Viewer, whose rights they choose.
func privileged(t *testing.T) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob("../db/*.go")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files: ", err)
	}
	names := map[string]bool{"Queries": true, "DBTX": true, "System": true}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Recv == nil && f.Name.IsExported() &&
				(mentions(f.Type, "Queries", "DBTX", "System", "pgx", "pgconn", "pgxpool") ||
					f.Type.Results != nil && mentions(f.Type.Results, "Viewer", "Store")) {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// mentions tells whether a part of a declaration says one of the names.
func mentions(in ast.Node, names ...string) (found bool) {
	ast.Inspect(in, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			for _, name := range names {
				found = found || id.Name == name
			}
		}
		return true
	})
	return found
}

// Nor does a handler make itself a way around the Store, or a viewer with rights of its choice.
func TestHandlersMakeNoWayAroundTheStore(t *testing.T) {
	t.Parallel()
	refused := privileged(t)
	for _, name := range []string{"New", "Open", "SystemViewer"} {
		if !refused[name] {
			t.Errorf("db.%s passes", name)
		}
	}
	paths, err := filepath.Glob("*.go")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files: ", err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "db" && refused[s.Sel.Name] {
				t.Errorf("%s: db.%s", fset.Position(s.Pos()), s.Sel.Name)
			}
			return true
		})
	}
}
