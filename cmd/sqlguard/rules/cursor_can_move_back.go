package rules

import (
	"regexp"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/verdict"
)

var cursorCanMoveBack = &Rule{
	ID: "cursor-can-move-back", Severity: Error,
	Summary: "A cursor or watermark is set to whatever the caller brings, also to an older place.",
	check:   checkCursorCanMoveBack,
}

// cursors are the names of columns that only ever should move forward.
var cursors = regexp.MustCompile(`(?i)(^|_)(cursor|watermark|checkpoint|offset|high_water|as_of|synced_at|synced_until|last_seen|last_seen_at|last_sync|last_synced|last_synced_at|located_at|observed_at|processed_until)$|^last_\w*(_id|_seq|_at|number|block|height)$|(^|_)(last|max)_(seq|offset|position|event|lsn)$`)

// onlyCursors reports whether all that a write overwrites are cursors.
func onlyCursors(w *verdict.Write) bool {
	set := overwritten(w)
	for _, name := range set {
		if !cursors.MatchString(name) {
			return false
		}
	}
	return len(set) > 0
}

func checkCursorCanMoveBack(c *check) {
	for _, w := range c.query.Writes {
		if cause(w) != c.rule.ID {
			continue
		}
		set := overwritten(w)
		f := c.on(w, columns(w.Table(), set)+" is set to what the caller brings, also to an older place.",
			"Who comes late moves it back, and what lay between is done twice or told twice.")
		f.Try = "… AND " + qualified(w, set[0]) + " < @" + set[0] + ", or SET " + set[0] + " = GREATEST(" + qualified(w, set[0]) + ", @" + set[0] + ")"
		if w.Op == reading.Upsert {
			f.Try = "SET " + set[0] + " = GREATEST(" + qualified(w, set[0]) + ", EXCLUDED." + set[0] + ")"
		}
	}
}
