package rules

import (
	"regexp"
	"slices"
	"strings"

	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// cause is the rule that explains best why a write overwrites what it has not
// seen: one finding a write is enough.
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

// overwrite reports an overwriting write, an upsert's less loudly: putting the
// newest value by its key is often what was meant.
func (c *check) overwrite(w *verdict.Write, lines ...string) {
	f := c.on(w, lines...)
	if w.Verdict == verdict.UpsertBlind {
		f.Severity = Warning
	}
	f.Advice = suggestion(w)
	c.hint(f, w)
}

// future are times that say when something is to be, or how long it holds.
var future = regexp.MustCompile(`(?i)(^|_)(until|till|expir\w*|deadline|lease|next|run|due|scheduled?|starts?|ends?|begins?|not_before|not_after|available|valid|planned|from|to)(_|$)`)

// onlyStamps reports whether all that a write overwrites are times at which something
// was: of two callers' times either will do.
func onlyStamps(w *verdict.Write) bool {
	set := overwritten(w)
	return len(set) > 0 && !slices.ContainsFunc(set,
		func(name string) bool { return !isTime(w, name) || future.MatchString(name) })
}

func overwritten(w *verdict.Write) []string {
	return w.Set(verdict.AbsoluteSet, verdict.PatchSet)
}

// columnTautologies are the tests that compare a column with itself, or ask
// whether one that is never null is there. WHERE true is no guard anyone relies on.
func columnTautologies(w *verdict.Write) []verdict.Test {
	return slices.DeleteFunc(w.Of(verdict.Tautology), func(t verdict.Test) bool { return len(t.Columns) == 0 })
}

// lostGuards are the guards that a caller may switch off.
func lostGuards(w *verdict.Write) []verdict.Test {
	return slices.DeleteFunc(w.Of(verdict.Optional), func(t verdict.Test) bool { return !t.Lost })
}

// names are the columns of tests, each once.
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

// quotedList is a list of names as SQL needs them.
func quotedList(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, syntax.Quote(name))
	}
	return list(all)
}
