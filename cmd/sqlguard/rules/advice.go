package rules

import (
	"slices"
	"strings"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/verdict"
)

// AdviceKind is a kind of suggestion.
type AdviceKind string

// The kinds of suggestions. A test runs each against PostgreSQL: the race is lost before,
// and closed after.
const (
	CheckVersion   AdviceKind = "check-version"    // AND version = @version, which the write moves
	AddVersion     AdviceKind = "add-version"      // the same with a new column
	CheckLease     AdviceKind = "check-lease"      // AND nobody else holds the row
	CheckFirst     AdviceKind = "check-first"      // AND nobody has done it yet
	CheckOldValues AdviceKind = "check-old-values" // AND the columns are as the caller saw them
	CheckBefore    AdviceKind = "check-before"     // AND the state is one that the step may start from
	MoveForward    AdviceKind = "move-forward"     // GREATEST(c, @c)
	RequireGuard   AdviceKind = "require-guard"    // the guard without the caller's way out
	RepeatTest     AdviceKind = "repeat-test"      // the test of a subselect in the WHERE too
	LockTested     AdviceKind = "lock-tested"      // FOR UPDATE in the SELECT that tests
	TakeUnlocked   AdviceKind = "take-unlocked"    // FOR UPDATE SKIP LOCKED in it
	TellLoss       AdviceKind = "tell-loss"        // :execrows
	ReadAfresh     AdviceKind = "read-afresh"      // the reason for a loss in another statement
	LockInOrder    AdviceKind = "lock-in-order"    // ORDER BY its key FOR NO KEY UPDATE
	WriteOnce      AdviceKind = "write-once"       // one UPDATE instead of two
	NameConflict   AdviceKind = "name-conflict"    // ON CONFLICT (key) DO NOTHING
	LimitRows      AdviceKind = "limit-rows"       // LIMIT
	AskForTenant   AdviceKind = "ask-for-tenant"   // AND tenant_id = @tenant_id
)

// AdviceKinds are all kinds.
var AdviceKinds = []AdviceKind{
	CheckVersion, AddVersion, CheckLease, CheckFirst, CheckOldValues, CheckBefore, MoveForward, RequireGuard,
	RepeatTest, LockTested, TakeUnlocked, TellLoss, ReadAfresh, LockInOrder,
	WriteOnce, NameConflict, LimitRows, AskForTenant,
}

// Advice is a change that closes what was found.
type Advice struct {
	Kind   AdviceKind
	Text   string         // for people
	Edits  []sqltext.Edit // of the query's text; none where the text says more than can be done by rote
	Schema string         // what the schema needs first

	// Seen are the new parameters, each with the expression of the row that a caller reads
	// before: its version, its old values.
	Seen map[string]string
}

// sees notes a new parameter.
func (a *Advice) sees(param, expression string) *Advice {
	if a.Seen == nil {
		a.Seen = map[string]string{}
	}
	a.Seen[strings.TrimLeft(param, "@$")] = expression
	return a
}

// Try is the suggestion, or "".
func (f Finding) Try() string {
	if f.Advice == nil {
		return ""
	}
	return f.Advice.Text
}

// lost says what the caller must look at.
const lost = "   -- :execrows, 0 rows = lost"

// closedWhere reports whether no condition can be added to a WHERE: CURRENT OF stands alone,
// and those of a MERGE's clauses are elsewhere.
func closedWhere(w *verdict.Write) bool { return w.Clause > 0 || byCursor(w.Conditions) }

func byCursor(conditions []reading.Condition) bool {
	return slices.ContainsFunc(conditions, func(c reading.Condition) bool { return c.Node.GetCurrentOfExpr() != nil })
}

// guarded is the advice to add a condition to the WHERE of a write, and assignments to
// its SET.
func guarded(w *verdict.Write, kind AdviceKind, condition string, assignments ...string) *Advice {
	a := &Advice{Kind: kind, Text: "… " + glue(w) + condition + lost}
	for _, set := range assignments {
		a.Text = set + " " + a.Text
	}
	if w.Function != "" || w.Query == nil {
		return a
	}
	c := clauses(w)
	for _, set := range assignments {
		a.Edits = append(a.Edits, sqltext.Edit{Start: c.SetEnd, End: c.SetEnd, Text: ", " + set})
	}
	a.Edits = append(a.Edits, c.And(condition)...)
	return a
}
