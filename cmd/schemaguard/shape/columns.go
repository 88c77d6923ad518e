package shape

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/sqlguard/syntax"
)

// ColumnRewrites is the rule that a new column does not write the table anew.
var ColumnRewrites = finding.Rule{
	Name: "add-column-rewrites",
	Load: "the table is written anew under ACCESS EXCLUSIVE: nobody reads or writes it meanwhile (16.8 s with " +
		"300,000 rows were measured)",
	Safe: "ADD COLUMN without the default, ALTER COLUMN … SET DEFAULT for new rows, and a backfill in batches",
}

func columnRewrites(f *file) (all []finding.Finding) {
	f.eachCommand(func(s step, c *pg.AlterTableCmd) {
		if c.GetSubtype() != pg.AlterTableType_AT_AddColumn || !s.grown() {
			return
		}
		column := c.GetDef().GetColumnDef()
		if why := f.writesEachRow(column); why != "" {
			all = append(all, f.at(ColumnRewrites, s, s.table,
				fmt.Sprintf("the new column %s.%s %s", s.table, column.GetColname(), why)))
		}
	})
	return all
}

// writesEachRow returns why a new column's value is not the same for all rows, or "".
func (f *file) writesEachRow(column *pg.ColumnDef) string {
	kind := syntax.Last(column.GetTypeName().GetNames())
	if slices.Contains([]string{"serial", "bigserial", "smallserial"}, kind) {
		return "is a " + kind
	}
	if f.facts.domains[kind] {
		return "has a domain with a constraint, " + kind
	}
	for _, n := range column.GetConstraints() {
		k := n.GetConstraint()
		switch {
		case k.GetContype() == pg.ConstrType_CONSTR_IDENTITY:
			return "is an identity"
		case k.GetContype() == pg.ConstrType_CONSTR_GENERATED && k.GetGeneratedKind() != "v":
			return "is generated and stored"
		case k.GetContype() == pg.ConstrType_CONSTR_DEFAULT:
			if name := f.volatile(k.GetRawExpr()); name != "" {
				return "has a volatile default, " + name + "()"
			}
		}
	}
	return ""
}

// volatile returns a function in an expression that gives another value for each row, or "".
func (f *file) volatile(n *pg.Node) (name string) {
	syntax.Walk(n, func(n *pg.Node) bool {
		if call := n.GetFuncCall(); call != nil {
			if _, called := syntax.Function(call); f.facts.volatile[called] {
				name = called
			}
		}
		return true
	})
	return name
}

// ColumnNotNull is the rule that a new column takes rows that do not set it.
var ColumnNotNull = finding.Rule{
	Name: "add-column-not-null",
	Load: "with rows in the table the migration fails; without, every INSERT of the servers that still run does " +
		"(SQLSTATE 23502)",
	Safe: "NOT NULL with a constant DEFAULT, or nullable first, and NOT NULL when all rows and servers set it",
}

func columnNotNull(f *file) (all []finding.Finding) {
	f.eachConstraint(func(s step, k *pg.Constraint, column *pg.ColumnDef) {
		if k.GetContype() != pg.ConstrType_CONSTR_NOTNULL || column == nil || hasValue(column) {
			return
		}
		all = append(all, f.at(ColumnNotNull, s, s.table, fmt.Sprintf(
			"the new column %s.%s is NOT NULL and has no default", s.table, column.GetColname())))
	})
	return all
}

func hasValue(column *pg.ColumnDef) bool {
	return slices.ContainsFunc(column.GetConstraints(), func(n *pg.Node) bool {
		switch n.GetConstraint().GetContype() {
		case pg.ConstrType_CONSTR_DEFAULT, pg.ConstrType_CONSTR_GENERATED, pg.ConstrType_CONSTR_IDENTITY:
			return true
		}
		return false
	}) || strings.HasSuffix(syntax.Last(column.GetTypeName().GetNames()), "serial")
}

// NotNull is the rule that NOT NULL is proved before it is set.
var NotNull = finding.Rule{
	Name: "set-not-null",
	Load: "the whole table is read under ACCESS EXCLUSIVE: everybody waits as long as that takes",
	Safe: "ADD CONSTRAINT x CHECK (column IS NOT NULL) NOT VALID; VALIDATE CONSTRAINT x; then SET NOT NULL, which " +
		"PostgreSQL takes from the constraint; DROP CONSTRAINT x; each a statement of its own, without a transaction",
}

func setNotNull(f *file) (all []finding.Finding) {
	f.eachCommand(func(s step, c *pg.AlterTableCmd) {
		if c.GetSubtype() != pg.AlterTableType_AT_SetNotNull || !s.grown() || f.provedNotNull(s, c.GetName()) {
			return
		}
		all = append(all, f.at(NotNull, s, s.table, fmt.Sprintf(
			"SET NOT NULL of %s.%s, without a validated CHECK that says so", s.table, c.GetName())))
	})
	return all
}

// provedNotNull reports whether a constraint that holds for all rows says that a column is not null: one of
// the base, or one that the change adds and validates above.
func (f *file) provedNotNull(s step, column string) bool {
	if f.facts.checks[s.table+"=CHECK (("+column+" IS NOT NULL))"] {
		return true
	}
	added, validated := "", false
	for _, m := range f.change.New {
		for _, st := range m.Up {
			if m == f.Migration && st.Line >= s.Line {
				return added != "" && validated
			}
			for _, n := range st.Node.GetAlterTableStmt().GetCmds() {
				c := n.GetAlterTableCmd()
				k := c.GetDef().GetConstraint()
				test := k.GetRawExpr().GetNullTest()
				switch {
				case test.GetNulltesttype() == pg.NullTestType_IS_NOT_NULL && k.GetSkipValidation() &&
					syntax.Last(test.GetArg().GetColumnRef().GetFields()) == column:
					added = k.GetConname()
				case c.GetSubtype() == pg.AlterTableType_AT_ValidateConstraint && c.GetName() == added:
					validated = true
				}
			}
		}
	}
	return false
}

// AlterType is the rule that a column keeps its type.
var AlterType = finding.Rule{
	Name: "alter-type",
	Load: "the table and its indexes are written anew under ACCESS EXCLUSIVE, and servers that still run read and " +
		"write the old type",
	Safe: "a new column of the new type beside the old, written by both releases, filled in batches; readers move in " +
		"one release, and the old column goes in the next",
}

func alterType(f *file) (all []finding.Finding) {
	f.eachCommand(func(s step, c *pg.AlterTableCmd) {
		if c.GetSubtype() != pg.AlterTableType_AT_AlterColumnType || !s.grown() {
			return
		}
		old := f.facts.types[s.table+"."+c.GetName()]
		if c.GetDef().GetColumnDef().GetRawDefault() == nil && widens(old, typeText(c.GetDef().GetColumnDef())) {
			return
		}
		all = append(all, f.at(AlterType, s, s.table, fmt.Sprintf("the type of %s.%s (%s) is changed",
			s.table, c.GetName(), old)))
	})
	return all
}

var varying = regexp.MustCompile(`^(?:character varying|varchar)(?:\((\d+)\))?$`)

// widens reports whether PostgreSQL changes the type without looking at a row.
func widens(old, now string) bool {
	a, b := varying.FindStringSubmatch(old), varying.FindStringSubmatch(now)
	switch {
	case a != nil && now == "text":
		return true
	case a != nil && b != nil:
		m, _ := strconv.Atoi(a[1])
		n, _ := strconv.Atoi(b[1])
		return b[1] == "" || a[1] != "" && n >= m
	}
	return false
}

// typeText returns a column's type as far as widens needs it.
func typeText(column *pg.ColumnDef) string {
	name := syntax.Last(column.GetTypeName().GetNames())
	if mods := column.GetTypeName().GetTypmods(); len(mods) == 1 {
		return fmt.Sprintf("%s(%d)", name, mods[0].GetAConst().GetIval().GetIval())
	}
	return name
}
