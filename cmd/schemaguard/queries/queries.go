// Package queries has the rules about the statements of the head that sqlguard does not have: it reads texts,
// and these also ask a database.
package queries

import (
	"fmt"
	"regexp"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
)

// CheckTexts runs the rules that need no database.
func CheckTexts(c *change.Change) (all []finding.Finding) {
	for _, q := range query.Read(c.Head, c.Settings.Queries) {
		nodes, err := query.Nodes(q.Source)
		if err != nil {
			continue // PostgreSQL says so
		}
		all = append(all, limitless(q, nodes)...)
		all = append(all, silent(q, nodes)...)
	}
	return append(all, hollow(c)...)
}

// Limitless is the rule that a LIMIT limits.
var Limitless = finding.Rule{
	Name: "limit-that-is-none",
	Load: "one request loads as many rows as there are, and holds them in memory and in a transaction",
	Safe: "LIMIT @max_rows::int, which the API bounds, with keyset pagination",
}

// most is the greatest number of rows that one answer has.
const most = 100_000

func limitless(q query.Query, nodes []*pg.Node) (all []finding.Finding) {
	if q.Command != ":many" || len(nodes) != 1 {
		return nil
	}
	if why := boundless(nodes[0].GetSelectStmt().GetLimitCount()); why != "" {
		all = append(all, Limitless.At(q.Path, q.Line, q.Name, fmt.Sprintf("the LIMIT of %s is none: %s", q.Name, why)))
	}
	return all
}

// boundless returns why a LIMIT does not limit, or "".
func boundless(limit *pg.Node) (why string) {
	if limit == nil {
		return ""
	}
	if k := syntax.Bare(limit).GetAConst(); k.GetIsnull() {
		return "it is NULL"
	}
	if macro, _ := syntax.Macro(syntax.Bare(limit)); macro == "narg" {
		return "the caller can leave it out"
	}
	syntax.Walk(limit, func(n *pg.Node) bool {
		k := n.GetAConst()
		if k.GetIval().GetIval() > most || k.GetFval() != nil {
			why = "it can be more than " + fmt.Sprint(most)
		}
		return true
	})
	return why
}

// Silent is the rule that the caller of a write knows what became of it.
var Silent = finding.Rule{
	Name: "silent-write",
	Load: "a write that found no row, because another was faster, is answered as done",
	Safe: ":execrows, or :one with RETURNING; 0 rows is an answer of its own",
}

func silent(q query.Query, nodes []*pg.Node) (all []finding.Finding) {
	if q.Command != ":exec" && q.Command != ":batchexec" {
		return nil
	}
	what := ""
	syntax.WalkAll(nodes, func(n *pg.Node) bool {
		switch {
		case n.GetUpdateStmt() != nil:
			what = "an UPDATE"
		case n.GetDeleteStmt() != nil:
			what = "a DELETE"
		case n.GetMergeStmt() != nil:
			what = "a MERGE"
		case n.GetInsertStmt().GetOnConflictClause() != nil:
			what = "an INSERT … ON CONFLICT"
		}
		return true
	})
	if what != "" {
		all = append(all, Silent.At(q.Path, q.Line, q.Name, fmt.Sprintf("%s is %s, and has %s", q.Name, q.Command,
			what)))
	}
	return all
}

// Hollow is the rule that a waiver of sqlguard has a reason.
var Hollow = finding.Rule{
	Name: "hollow-waiver",
	Load: "the write races as sqlguard says, and nobody looks at it again",
	Safe: "reason=\"…\" says what makes the write safe: which lock, which single caller, which order",
}

var waiver = regexp.MustCompile(`^--\s*@write\b.*\breason="([^"]*)"`)

func hollow(c *change.Change) (all []finding.Finding) {
	for _, p := range c.Head.Under(c.Settings.Queries, ".sql") {
		text := c.Head[p]
		lines := sqltext.NewLines(text)
		for _, span := range sqltext.Comments(text) {
			m := waiver.FindStringSubmatch(text[span.Start:span.End])
			if m == nil {
				continue
			}
			if why := finding.Hollow(m[1]); why != "" {
				line, _ := lines.Position(span.Start)
				all = append(all, Hollow.At(p, line, "", "the reason of a waiver says nothing: "+why))
			}
		}
	}
	return all
}
