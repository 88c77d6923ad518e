package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// numbered matches the positional parameters of a query: $1.
var numbered = regexp.MustCompile(`\$([0-9]+)`)

// numbers returns the numbers of a query's positional parameters.
func numbers(q *verdict.Query) []int {
	var all []int
	for _, m := range numbered.FindAllStringSubmatch(q.Text, -1) {
		n, _ := strconv.Atoi(m[1])
		all = append(all, n)
	}
	return all
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// param returns a new parameter in the style of the query; nth counts the parameters of the same
// suggestion from 0.
func param(q *verdict.Query, name string, nth int) string {
	if used := numbers(q); len(used) > 0 {
		return "$" + strconv.Itoa(slices.Max(used)+1+nth)
	}
	name = strings.ToLower(camel.ReplaceAllString(notInNames.ReplaceAllString(name, "_"), "${1}_$2"))
	taken := paramNames(q)
	for slices.Contains(taken, name) {
		name = "old_" + name
	}
	return "@" + name
}

var camel = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// paramNames returns the names of a query's parameters.
func paramNames(q *verdict.Query) []string {
	var all []string
	_, params := sqltext.Number(q.Text)
	for _, name := range params {
		all = append(all, name)
	}
	for _, s := range q.Statements {
		syntax.Walk(s.Root.Node, func(n *pg.Node) bool {
			if _, name := syntax.Macro(n); name != "" {
				all = append(all, name)
			}
			return true
		})
	}
	return all
}

// text returns an expression as its author would write it.
func text(q *verdict.Query, n *pg.Node) string {
	s := syntax.Text(n)
	_, params := sqltext.Number(q.Text)
	return numbered.ReplaceAllStringFunc(s, func(number string) string {
		i, _ := strconv.Atoi(number[1:])
		if name, ok := params[i]; ok {
			return "@" + name
		}
		return number
	})
}

// valueText returns the expression that a write assigns to a column.
func valueText(w *verdict.Write, column string) string {
	for _, c := range w.Columns {
		if c.Column == column && c.Value != nil {
			return text(w.Query, c.Value)
		}
	}
	return ""
}
