package shape

import (
	"fmt"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
)

// ForeignKeyScans is the rule that a foreign key is proved beside the callers.
var ForeignKeyScans = finding.Rule{
	Name: "foreign-key-scans",
	Load: "writers of both tables wait (SHARE ROW EXCLUSIVE) while each row is looked up",
	Safe: "-- +goose NO TRANSACTION; ADD CONSTRAINT x FOREIGN KEY … NOT VALID; then ALTER TABLE … VALIDATE " +
		"CONSTRAINT x",
}

func foreignKeyScans(f *file) (all []finding.Finding) {
	f.eachConstraint(func(s step, k *pg.Constraint, column *pg.ColumnDef) {
		if k.GetContype() != pg.ConstrType_CONSTR_FOREIGN || k.GetSkipValidation() || !s.grown() {
			return
		}
		all = append(all, f.at(ForeignKeyScans, s, k.GetConname(), fmt.Sprintf(
			"the foreign key %sfrom %s to %s is added without NOT VALID", spaced(k.GetConname()), s.table,
			k.GetPktable().GetRelname())))
	})
	return all
}

func spaced(name string) string {
	if name == "" {
		return ""
	}
	return name + " "
}

// CheckScans is the rule that a CHECK is proved beside the callers.
var CheckScans = finding.Rule{
	Name: "check-scans",
	Load: "the whole table is read under ACCESS EXCLUSIVE: everybody waits as long as that takes",
	Safe: "-- +goose NO TRANSACTION; ADD CONSTRAINT x CHECK (…) NOT VALID; then ALTER TABLE … VALIDATE CONSTRAINT x",
}

func checkScans(f *file) (all []finding.Finding) {
	f.eachConstraint(func(s step, k *pg.Constraint, column *pg.ColumnDef) {
		if k.GetContype() != pg.ConstrType_CONSTR_CHECK || k.GetSkipValidation() || !s.grown() {
			return
		}
		all = append(all, f.at(CheckScans, s, k.GetConname(), fmt.Sprintf(
			"the CHECK %sof %s is added without NOT VALID", spaced(k.GetConname()), s.table)))
	})
	return all
}

// UniqueBuilds is the rule that a constraint with an index takes one that is there.
var UniqueBuilds = finding.Rule{
	Name: "unique-builds-index",
	Load: "the index is built under ACCESS EXCLUSIVE: everybody waits as long as that takes",
	Safe: "CREATE UNIQUE INDEX CONCURRENTLY x …; then ADD CONSTRAINT x UNIQUE USING INDEX x",
}

func uniqueBuilds(f *file) (all []finding.Finding) {
	f.eachConstraint(func(s step, k *pg.Constraint, column *pg.ColumnDef) {
		switch k.GetContype() {
		case pg.ConstrType_CONSTR_UNIQUE, pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_EXCLUSION:
			if k.GetIndexname() == "" && s.grown() {
				all = append(all, f.at(UniqueBuilds, s, k.GetConname(), fmt.Sprintf(
					"the constraint %sof %s builds its index", spaced(k.GetConname()), s.table)))
			}
		}
	})
	return all
}

// Unnamed is the rule that each constraint has a name that is chosen. It is told where nothing is said to rest on
// names: without the setting constraints.
var Unnamed = finding.Rule{
	Name: "unnamed-constraint",
	Load: "PostgreSQL chooses the name, another after a rename of the column; a refusal cannot be told from others",
	Safe: "CONSTRAINT table_column_check CHECK (…), and so on",
}

func unnamed(f *file) (all []finding.Finding) {
	for _, s := range f.steps {
		for _, k := range constraintsOf(s.node) {
			switch k.GetContype() {
			case pg.ConstrType_CONSTR_CHECK, pg.ConstrType_CONSTR_FOREIGN, pg.ConstrType_CONSTR_UNIQUE,
				pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_EXCLUSION:
				if k.GetConname() == "" {
					found := f.at(Unnamed, s, s.table, "a constraint has no name: "+kind(k))
					if f.change.Settings.Constraints == "" {
						found = found.Told()
					}
					all = append(all, found)
				}
			}
		}
	}
	return all
}

func kind(k *pg.Constraint) string {
	return map[pg.ConstrType]string{pg.ConstrType_CONSTR_CHECK: "CHECK", pg.ConstrType_CONSTR_FOREIGN: "FOREIGN KEY",
		pg.ConstrType_CONSTR_UNIQUE: "UNIQUE", pg.ConstrType_CONSTR_PRIMARY: "PRIMARY KEY",
		pg.ConstrType_CONSTR_EXCLUSION: "EXCLUDE"}[k.GetContype()]
}

// constraintsOf returns the constraints that a statement makes, those of columns among them.
func constraintsOf(n *pg.Node) (all []*pg.Constraint) {
	elements := n.GetCreateStmt().GetTableElts()
	for _, c := range n.GetAlterTableStmt().GetCmds() {
		elements = append(elements, c.GetAlterTableCmd().GetDef())
	}
	for _, e := range elements {
		if k := e.GetConstraint(); k != nil {
			all = append(all, k)
		}
		for _, k := range e.GetColumnDef().GetConstraints() {
			all = append(all, k.GetConstraint())
		}
	}
	return all
}
