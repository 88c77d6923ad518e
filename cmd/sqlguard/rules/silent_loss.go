package rules

import (
	"slices"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/verdict"
)

var silentLoss = &Rule{
	ID: "silent-loss", Severity: Warning,
	Summary: "A guarded write whose caller cannot know that it lost.",
	check:   checkSilentLoss,
}

func checkSilentLoss(c *check) {
	advice := &Advice{Kind: TellLoss, Text: "-- name: " + c.query.Name + " :execrows   (or :one with RETURNING)"}
	switch c.query.Command {
	case ":exec":
	case ":batchexec": // there is no :batchexecrows in sqlc
		advice.Text = "-- name: " + c.query.Name + " :batchone, with RETURNING"
	default:
		return
	}
	for _, w := range c.query.Writes {
		if !w.Verdict.Guarded() || w.Function != "" || !oneByKey(w) || alreadySo(w) || newestWins(w) ||
			overwritesBehind(w) {
			continue
		}
		f := c.on(w, "The write does nothing if its guard fails, and "+c.query.Command+" does not report that.",
			"The caller cannot distinguish a lost write from a successful one.")
		f.Advice = advice
		if w.Verdict != verdict.Conditional || w.Kind == verdict.Liveness {
			f.Severity = Note
		}
	}
}

// namedByCaller reports whether the caller identifies the written row by a key.
func namedByCaller(w *verdict.Write) bool {
	return !several(w) && slices.ContainsFunc(w.Keys, func(k *catalog.Key) bool {
		return !slices.ContainsFunc(k.Columns, func(column string) bool { return !givenBy(w, column) })
	})
}

// givenBy reports whether a condition equates the column with the caller's value.
func givenBy(w *verdict.Write, column string) bool {
	return slices.ContainsFunc(w.Conditions, func(c reading.Condition) bool {
		own := false
		for _, from := range w.Statement.Direct(c.Node, c.Block) {
			if from.Relation != nil && from.Relation != w.Target {
				return false
			}
			own = own || from.Column == column
		}
		return own && c.Node.GetSubLink() == nil && c.Node.GetBoolExpr() == nil
	})
}
