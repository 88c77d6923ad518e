package rules

import (
	"regexp"
	"slices"
	"strings"

	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// cause returns the rule that explains an overwrite best, so that each write has one finding.
func cause(w *verdict.Write) string {
	switch {
	case !w.Verdict.Overwrites():
		return ""
	case len(w.Of(verdict.Stale)) > 0:
		return "stale-test"
	case len(columnTautologies(w)) > 0:
		return "tautology-guard"
	case len(lostGuards(w)) > 0:
		return "optional-guard"
	case len(w.Of(verdict.Noop)) > 0:
		return "noop-guard"
	case onlyCursors(w):
		return "cursor-can-move-back"
	case onlyStamps(w):
		return ""
	}
	return "blind-overwrite"
}

// overwrite reports an overwriting write. An upsert is only a warning: replacing the value by key is
// often intended.
func (c *check) overwrite(w *verdict.Write, lines ...string) {
	f := c.on(w, lines...)
	if w.Verdict == verdict.UpsertBlind {
		f.Severity = Warning
	}
	f.Advice = suggestion(w)
	c.hint(f, w)
}

// future matches times that say when something is due, or how long it is valid.
var future = regexp.MustCompile(`(?i)(^|_)(until|till|expir\w*|deadline|lease|next|run|due|scheduled?|starts?|` +
	`ends?|begins?|not_before|not_after|available|valid|planned|from|to)(_|$)`)

// onlyStamps reports whether a write overwrites only times in the past: either caller's time will do.
func onlyStamps(w *verdict.Write) bool {
	set := overwritten(w)
	return len(set) > 0 && !slices.ContainsFunc(set,
		func(name string) bool { return !isTime(w, name) || future.MatchString(name) })
}

func overwritten(w *verdict.Write) []string {
	return w.Set(verdict.AbsoluteSet, verdict.PatchSet)
}

// columnTautologies returns the tests that compare a column with itself, or test a NOT NULL column for
// null. WHERE true is excluded: nobody relies on it as a guard.
func columnTautologies(w *verdict.Write) []verdict.Test {
	return slices.DeleteFunc(w.Of(verdict.Tautology), func(t verdict.Test) bool { return len(t.Columns) == 0 })
}

// lostGuards returns the guards that a caller can switch off.
func lostGuards(w *verdict.Write) []verdict.Test {
	return slices.DeleteFunc(w.Of(verdict.Optional), func(t verdict.Test) bool { return !t.Lost })
}

// names returns the distinct columns of tests.
func names(tests []verdict.Test) []string {
	var all []string
	for _, t := range tests {
		for _, c := range t.Columns {
			if !slices.Contains(all, c) && c != "" {
				all = append(all, c)
			}
		}
	}
	return all
}

func list(names []string) string { return strings.Join(names, ", ") }

// quotedList returns a list of names, quoted for SQL where necessary.
func quotedList(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, syntax.Quote(name))
	}
	return list(all)
}
