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

// The kinds of suggestions. A test runs each against PostgreSQL: the race is lost without it, and
// closed with it.
const (
	CheckVersion   AdviceKind = "check-version"    // AND version = @version, and the write increments it
	AddVersion     AdviceKind = "add-version"      // the same with a new column
	CheckLease     AdviceKind = "check-lease"      // AND nobody else holds the row
	CheckFirst     AdviceKind = "check-first"      // AND it has not been done yet
	CheckOldValues AdviceKind = "check-old-values" // AND the columns are as the caller read them
	CheckBefore    AdviceKind = "check-before"     // AND the transition is allowed from the current state
	MoveForward    AdviceKind = "move-forward"     // GREATEST(c, @c)
	RequireGuard   AdviceKind = "require-guard"    // the guard without the optional part
	RepeatTest     AdviceKind = "repeat-test"      // the subselect's test in the WHERE too
	LockTested     AdviceKind = "lock-tested"      // FOR UPDATE in the testing SELECT
	TakeUnlocked   AdviceKind = "take-unlocked"    // FOR UPDATE SKIP LOCKED in the testing SELECT
	TellLoss       AdviceKind = "tell-loss"        // :execrows
	ReadAfresh     AdviceKind = "read-afresh"      // explain a loss in a statement of its own
	LockInOrder    AdviceKind = "lock-in-order"    // lock the rows ORDER BY key FOR NO KEY UPDATE first
	WriteOnce      AdviceKind = "write-once"       // one UPDATE instead of two
	NameConflict   AdviceKind = "name-conflict"    // ON CONFLICT (key) DO NOTHING
	LimitRows      AdviceKind = "limit-rows"       // LIMIT
	AskForTenant   AdviceKind = "ask-for-tenant"   // AND tenant_id = @tenant_id
)

// AdviceKinds lists all kinds.
var AdviceKinds = []AdviceKind{
	CheckVersion, AddVersion, CheckLease, CheckFirst, CheckOldValues, CheckBefore, MoveForward, RequireGuard,
	RepeatTest, LockTested, TakeUnlocked, TellLoss, ReadAfresh, LockInOrder,
	WriteOnce, NameConflict, LimitRows, AskForTenant,
}

// Advice is a suggested change that closes a race.
type Advice struct {
	Kind   AdviceKind
	Text   string         // for display
	Edits  []sqltext.Edit // edits of the query's text; empty where the change cannot be applied mechanically
	Schema string         // DDL that is needed first

	// Seen are the new parameters, each with the expression that a caller reads from the row
	// beforehand: its version, its old values.
	Seen map[string]string
}

// sees adds a new parameter.
func (a *Advice) sees(param, expression string) *Advice {
	if a.Seen == nil {
		a.Seen = map[string]string{}
	}
	a.Seen[strings.TrimLeft(param, "@$")] = expression
	return a
}

// Try returns the suggestion, or "".
func (f Finding) Try() string {
	if f.Advice == nil {
		return ""
	}
	return f.Advice.Text
}

// lost tells the caller to check the row count.
const lost = "   -- :execrows, 0 rows = lost"

// closedWhere reports whether no condition can be added to the WHERE: CURRENT OF must stand alone, and
// the clauses of a MERGE have conditions of their own.
func closedWhere(w *verdict.Write) bool { return w.Clause > 0 || byCursor(w.Conditions) }

func byCursor(conditions []reading.Condition) bool {
	return slices.ContainsFunc(conditions, func(c reading.Condition) bool { return c.Node.GetCurrentOfExpr() != nil })
}

// guarded suggests adding a condition to the WHERE of a write, and assignments to its SET.
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
