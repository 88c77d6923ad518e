package rules

import (
	"regexp"
	"slices"
	"strings"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

var cursorCanMoveBack = &Rule{
	ID: "cursor-can-move-back", Severity: Error,
	Summary: "A cursor or watermark is set to the caller's value, even if it is older.",
	check:   checkCursorCanMoveBack,
}

// cursors matches columns that should only move forward.
var cursors = regexp.MustCompile(`(?i)(^|_)(cursor|watermark|checkpoint|offset|high_water|as_of|synced_at|` +
	`synced_until|last_seen|last_seen_at|last_sync|last_synced|last_synced_at|located_at|observed_at|` +
	`processed_until)$|^last_\w*(_id|_seq|_at|number|block|height)$|` +
	`(^|_)(last|max)_(seq|offset|position|event|lsn)$`)

// ordered are the types whose values have an order that means progress: text and UUIDs are not among
// them.
var ordered = append([]string{"numeric", "float4", "float8", "timestamptz", "timestamp", "date", "pg_lsn"}, integers...)

// onlyCursors reports whether a write overwrites only cursors.
func onlyCursors(w *verdict.Write) bool {
	set := overwritten(w)
	for _, name := range set {
		c := w.Target.Table.Column(name)
		if !cursors.MatchString(name) || c != nil && !slices.Contains(ordered, c.Type) {
			return false
		}
	}
	return len(set) > 0
}

// presence matches "last seen" times, which matter less when they move back a little.
var presence = regexp.MustCompile(`(?i)^last_|(^|_)seen_at$`)

func checkCursorCanMoveBack(c *check) {
	for _, w := range c.query.Writes {
		if cause(w) != c.rule.ID {
			continue
		}
		set := overwritten(w)
		f := c.on(w, columns(w.Table(), set)+" is set to the caller's value, even if it is older.",
			"A late caller moves it back, and everything in between is processed twice.")
		f.Advice = moveForward(w)
		if !slices.ContainsFunc(set,
			func(name string) bool { return !isTime(w, name) || !presence.MatchString(name) }) {
			f.Severity = Note
		}
	}
}

func isTime(w *verdict.Write, column string) bool {
	c := w.Target.Table.Column(column)
	return c != nil && (strings.HasPrefix(c.Type, "timestamp") || c.Type == "date")
}

// moveForward suggests GREATEST of the stored value and the caller's.
func moveForward(w *verdict.Write) *Advice {
	a := &Advice{Kind: MoveForward}
	var parts []string
	for _, c := range w.Columns {
		if c.Class != verdict.AbsoluteSet && c.Class != verdict.PatchSet {
			continue
		}
		value := valueText(w, c.Column)
		if value == "" || c.Part || w.Clause > 0 {
			return nil
		}
		greatest := "GREATEST(" + qualified(w, c.Column) + ", " + value + ")"
		parts = append(parts, syntax.Quote(c.Column)+" = "+greatest)
		if w.Function == "" {
			at := sqltext.Value(w.Query.Text, c.Location)
			if at.Start < 0 || at.End < at.Start { // SET (a, b) = …
				return nil
			}
			a.Edits = append(a.Edits, sqltext.Edit{Start: at.Start, End: at.End, Text: " " + greatest})
		}
	}
	a.Text = "SET " + strings.Join(parts, ", ")
	if w.Op == reading.Upsert {
		a.Text = "DO UPDATE " + a.Text
	}
	return a
}
