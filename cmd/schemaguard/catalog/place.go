package catalog

import (
	"regexp"

	"waybill/cmd/schemaguard/change"
)

// Place returns where the newest statement stands that names the first of the names that any does; without
// one, the first line of the newest migration.
func Place(c *change.Change, names ...string) (file string, line int) {
	for _, name := range names {
		word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
		for i := len(c.All) - 1; i >= 0; i-- {
			for _, s := range c.All[i].Up {
				if word.MatchString(s.Text) {
					return c.All[i].Path, s.Line
				}
			}
		}
	}
	if len(c.All) > 0 {
		return c.All[len(c.All)-1].Path, 1
	}
	return c.Settings.Migrations, 1
}
