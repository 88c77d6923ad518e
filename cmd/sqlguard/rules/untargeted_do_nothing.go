package rules

import (
	"regexp"
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
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
			if clause.GetAction() == pg.OnConflictAction_ONCONFLICT_NOTHING && clause.GetInfer() == nil &&
				len(b.Relations) > 0 {
				c.untargeted(b.Relations[0], insert)
			}
		}
	}
}

// untargeted reports an ON CONFLICT DO NOTHING on a table with more than one constraint.
func (c *check) untargeted(target *reading.Relation, insert *pg.InsertStmt) {
	t := target.Table
	keys := slices.DeleteFunc(slices.Clone(t.Keys), func(k *catalog.Key) bool { return fresh(t, k, insert) })
	if len(keys) < 2 && !(t.Exclude && len(keys) > 0) {
		return
	}
	c.at(target.Location, t.String(),
		t.String()+" has "+others(t, keys)+": a conflict with any of them is swallowed too.",
		"The caller mistakes a refused row for one that already exists.",
	).Advice = c.nameConflict(target, keys)
}

// nameConflict suggests the first key that columns alone can name as the conflict target.
func (c *check) nameConflict(target *reading.Relation, keys []*catalog.Key) *Advice {
	i := slices.IndexFunc(keys, func(k *catalog.Key) bool { return !k.Partial && !k.Exprs })
	at := sqltext.After(c.query.Text, target.Location, "on", "conflict")
	if i < 0 || at < 0 {
		return nil
	}
	columns := "(" + quotedList(keys[i].Columns) + ")"
	return &Advice{Kind: NameConflict,
		Text:  "ON CONFLICT " + columns + " DO NOTHING   -- the key of a repeated request",
		Edits: []sqltext.Edit{{Start: at, End: at, Text: " " + columns}}}
}

// unique matches functions that return values which no row has yet.
var unique = regexp.MustCompile(`(?i)uuid|ulid|nanoid|ksuid|^nextval$|^gen_random_bytes$`)

// fresh reports whether an INSERT fills a column of the key with a new unique value or a default.
func fresh(t *catalog.Table, k *catalog.Key, insert *pg.InsertStmt) bool {
	return slices.ContainsFunc(k.Columns, func(column string) bool {
		i := slices.IndexFunc(insert.GetCols(), func(n *pg.Node) bool { return n.GetResTarget().GetName() == column })
		if i < 0 && len(insert.GetCols()) > 0 {
			c := t.Column(column)
			return c != nil && (c.Identity || strings.HasSuffix(c.Type, "serial") || makesUnique(c.Default) ||
				c.Default == nil && !c.NotNull && !k.Exprs && len(c.Generated) == 0)
		}
		return i >= 0 && insertsUnique(insert.GetSelectStmt().GetSelectStmt(), i)
	})
}

func insertsUnique(s *pg.SelectStmt, i int) bool {
	if targets := s.GetTargetList(); i < len(targets) {
		return makesUnique(targets[i].GetResTarget().GetVal())
	}
	rows := s.GetValuesLists()
	return len(rows) > 0 && !slices.ContainsFunc(rows, func(row *pg.Node) bool {
		items := row.GetList().GetItems()
		return i >= len(items) || !makesUnique(items[i])
	})
}

func makesUnique(n *pg.Node) bool {
	f := syntax.Bare(n).GetFuncCall()
	_, name := syntax.Function(f)
	return f != nil && unique.MatchString(name)
}

func others(t *catalog.Table, keys []*catalog.Key) string {
	text := key(keys[0])
	for _, k := range keys[1:] {
		text += " and " + key(k)
	}
	if t.Exclude {
		text += " and an exclusion constraint"
	}
	return text
}
