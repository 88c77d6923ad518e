package verdict

import (
	"encoding/json"
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// body is the analysis of a function's body.
type body struct {
	statements []*reading.Statement
	opaque     bool // it cannot be analysed: dynamic SQL, another language
}

// readBody analyses a function.
func (f *Facts) readBody(fn *catalog.Function) body {
	var b body
	switch {
	case len(fn.SQL) > 0:
		b.read(f.catalog, fn.SQL)
	case fn.Language == "sql":
		nodes, err := syntax.Parse(fn.Body)
		b.opaque = err != nil
		b.read(f.catalog, nodes)
	case fn.Language == "plpgsql":
		b.procedural(f.catalog, fn)
	default:
		b.opaque = !fn.Immutable && !returnsTrigger(fn)
	}
	return b
}

func returnsTrigger(fn *catalog.Function) bool {
	return strings.HasSuffix(syntax.Last(fn.Statement.GetReturnType().GetNames()), "trigger")
}

func (b *body) read(c *catalog.Catalog, nodes []*pg.Node) {
	for _, n := range nodes {
		b.statements = append(b.statements, reading.Read(c, n))
	}
}

// procedural reads the SQL statements in a PL/pgSQL body. Its variables are names that no table has, so
// their values come from elsewhere.
func (b *body) procedural(c *catalog.Catalog, fn *catalog.Function) {
	statement := &pg.Node{Node: &pg.Node_CreateFunctionStmt{CreateFunctionStmt: fn.Statement}}
	text, err := pg.Deparse(&pg.ParseResult{Stmts: []*pg.RawStmt{{Stmt: statement}}})
	if err != nil {
		b.opaque = true
		return
	}
	dump, err := pg.ParsePlPgSqlToJSON(text)
	var tree any
	if err != nil || json.Unmarshal([]byte(dump), &tree) != nil {
		b.opaque = true
		return
	}
	b.walk(c, tree)
}

func (b *body) walk(c *catalog.Catalog, n any) {
	switch x := n.(type) {
	case []any:
		for _, item := range x {
			b.walk(c, item)
		}
	case map[string]any:
		for _, name := range sortedKeys(x) {
			b.member(c, name, x[name])
		}
	}
}

func (b *body) member(c *catalog.Catalog, name string, value any) {
	if name == "PLpgSQL_stmt_dynexecute" || name == "PLpgSQL_stmt_dynfors" {
		b.opaque = true
	}
	if text, ok := value.(string); ok && name == "query" {
		nodes, err := syntax.Parse(text)
		if err == nil {
			b.read(c, nodes)
		}
		return
	}
	b.walk(c, value)
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// calls judges the functions that a query calls, directly or indirectly.
func (q *Query) calls(f *Facts, calls []*pg.FuncCall, seen map[*catalog.Function]bool) {
	for _, call := range calls {
		for _, fn := range f.catalog.Functions(syntax.Function(call)) {
			if seen[fn] {
				continue
			}
			seen[fn] = true
			q.call(f, fn, seen)
		}
	}
}

func (q *Query) call(f *Facts, fn *catalog.Function, seen map[*catalog.Function]bool) {
	b := f.bodies[fn]
	if b.opaque && !slices.Contains(q.Opaque, fn.Name) {
		q.Opaque = append(q.Opaque, fn.Name)
	}
	for _, s := range b.statements {
		for _, w := range s.Writes {
			q.add(judged(f, s, w), fn.Name)
		}
		q.calls(f, s.Calls, seen)
	}
}
