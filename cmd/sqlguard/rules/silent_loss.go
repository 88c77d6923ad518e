package rules

import (
	"slices"

	"waybill/cmd/sqlguard/verdict"
)

var silentLoss = &Rule{
	ID: "silent-loss", Severity: Warning,
	Summary: "A guarded write whose caller cannot know that it lost.",
	check:   checkSilentLoss,
}

func checkSilentLoss(c *check) {
	if !slices.Contains([]string{":exec", ":execlastid", ":batchexec"}, c.query.Command) {
		return
	}
	for _, w := range c.query.Writes {
		if !w.Verdict.Guarded() || w.Function != "" {
			continue
		}
		f := c.on(w, "The write does nothing where its guard fails, and "+c.query.Command+" does not tell.",
			"The caller takes a lost write for one that was made.")
		f.Try = "-- name: " + c.query.Name + " :execrows   (or :one with RETURNING)"
		if w.Verdict != verdict.Conditional || w.Kind == verdict.Liveness {
			f.Severity = Note
		}
	}
}
