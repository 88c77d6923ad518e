package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// suggestion returns a guard that closes the race between two callers of an overwrite: after the first
// write it is false for the second caller. It returns nil if there is none.
func suggestion(w *verdict.Write) *Advice {
	if closedWhere(w) || w.Op == reading.Delete || len(overwritten(w)) == 0 {
		return nil
	}
	advices := []func(*verdict.Write) *Advice{checkVersion, checkLease, checkFirst, checkOldValues, addVersion}
	if !oneByKey(w) { // a caller knows one version, but each row has its own
		advices = []func(*verdict.Write) *Advice{checkLease, checkFirst}
	}
	for _, advise := range advices {
		if a := advise(w); a != nil {
			return a
		}
	}
	return nil
}

// oneByKey reports whether a write changes one row that the caller identifies by a key. A write that
// takes any row in some state has no caller who could lose.
func oneByKey(w *verdict.Write) bool {
	if w.Op == reading.Upsert {
		return w.Insert == nil || slices.IndexFunc(w.Conflict, func(column string) bool {
			return w.InsertedNode[column] == nil || !syntax.Param(syntax.Bare(w.InsertedNode[column]))
		}) < 0
	}
	return namedByCaller(w)
}

var (
	versions = []string{"version", "revision", "lock_version", "row_version"}
	integers = []string{"int2", "int4", "int8", "smallint", "integer", "bigint", "serial",
		"bigserial", "smallserial", "serial4", "serial8"}
)

// checkVersion suggests a test of the table's version column: a number that the write, or a trigger,
// increments.
func checkVersion(w *verdict.Write) *Advice {
	for _, name := range versions {
		c := w.Target.Table.Column(name)
		if c == nil || !slices.Contains(integers, c.Type) || !c.NotNull || len(c.Generated) > 0 ||
			w.Target.Table.KeyColumn(name) || !isLockVersion(w, c) {
			continue
		}
		seen := param(w.Query, name, 0)
		condition := qualified(w, name) + " = " + seen
		switch {
		case slices.Contains(w.Triggered, name) || slices.Contains(w.Set(verdict.RelativeSet), name):
			return guarded(w, CheckVersion, condition).sees(seen, name)
		case !sets(w, name):
			return guarded(w, CheckVersion, condition, increment(w, name)).sees(seen, name)
		}
	}
	return nil
}

// isLockVersion distinguishes a version for optimistic locking from a reference to a version of
// something else: it has a default number, and is only ever incremented.
func isLockVersion(w *verdict.Write, c *catalog.Column) bool {
	if w.Facts.Counts(w.Target.Table, c.Name) {
		return true
	}
	return syntax.Bare(c.Default).GetAConst().GetIval() != nil && len(w.Facts.Settings(w.Target.Table, c.Name)) == 0
}

func increment(w *verdict.Write, name string) string {
	return syntax.Quote(name) + " = " + qualified(w, name) + " + 1"
}

// addVersion suggests a new version column, where there are too many columns to compare, or one of a
// type without equality.
func addVersion(w *verdict.Write) *Advice {
	t := w.Target.Table
	i := slices.IndexFunc(versions, func(name string) bool { return t.Column(name) == nil })
	if i < 0 || !t.Known() {
		return nil
	}
	seen := param(w.Query, versions[i], 0)
	a := guarded(w, AddVersion, qualified(w, versions[i])+" = "+seen, increment(w, versions[i])).sees(seen, versions[i])
	a.Schema = fmt.Sprintf("ALTER TABLE %s ADD %s integer NOT NULL DEFAULT 1", quotedTable(t), versions[i])
	a.Text = a.Schema + "; " + a.Text
	return a
}

var (
	leaseHolders = regexp.MustCompile(`(^|_)(worker|lease|leased|lock|locked|claim|claimed|holder|held|` +
		`reserved|reserver|leader)(_by|_id|_to|_owner|_holder)?$`)
	until = regexp.MustCompile(
		`(^|_)(until|till|expires|expiry|expires_at|expires_on|expiration|deadline|valid_to|lease_end)$`)
	done  = regexp.MustCompile(`^(\w+)_(by|at|on)$`)
	again = []string{"updated", "modified", "changed", "edited", "touched", "seen", "used", "checked",
		"refreshed", "synced", "accessed", "created", "inserted", "last", "viewed", "read", "saved"}
)

// checkLease suggests a test that nobody holds the row, the lease has expired, or the caller already
// holds it. It applies to writes that set only the holder and the expiry.
func checkLease(w *verdict.Write) *Advice {
	holder, end := "", ""
	for _, c := range w.Columns {
		column := w.Target.Table.Column(c.Column)
		switch {
		case c.Class < verdict.RelativeSet && !isUntil(column, c):
		case c.Class != verdict.AbsoluteSet && c.Class != verdict.Clock || column == nil || c.Part:
			return nil
		case isUntil(column, c):
			end = c.Column
		case holder == "" && leaseHolders.MatchString(c.Column) && given(w, c):
			holder = c.Column
		default:
			return nil
		}
	}
	if holder == "" {
		return nil
	}
	var alternatives []string
	if !w.Target.Table.Column(holder).NotNull {
		alternatives = append(alternatives, qualified(w, holder)+" IS NULL")
	}
	if end != "" {
		alternatives = append(alternatives, qualified(w, end)+" < now()")
	}
	alternatives = append(alternatives, qualified(w, holder)+" = "+valueText(w, holder))
	return guarded(w, CheckLease, "("+strings.Join(alternatives, " OR ")+")")
}

// given reports whether a column is set to a parameter, or to the value that an upsert inserts.
func given(w *verdict.Write, c verdict.Column) bool {
	value := syntax.Bare(c.Value)
	names := syntax.Names(value.GetColumnRef().GetFields())
	return syntax.Param(value) || w.Op == reading.Upsert && len(names) == 2 && names[0] == "excluded"
}

// isUntil reports whether the write sets a time in the future rather than now. A time without a zone is
// excluded: comparing it with now() depends on the session's time zone.
func isUntil(c *catalog.Column, set verdict.Column) bool {
	return c != nil && c.Type == "timestamptz" && until.MatchString(c.Name) && set.Value != nil &&
		!reading.Clock(syntax.Bare(set.Value))
}

// checkFirst suggests a test that nobody was first: in "redeemed_by = @u, redeemed_at = now()",
// redeemed_at must still be null.
func checkFirst(w *verdict.Write) *Advice {
	for _, c := range w.Columns {
		m := done.FindStringSubmatch(c.Column)
		column := w.Target.Table.Column(c.Column)
		if m == nil || column == nil || column.NotNull || slices.Contains(again, m[1]) || c.Class != verdict.Clock ||
			!reading.Clock(syntax.Bare(c.Value)) {
			continue
		}
		if sets(w, m[1]+"_by") {
			return guarded(w, CheckFirst, qualified(w, c.Column)+" IS NULL")
		}
	}
	return nil
}

func sets(w *verdict.Write, column string) bool {
	return slices.ContainsFunc(w.Columns, func(c verdict.Column) bool { return c.Column == column })
}
