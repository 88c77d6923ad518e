package rules

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
)

var untargetedDoNothing = &Rule{
	ID: "untargeted-do-nothing", Severity: Warning,
	Summary: "ON CONFLICT DO NOTHING without a target swallows every other constraint too.",
	check:   checkUntargetedDoNothing,
}

func checkUntargetedDoNothing(c *check) {
	for _, s := range c.query.Statements {
		for _, b := range s.Blocks {
			insert := b.Node.GetInsertStmt()
			clause := insert.GetOnConflictClause()
			if clause.GetAction() == pg.OnConflictAction_ONCONFLICT_NOTHING && clause.GetInfer() == nil && len(b.Relations) > 0 {
				c.untargeted(b.Relations[0])
			}
		}
	}
}

// untargeted reports a table that has more than one constraint to swallow.
func (c *check) untargeted(target *reading.Relation) {
	t := target.Table
	if len(t.Keys) < 2 && !(t.Exclude && len(t.Keys) > 0) {
		return
	}
	c.at(target.Location, t.String(), t.String()+" has "+others(t)+": a conflict with any of them is swallowed too.",
		"The caller takes a row that was refused for one that is there already.",
	).Try = "ON CONFLICT (" + list(t.Keys[0].Columns) + ") DO NOTHING"
}

func others(t *catalog.Table) string {
	text := key(t.Keys[0])
	for _, k := range t.Keys[1:] {
		text += " and " + key(k)
	}
	if t.Exclude {
		text += " and an exclusion constraint"
	}
	return text
}
