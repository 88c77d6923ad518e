// Package history has the rules of the files themselves: a merged migration is what some database has
// applied, and a number says in which order.
package history

import (
	"fmt"
	"path"
	"slices"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
)

// Check runs the rules.
func Check(c *change.Change) (all []finding.Finding) {
	for _, rule := range []func(*change.Change) []finding.Finding{
		changedMigration, misnamedMigration, numberTwice, outOfOrder, numberGap,
	} {
		all = append(all, rule(c)...)
	}
	return all
}

// Ambiguous reports whether, of some findings, one says that goose would not take the files.
func Ambiguous(found []finding.Finding) bool {
	return slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Rule == Twice.Name })
}

func greatest(all []*migration.Migration) (most int64) {
	for _, m := range all {
		most = max(most, m.Number)
	}
	return most
}

// next is the name that the next migration has.
func next(c *change.Change) string {
	return fmt.Sprintf("%05d_….sql", greatest(c.Old)+1)
}

// Changed is the rule that a merged file stays as it is.
var Changed = finding.Rule{
	Name: "changed-migration",
	Load: "databases that have applied the file do not apply it again: they keep the old schema, and new ones get " +
		"another; statements that pass here fail there",
	Safe: "restore the file, and write what is new in a migration of its own",
}

func changedMigration(c *change.Change) (all []finding.Finding) {
	for _, m := range c.Old {
		now, kept := c.Head[m.Path]
		switch {
		case !kept:
			all = append(all, Changed.At(m.Path, 1, path.Base(m.Path), "a merged migration is deleted or renamed"))
		case now != m.Text && !c.Settings.Checksums && migration.SameStatements(m, migration.Parse(m.Path, now)):
			all = append(all, Changed.At(m.Path, firstDifference(m.Text, now), path.Base(m.Path),
				"a merged migration is written otherwise, with the same statements").Told())
		case now != m.Text:
			all = append(all, Changed.At(m.Path, firstDifference(m.Text, now), path.Base(m.Path),
				"a merged migration is changed"))
		}
	}
	return all
}

// firstDifference returns the first line that differs.
func firstDifference(a, b string) int {
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}

// Misnamed is the rule that goose takes every file.
var Misnamed = finding.Rule{
	Name: "misnamed-migration",
	Load: "goose passes over the file, or fails: the schema lacks what it was to bring",
	Safe: "name it NNNNN_what_it_does.sql, and begin its parts by -- +goose Up and -- +goose Down",
}

func misnamedMigration(c *change.Change) (all []finding.Finding) {
	for _, m := range c.New {
		switch {
		case m.Number == 0:
			all = append(all, Misnamed.At(m.Path, 1, path.Base(m.Path), "the file's name has no number"))
		case len(m.Up) == 0:
			all = append(all, Misnamed.At(m.Path, 1, path.Base(m.Path), "the file has no statement to go up by"))
		}
	}
	return all
}

// Twice is the rule that a number is one file.
var Twice = finding.Rule{
	Name: "number-twice",
	Load: "goose refuses to start: no database can be migrated",
	Safe: "give the newer file the next number",
}

func numberTwice(c *change.Change) (all []finding.Finding) {
	seen := map[int64]string{}
	for _, m := range sortedOldFirst(c) {
		if first, ok := seen[m.Number]; ok && m.Number != 0 {
			all = append(all, Twice.At(m.Path, 1, path.Base(m.Path),
				fmt.Sprintf("%s has the number %d too", path.Base(first), m.Number)))
		}
		seen[m.Number] = m.Path
	}
	return all
}

func sortedOldFirst(c *change.Change) []*migration.Migration {
	old := map[string]bool{}
	for _, m := range c.Old {
		old[m.Path] = true
	}
	all := slices.Clone(c.All)
	slices.SortStableFunc(all, func(a, b *migration.Migration) int {
		switch {
		case old[a.Path] == old[b.Path]:
			return 0
		case old[a.Path]:
			return -1
		}
		return 1
	})
	return all
}

// OutOfOrder is the rule that new numbers are above all merged ones.
var OutOfOrder = finding.Rule{
	Name: "out-of-order",
	Load: "a database that is already past the number never applies the file, or refuses to migrate at all; a new " +
		"database applies it in another order than was tested",
	Safe: "give the file the next number",
}

func outOfOrder(c *change.Change) (all []finding.Finding) {
	most := greatest(c.Old)
	for _, m := range c.New {
		if m.Number == 0 || m.Number > most {
			continue
		}
		message := fmt.Sprintf("the number %d is not above %d, the greatest that is merged: it is to be %s",
			m.Number, most, next(c))
		if slices.Contains(c.Settings.Closed, m.Number) {
			message = fmt.Sprintf("the number %d is closed for good: it is to be %s", m.Number, next(c))
		}
		all = append(all, OutOfOrder.At(m.Path, 1, path.Base(m.Path), message))
	}
	return all
}

// Gap is the rule that numbers follow each other.
var Gap = finding.Rule{
	Name: "number-gap",
	Load: "a file can still fall into the gap; databases that are past it never apply that file",
	Safe: "number new files on from the greatest, or list the number as closed in the settings",
}

// dates are numbers that are points in time: they have gaps.
const dates = 1_000_000

func numberGap(c *change.Change) (all []finding.Finding) {
	have := map[int64]bool{}
	for _, m := range c.All {
		have[m.Number] = true
	}
	most := greatest(c.All)
	if most >= dates {
		return nil
	}
	for _, m := range c.New { // into a gap of before nothing falls any more: it would be out of order
		before := m.Number - 1
		if m.Number > 1 && !have[before] && !slices.Contains(c.Settings.Closed, before) {
			all = append(all, Gap.At(m.Path, 1, path.Base(m.Path), fmt.Sprintf("there is no migration %d", before)))
		}
	}
	return all
}
