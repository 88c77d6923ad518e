package statements

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
)

var (
	// Undeclared is the rule that a migration says which programs may go on.
	Undeclared = finding.Rule{
		Name: "compatibility-undeclared",
		Load: "servers of before that start while it is deployed, or after a rollback, refuse to: they cannot know " +
			"that they may serve the new schema",
		Safe: "declare the newest migration of the oldest program that may serve beside it",
	}
	// Unproved is the rule that a migration declares no more than the gate has proved.
	Unproved = finding.Rule{
		Name: "compatibility-unproved",
		Load: "a program serves that nobody has tried on this schema: its statements may fail, each a 500",
		Safe: "declare the oldest state that is tried: that of the base, or of a recorded release",
	}
)

// CheckCompatibility compares what the new migrations declare of older programs with the states whose statements are
// planned after each of them.
func CheckCompatibility(c *change.Change) (all []finding.Finding) {
	key := c.Settings.Compatible
	if key == "" {
		return nil
	}
	declares := regexp.MustCompile(`(?m)^--\s*` + regexp.QuoteMeta(key) + `:\s*(\d+)`)
	oldest, state := proved(c)
	for _, m := range c.New {
		declared := declares.FindStringSubmatch(m.Text)
		if declared == nil {
			all = append(all, Undeclared.At(m.Path, 1, "", fmt.Sprintf(
				"it does not say which older programs may serve: -- %s: %05d", key, oldest)))
			continue
		}
		if from, err := strconv.ParseInt(declared[1], 10, 64); err != nil || from < oldest {
			line := 1 + strings.Count(m.Text[:strings.Index(m.Text, declared[0])], "\n")
			all = append(all, Unproved.At(m.Path, line, "", fmt.Sprintf(
				"it says that programs from %s on may serve, and the oldest whose statements are tried is %s, of %05d",
				declared[1], state, oldest)))
		}
	}
	return all
}

// proved returns the newest migration of the oldest state whose statements are tried, and which state that is.
func proved(c *change.Change) (oldest int64, state string) {
	oldest, state = Newest(c.Old), "the base"
	for _, r := range Releases(c.Head, c.Settings.Releases) {
		if r.Newest > 0 && r.Newest < oldest {
			oldest, state = r.Newest, "release "+r.Version
		}
	}
	return oldest, state
}

// Newest returns the greatest number of migrations.
func Newest(all []*migration.Migration) (n int64) {
	for _, m := range all {
		n = max(n, m.Number)
	}
	return n
}
