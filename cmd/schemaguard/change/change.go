// Package change is what the gate judges: a project before and after.
package change

import (
	"path"
	"regexp"
	"strings"
	"time"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/tree"
)

// Change is the difference between two states of a project.
type Change struct {
	Settings   *settings.Settings
	Base, Head tree.Tree
	Today      time.Time

	Old []*migration.Migration // those of the base
	All []*migration.Migration // those of the head
	New []*migration.Migration // those of the head whose file the base does not have
}

// Of compares two trees.
func Of(s *settings.Settings, base, head tree.Tree, today time.Time) *Change {
	c := &Change{Settings: s, Base: base, Head: head, Today: today}
	c.Old, c.All = migration.Read(base, s.Migrations), migration.Read(head, s.Migrations)
	for _, m := range c.All {
		if _, old := base[m.Path]; !old {
			c.New = append(c.New, m)
		}
	}
	return c
}

// Waivers reads the waivers of the migrations, of the queries, and of the project's file of waivers. Those of
// merged migrations count until they end, and are not judged any more.
func (c *Change) Waivers() (all []*finding.Waiver, bad []finding.Finding) {
	add := func(file string, ends func(int) int) {
		w, b := finding.Waivers(file, c.Head[file], c.Today, ends)
		all, bad = append(all, w...), append(bad, b...)
	}
	for _, m := range c.All {
		if _, merged := c.Base[m.Path]; !merged {
			add(m.Path, m.Ends)
			continue
		}
		kept, _ := finding.Waivers(m.Path, c.Head[m.Path], c.Today, m.Ends)
		for _, w := range kept {
			w.Merged = true
		}
		all = append(all, kept...)
	}
	for _, p := range c.Head.Under(c.Settings.Queries, ".sql") {
		add(p, func(line int) int { return migration.StatementEnd(c.Head[p], line) })
	}
	if c.Settings.Waivers != "" {
		add(c.Settings.Waivers, func(int) int { return 0 }) // of any file
	}
	for _, w := range all {
		w.Merged = w.Merged || c.isMerged(w.Object)
	}
	return all, bad
}

// isMerged reports whether a waiver's object is a migration that the base has: what it allows was seen before.
func (c *Change) isMerged(object string) bool {
	_, merged := c.Base[path.Join(c.Settings.Migrations, object)]
	return object != "" && merged
}

var version = regexp.MustCompile(`(?m)^  version: "?([^"\s]+)"?\s*$`)

// Version returns the version of the API's document of a tree, "" if it has none.
func (c *Change) Version(t tree.Tree) string {
	if m := version.FindStringSubmatch(t[c.Settings.Document]); m != nil {
		return m[1]
	}
	return ""
}

// RunnerLimitsLocks reports whether what runs the migrations sets lock_timeout, in the file that the settings
// name.
func (c *Change) RunnerLimitsLocks() bool {
	return strings.Contains(c.Head[c.Settings.LockTimeout], "lock_timeout")
}
