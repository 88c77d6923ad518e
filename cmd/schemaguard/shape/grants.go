package shape

import (
	"fmt"
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
)

// WideGrant is the rule that a role gets what its statements need.
var WideGrant = finding.Rule{
	Name: "wide-grant",
	Load: "a mistake in one statement, or whoever gets at the application's connection, can empty or change tables " +
		"that no statement of the application touches",
	Safe: "GRANT SELECT, INSERT … ON the table TO the application's role, as its statements need it",
}

func wideGrant(f *file) (all []finding.Finding) {
	for _, s := range f.steps {
		g := s.node.GetGrantStmt()
		if !g.GetIsGrant() || g.GetObjtype() != pg.ObjectType_OBJECT_TABLE {
			continue
		}
		if what := tooMuch(g); what != "" {
			all = append(all, f.at(WideGrant, s, firstTable(g.GetObjects()), fmt.Sprintf("GRANT %s", what)))
		}
	}
	return all
}

// tooMuch returns what a grant of a table gives beyond rows, or to everybody, or "".
func tooMuch(g *pg.GrantStmt) string {
	if len(g.GetPrivileges()) == 0 {
		return "ALL"
	}
	for _, p := range g.GetPrivileges() {
		name := p.GetAccessPriv().GetPrivName()
		if slices.Contains([]string{"truncate", "trigger", "references", "maintain"}, name) {
			return strings.ToUpper(name)
		}
	}
	for _, r := range g.GetGrantees() {
		if r.GetRoleSpec().GetRoletype() == pg.RoleSpecType_ROLESPEC_PUBLIC {
			return "to PUBLIC"
		}
	}
	if g.GetTargtype() != pg.GrantTargetType_ACL_TARGET_OBJECT {
		return "on all tables"
	}
	if g.GetGrantOption() {
		return "with grant option"
	}
	return ""
}

// SearchPath is the rule that a function with its owner's rights calls what it means.
var SearchPath = finding.Rule{
	Name: "open-search-path",
	Load: "whoever calls the function chooses the tables and functions that it uses, with its owner's rights",
	Safe: "SECURITY DEFINER SET search_path = pg_catalog, public",
}

func searchPath(f *file) (all []finding.Finding) {
	for _, s := range f.steps {
		if c := s.node.GetCreateFunctionStmt(); c != nil && option(c, "security") && !option(c, "set") {
			all = append(all, f.at(SearchPath, s, s.table, "a SECURITY DEFINER function without a search_path of its "+
				"own"))
		}
	}
	return all
}

// option reports whether a function has an option; "security" is DEFINER, not INVOKER.
func option(c *pg.CreateFunctionStmt, name string) bool {
	return slices.ContainsFunc(c.GetOptions(), func(n *pg.Node) bool {
		d := n.GetDefElem()
		invoker := name == "security" && d.GetArg().GetBoolean() != nil && !d.GetArg().GetBoolean().GetBoolval()
		return d.GetDefname() == name && !invoker
	})
}

// ProtectionRemoved is the rule that what guards rows stays.
var ProtectionRemoved = finding.Rule{
	Name: "protection-removed",
	Load: "from the commit on, rows are shown or written that the policy or trigger refused; what is written " +
		"meanwhile stays",
	Safe: "ALTER POLICY, CREATE OR REPLACE TRIGGER or FUNCTION: the old guard holds until the new one does",
}

func protectionRemoved(f *file) (all []finding.Finding) {
	f.eachCommand(func(s step, c *pg.AlterTableCmd) {
		switch c.GetSubtype() {
		case pg.AlterTableType_AT_DisableRowSecurity, pg.AlterTableType_AT_NoForceRowSecurity:
			all = append(all, f.at(ProtectionRemoved, s, s.table, "row-level security of "+s.table+" is disabled"))
		case pg.AlterTableType_AT_DisableTrig, pg.AlterTableType_AT_DisableTrigAll,
			pg.AlterTableType_AT_DisableTrigUser:
			all = append(all, f.at(ProtectionRemoved, s, s.table, "triggers of "+s.table+" are disabled"))
		}
	})
	for _, s := range f.steps {
		kind := s.node.GetDropStmt().GetRemoveType()
		dropped := kind == pg.ObjectType_OBJECT_POLICY || kind == pg.ObjectType_OBJECT_TRIGGER
		if dropped && s.used() && (f.NoTransaction || !f.madeAgain(s)) {
			all = append(all, f.at(ProtectionRemoved, s, s.table, "a policy or trigger of "+s.table+" is dropped"))
		}
	}
	return all
}

// madeAgain reports whether the migration makes a policy or trigger on the step's table, too.
func (f *file) madeAgain(s step) bool {
	return slices.ContainsFunc(f.steps, func(o step) bool {
		return o.table == s.table && (o.node.GetCreatePolicyStmt() != nil || o.node.GetCreateTrigStmt() != nil)
	})
}
