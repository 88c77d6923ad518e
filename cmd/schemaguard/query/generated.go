package query

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"

	"waybill/cmd/schemaguard/memo"
	"waybill/cmd/schemaguard/tree"
)

// Generated returns the statements of the Go files that sqlc has written to folders: those that a program
// of that state sends, with every * replaced by the columns of that time.
func Generated(t tree.Tree, folders []string) (all []Query, err error) {
	for _, p := range t.Under(folders, ".sql.go") {
		f := files.Get(memo.File{Name: p, Text: t[p]}, func() generated { return constants(p, t[p]) })
		if f.err != nil {
			return nil, f.err
		}
		all = append(all, f.all...)
	}
	return all, nil
}

// generated are the statements of a file of Go, or why it cannot be read.
type generated struct {
	all []Query
	err error
}

var files memo.Of[memo.File, generated]

func constants(p, text string) (g generated) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, p, text, parser.SkipObjectResolution)
	if err != nil {
		return generated{err: err}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if q, ok := constant(spec.Values[0]); ok {
				q.Path, q.Line = p, fset.Position(spec.Pos()).Line
				g.all = append(g.all, q)
			}
		}
		return true
	})
	return g
}

// constant reads a statement from its constant, which begins with sqlc's annotation.
func constant(e ast.Expr) (q Query, ok bool) {
	literal, ok := e.(*ast.BasicLit)
	if !ok {
		return q, false
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return q, false
	}
	first, rest, _ := strings.Cut(text, "\n")
	words := strings.Fields(first)
	if len(words) != 4 || words[0] != "--" || words[1] != "name:" {
		return q, false
	}
	return Query{Name: words[2], Command: words[3], Source: rest, SQL: strings.TrimSpace(rest)}, true
}

// Sent returns the statements that a program of a tree sends: the generated ones, where the tree has them,
// else those of the sources.
func Sent(t tree.Tree, generated, sources []string) ([]Query, error) {
	if len(generated) > 0 {
		if all, err := Generated(t, generated); err != nil || len(all) > 0 {
			return all, err
		}
	}
	return Read(t, sources), nil
}
