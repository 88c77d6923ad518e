package shape

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/sqlguard/syntax"
)

// Rerun is the rule that what runs without a transaction can run again.
var Rerun = finding.Rule{
	Name: "cannot-run-again",
	Load: "where the migration stops in the middle (a kill, a lock_timeout), its next run fails at what is done " +
		"already, and somebody must put it right by hand",
	Safe: "IF [NOT] EXISTS, OR REPLACE, ON CONFLICT DO NOTHING, or DROP … IF EXISTS before what is added",
}

func notRerunnable(f *file) (all []finding.Finding) {
	if !f.NoTransaction {
		return nil
	}
	for i, s := range f.steps {
		if what := f.failsAgain(s, f.steps[:i]); what != "" {
			all = append(all, f.at(Rerun, s, s.table, "without a transaction, and fails when it runs again: "+what))
		}
	}
	return all
}

// failsAgain returns what of a step fails if it was done before, or "".
func (f *file) failsAgain(s step, before []step) string {
	n := s.node
	switch {
	case n.GetCreateStmt() != nil && !n.GetCreateStmt().GetIfNotExists():
		return "CREATE TABLE"
	case n.GetIndexStmt() != nil && !n.GetIndexStmt().GetIfNotExists() && !dropped(before,
		n.GetIndexStmt().GetIdxname()):
		return "CREATE INDEX"
	case n.GetDropStmt() != nil && !n.GetDropStmt().GetMissingOk():
		return "DROP"
	case n.GetAlterEnumStmt() != nil && !n.GetAlterEnumStmt().GetSkipIfNewValExists():
		return "ADD VALUE"
	case n.GetRenameStmt() != nil:
		return "RENAME"
	case n.GetInsertStmt() != nil && n.GetInsertStmt().GetOnConflictClause() == nil:
		return "INSERT"
	case n.GetCreateTrigStmt() != nil && !n.GetCreateTrigStmt().GetReplace() && !named(before,
		n.GetCreateTrigStmt().GetTrigname()):
		return "CREATE TRIGGER"
	case n.GetCreatePolicyStmt() != nil && !named(before, n.GetCreatePolicyStmt().GetPolicyName()):
		return "CREATE POLICY"
	case n.GetCreateFunctionStmt() != nil && !n.GetCreateFunctionStmt().GetReplace():
		return "CREATE FUNCTION"
	case n.GetCreateEnumStmt() != nil:
		return "CREATE TYPE"
	}
	return failingCommand(s, before)
}

// failingCommand is failsAgain for ALTER TABLE.
func failingCommand(s step, before []step) string {
	cmds := s.node.GetAlterTableStmt().GetCmds()
	for i, n := range cmds {
		c := n.GetAlterTableCmd()
		switch c.GetSubtype() {
		case pg.AlterTableType_AT_AddColumn:
			if !c.GetMissingOk() {
				return "ADD COLUMN"
			}
		case pg.AlterTableType_AT_DropColumn, pg.AlterTableType_AT_DropConstraint:
			if !c.GetMissingOk() {
				return "DROP"
			}
		case pg.AlterTableType_AT_AddConstraint:
			name := c.GetDef().GetConstraint().GetConname()
			if !dropsConstraint(cmds[:i], name) && !slices.ContainsFunc(before, func(b step) bool {
				return dropsConstraint(b.node.GetAlterTableStmt().GetCmds(), name)
			}) {
				return "ADD CONSTRAINT"
			}
		}
	}
	return ""
}

func dropsConstraint(cmds []*pg.Node, name string) bool {
	return slices.ContainsFunc(cmds, func(n *pg.Node) bool {
		c := n.GetAlterTableCmd()
		return c.GetSubtype() == pg.AlterTableType_AT_DropConstraint && c.GetName() == name && c.GetMissingOk()
	})
}

// named reports whether one of the steps drops something of that name, if it is there.
func named(before []step, name string) bool {
	return slices.ContainsFunc(before, func(s step) bool {
		d := s.node.GetDropStmt()
		return d.GetMissingOk() && slices.ContainsFunc(d.GetObjects(), func(o *pg.Node) bool {
			return syntax.Last(o.GetList().GetItems()) == name
		})
	})
}

// Unreadable is the rule that each statement can be read.
var Unreadable = finding.Rule{
	Name: "unreadable-statement",
	Load: "PostgreSQL refuses it, and the deployment stops",
	Safe: "correct it; a body with semicolons stands between -- +goose StatementBegin and StatementEnd",
}

func unreadable(f *file) (all []finding.Finding) {
	for _, s := range slices.Concat(f.Up, f.Down) {
		if s.Err != nil {
			all = append(all, Unreadable.At(f.Path, s.Line, "", s.Err.Error()))
		}
	}
	return all
}
