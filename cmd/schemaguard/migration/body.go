package migration

import (
	"regexp"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
)

// starts is where a statement of SQL can begin in a body of PL/pgSQL, after BEGIN, THEN, LOOP and ELSE.
var starts = regexp.MustCompile(`(?i)\b(insert\s+into|update|delete\s+from|truncate|alter|create|drop|lock|merge)\b`)

// inside returns the statements in a DO block that can be read without running it. What it puts together
// from texts is not among them.
func inside(n *pg.Node) (all []*pg.Node) {
	for _, arg := range n.GetDoStmt().GetArgs() {
		if d := arg.GetDefElem(); d.GetDefname() == "as" {
			body := d.GetArg().GetString_().GetSval()
			for _, span := range sqltext.Statements(body) {
				all = append(all, readable(body[span.Start:span.End])...)
			}
		}
	}
	return all
}

// readable returns the statement at the end of a part of a body.
func readable(text string) []*pg.Node {
	for _, at := range starts.FindAllStringIndex(text, -1) {
		nodes, err := syntax.Parse(withoutInto(text[at[0]:]))
		if err == nil && len(nodes) == 1 {
			return nodes
		}
	}
	return nil
}

// withoutInto removes RETURNING … INTO, which is PL/pgSQL.
func withoutInto(text string) string {
	lower := strings.ToLower(text)
	if at := strings.LastIndex(lower, "returning"); at >= 0 && strings.Contains(lower[at:], " into ") {
		return text[:at]
	}
	return text
}
