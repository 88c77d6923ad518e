package prove

import (
	"regexp"
	"strconv"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/races"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// sql returns the query with its parameters replaced by literals.
func (v *sandbox) sql(text string, params []param, values []*string) string {
	return fill(text, params, func(i int) string { return "(" + params[i].kind.literal(values[i]) + ")" })
}

// told returns the same for display: one line, without comments and casts of literals.
func (v *sandbox) told(text string, params []param, values []*string) string {
	for _, c := range sqltext.Comments(text) {
		text = sqltext.Blank(text, c)
	}
	one := strings.Join(strings.Fields(fill(text, params,
		func(i int) string { return params[i].kind.plain(values[i]) })), " ")
	return strings.NewReplacer(" ,", ",", "( ", "(", " )", ")").Replace(one)
}

// fill replaces the parameters of a query by values.
func fill(text string, params []param, value func(i int) string) string {
	bound, _ := races.Bind(strings.TrimRight(strings.TrimSpace(text), ";"))
	var out strings.Builder
	at := 0
	for t := range sqltext.Tokens(bound) {
		if t.Start < at || bound[t.Start] != '$' || t.Kind != sqltext.Other {
			continue
		}
		end := t.Start + 1
		for end < len(bound) && bound[end] >= '0' && bound[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(bound[t.Start+1 : end])
		if err != nil || n < 1 || n > len(params) {
			continue
		}
		out.WriteString(bound[at:t.Start])
		out.WriteString(value(n - 1))
		at = end
	}
	return out.String() + bound[at:]
}

// constantsOf returns the constants of a query, excluding the names and numbers of parameters.
func constantsOf(query string) []string {
	bound, _ := races.Bind(query)
	return constants(placeholders.ReplaceAllString(bound, ""))
}

var placeholders = regexp.MustCompile(`\$[0-9]+`)

// varied returns the parameters that end up in written values: they differ between the two callers.
func varied(w *verdict.Write) []string {
	_, numbers := sqltext.Number(w.Query.Text)
	var names []string
	var collect func(*pg.Node)
	collect = func(n *pg.Node) {
		syntax.Walk(n, func(n *pg.Node) bool {
			if c := n.GetCaseExpr(); c != nil { // the condition of a CASE is the same for both
				collect(c.GetDefresult())
				for _, when := range c.GetArgs() {
					collect(when.GetCaseWhen().GetResult())
				}
				return false
			}
			if p := n.GetParamRef(); p != nil {
				name, ok := numbers[int(p.GetNumber())]
				if !ok {
					name = strconv.Itoa(int(p.GetNumber()))
				}
				names = append(names, name)
			}
			if _, name := syntax.Macro(n); name != "" {
				names = append(names, name)
				return false
			}
			return true
		})
	}
	for _, c := range w.Columns {
		collect(c.Value)
	}
	if w.Op == reading.Upsert {
		for column, n := range w.InsertedNode {
			conflict := false
			for _, c := range w.Conflict {
				conflict = conflict || c == column
			}
			if !conflict {
				collect(n)
			}
		}
	}
	return names
}
