package rules

import (
	"regexp"
	"slices"
	"strings"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/verdict"
)

var badWaiver = &Rule{
	ID: "bad-waiver", Severity: Error,
	Summary: "A waiver without a reason, with an unknown query, or no longer needed.",
}

// waiver is a "-- @write blind reason="…" locked-by=Query" in the comments of a query.
type waiver struct {
	verdict  string
	reason   string
	lockedBy string
	offset   int
	used     bool
}

var (
	waiverLine = regexp.MustCompile(`^@write\b\s*(.*)$`)
	waiverPart = regexp.MustCompile(`([a-z-]+)=(?:"([^"]*)"|(\S+))|(\S+)`)
)

// waivers returns the waivers of a query.
func waivers(q *verdict.Query) []*waiver {
	var all []*waiver
	for _, c := range q.Comments {
		for line := range strings.Lines(c.Text) {
			if m := waiverLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				all = append(all, parseWaiver(m[1], c, q.Offset))
			}
		}
	}
	return all
}

func parseWaiver(text string, c project.Comment, base int) *waiver {
	w := &waiver{offset: c.Offset - base}
	for _, m := range waiverPart.FindAllStringSubmatch(text, -1) {
		switch m[1] {
		case "reason":
			w.reason = strings.TrimSpace(m[2] + m[3])
		case "locked-by":
			w.lockedBy = m[2] + m[3]
		case "":
			if w.verdict == "" {
				w.verdict = m[4]
			}
		}
	}
	return w
}

// covers reports whether the waiver applies to a write with that verdict: "blind" includes
// upsert-blind, "unbounded" includes delete-unbounded.
func (w *waiver) covers(v verdict.Verdict) bool {
	name := string(v)
	return name == w.verdict || strings.TrimPrefix(name, "upsert-") == w.verdict ||
		strings.TrimPrefix(name, "delete-") == w.verdict
}

// waived removes the findings covered by a valid waiver, and adds findings about invalid waivers.
func (c *check) waived(found []Finding) []Finding {
	all := waivers(c.query)
	var good []*waiver
	for _, w := range all {
		if problem := c.problem(w); problem != "" {
			c.at(w.offset, "", problem).Offset = w.offset
			continue
		}
		good = append(good, w)
	}
	kept := slices.DeleteFunc(found, func(f Finding) bool {
		for _, w := range good {
			if f.Write != nil && w.covers(f.Write.Verdict) {
				w.used = true
				return true
			}
		}
		return false
	})
	for _, w := range good {
		if !w.used {
			c.at(w.offset, "", "@write "+w.verdict+" waives no finding: remove it.").
				Offset = w.offset
		}
	}
	return append(kept, c.found...)
}

// problem returns what is wrong with a waiver, or "".
func (c *check) problem(w *waiver) string {
	switch {
	case w.verdict == "":
		return "@write names no verdict: @write blind reason=\"…\"."
	case w.reason == "":
		return "@write " + w.verdict + " has no reason: state what prevents concurrent writes."
	case w.lockedBy == "":
		return ""
	case c.known[w.lockedBy] == nil:
		return "locked-by=" + w.lockedBy + ": no such query."
	case !locks(c.known[w.lockedBy], c.query):
		return "locked-by=" + w.lockedBy + ": that query does not lock the written table."
	}
	return ""
}

// locks reports whether one query locks rows of a table that the other writes.
func locks(locker, writer *verdict.Query) bool {
	for _, w := range writer.Writes {
		for _, s := range locker.Statements {
			if slices.ContainsFunc(s.Blocks, func(b *reading.Block) bool { return holds(b, w) }) {
				return true
			}
		}
	}
	return false
}

func holds(b *reading.Block, w *verdict.Write) bool {
	return slices.ContainsFunc(b.Relations, func(r *reading.Relation) bool {
		return r.Table == w.Target.Table && (r.Locked || r.Written)
	})
}
