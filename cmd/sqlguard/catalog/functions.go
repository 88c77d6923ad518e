package catalog

import (
	"regexp"
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
)

// Function is a function or procedure that the schema defines.
type Function struct {
	Name      string
	Language  string
	Body      string     // the text between its quotes
	SQL       []*pg.Node // the statements of a body without quotes
	Immutable bool       // IMMUTABLE or STABLE: it does not write
	Statement *pg.CreateFunctionStmt
}

// Functions returns the overloads that a call may resolve to.
func (c *Catalog) Functions(schema, function string) []*Function {
	if schema != "" {
		return c.functions[name{schema, function}]
	}
	for _, s := range c.path {
		if found := c.functions[name{s, function}]; len(found) > 0 {
			return found
		}
	}
	return nil
}

// AllFunctions returns all functions of the schema, in no particular order.
func (c *Catalog) AllFunctions() []*Function {
	var all []*Function
	for _, overloads := range c.functions {
		all = append(all, overloads...)
	}
	return all
}

func (c *Catalog) createFunction(s *pg.CreateFunctionStmt) {
	schema, function := qualified(syntax.Names(s.GetFuncname()))
	if schema == "" {
		schema = c.path[0]
	}
	f := &Function{Name: function, Language: "sql", SQL: bodyStatements(s.GetSqlBody()), Statement: s}
	for _, n := range s.GetOptions() {
		f.option(n.GetDefElem())
	}
	key := name{schema, function}
	if s.GetReplace() {
		c.functions[key] = slices.DeleteFunc(c.functions[key], func(old *Function) bool {
			return len(old.Statement.GetParameters()) == len(s.GetParameters())
		})
	}
	c.functions[key] = append(c.functions[key], f)
}

func (f *Function) option(d *pg.DefElem) {
	value := d.GetArg().GetString_().GetSval()
	switch d.GetDefname() {
	case "language":
		f.Language = strings.ToLower(value)
	case "as":
		f.Body = strings.Join(syntax.Names(d.GetArg().GetList().GetItems()), "\n")
	case "volatility":
		f.Immutable = value != "volatile"
	}
}

// bodyStatements returns the statements of an unquoted body: RETURN e, or BEGIN ATOMIC.
func bodyStatements(n *pg.Node) []*pg.Node {
	if n == nil {
		return nil
	}
	if list := n.GetList(); list != nil {
		var all []*pg.Node
		for _, item := range list.GetItems() {
			all = append(all, bodyStatements(item)...)
		}
		return all
	}
	return []*pg.Node{n}
}

func (c *Catalog) createTrigger(s *pg.CreateTrigStmt) {
	const before, update = 1 << 1, 1 << 4
	t := c.relation(s.GetRelation())
	t.Triggers = append(t.Triggers, &Trigger{
		Name: s.GetTrigname(), Before: s.GetTiming()&before != 0, OnUpdate: s.GetEvents()&update != 0,
		Function: syntax.Last(s.GetFuncname()), Args: syntax.Names(s.GetArgs()),
	})
}

func (c *Catalog) dropTrigger(names []string) {
	if len(names) < 2 {
		return
	}
	schema, table := qualified(names[:len(names)-1])
	if t := c.lookup(schema, table); t != nil {
		t.Triggers = slices.DeleteFunc(t.Triggers, func(g *Trigger) bool { return g.Name == names[len(names)-1] })
	}
}

func (c *Catalog) dropFunction(names []string) {
	schema, function := qualified(names)
	if schema == "" {
		schema = c.path[0]
	}
	delete(c.functions, name{schema, function})
}

// assigns matches assignments to columns of NEW in the body of a trigger function.
var assigns = regexp.MustCompile(`(?i)(?:^|;|\bbegin\b|\bthen\b|\belse\b|\bloop\b)\s*NEW\.(?:"([^"]+)"|(\w+))\s*:?=`)

// SetByTriggers returns the columns that BEFORE triggers assign on every UPDATE of the table.
func (c *Catalog) SetByTriggers(t *Table) []string {
	var columns []string
	for _, g := range t.Triggers {
		if !g.Before || !g.OnUpdate {
			continue
		}
		if g.Function == "moddatetime" {
			columns = append(columns, g.Args...)
		}
		for _, f := range c.Functions("", g.Function) {
			columns = append(columns, assigned(f.Body)...)
		}
	}
	return columns
}

func assigned(body string) []string {
	for _, s := range sqltext.Comments(body) {
		body = sqltext.Blank(body, s)
	}
	var columns []string
	for _, m := range assigns.FindAllStringSubmatch(body, -1) {
		if m[1] != "" {
			columns = append(columns, m[1])
			continue
		}
		columns = append(columns, strings.ToLower(m[2]))
	}
	return columns
}
