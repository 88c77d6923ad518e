package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/server"
	"waybill/cmd/sqlguard/syntax"
)

var (
	// DownFails is the rule that Down works where there are rows.
	DownFails = finding.Rule{
		Name: "down-fails",
		Load: "the schema cannot be rolled back when it has to be, in the middle of an incident",
		Safe: "a Down that holds for rows of before and after",
	}
	// DownDiffers is the rule that Down brings the old schema back.
	DownDiffers = finding.Rule{
		Name: "down-differs",
		Load: "after a rollback the old program runs on a schema that nobody has tested, and the next Up may fail",
		Safe: "a Down that takes back each thing that Up did, in the opposite order",
	}
	// DownLoses is the rule that Down leaves the rows of before.
	DownLoses = finding.Rule{
		Name: "down-loses-rows",
		Load: "a rollback of the schema loses rows that callers wrote, and nobody has a copy",
		Safe: "a Down that leaves them, or an Up that keeps what it takes away until a later release",
	}
	// UpDiffers is the rule that a migration does the same after a rollback.
	UpDiffers = finding.Rule{
		Name: "up-again-differs",
		Load: "databases that were rolled back once have another schema than others from then on",
		Safe: "a Down that takes back each thing that Up did",
	}
	// DownDrops tells what a rollback loses of what came after.
	DownDrops = finding.Rule{
		Name: "down-drops-data",
		Safe: "run it only where that can be lost",
	}
)

// down reverts a migration, and compares with what was before it.
func (t *trial) down(
	ctx context.Context, m *migration.Migration, applied []*migration.Migration, to int64, before *sight,
) (bool, error) {
	err := t.d.DownTo(ctx, applied, to)
	var refused *server.Failure
	if errors.As(err, &refused) && refused.Err != nil {
		t.add(DownFails, m, first(m.Down), m.Path, refused.Error())
		return false, nil
	}
	if err != nil {
		return false, err
	}
	now, err := t.see(ctx, before.tables)
	if err != nil {
		return false, err
	}
	if same, how := compare(before.schema, now.schema); !same {
		t.add(DownDiffers, m, first(m.Down), m.Path, "after Down the schema is not what it was before Up: "+how)
	}
	for _, table := range slices.Sorted(maps.Keys(before.rows)) {
		if sum, ok := now.rows[table]; ok && sum != before.rows[table] {
			t.lost(m, table, count(before.rows[table]), count(sum))
		}
	}
	return true, nil
}

// lost adds what Up and Down made of a table's rows. Where Up drops the table, or some of its values, nothing
// can bring them back: that is told.
func (t *trial) lost(m *migration.Migration, table, had, has string) {
	if had == has || drops(m, table) {
		t.found = append(t.found, DownDrops.At(m.Path, mention(m, table), table, fmt.Sprintf(
			"after Up and Down, values of %s are lost", table)).Told())
		return
	}
	t.add(DownLoses, m, mention(m, table), table, fmt.Sprintf(
		"after Up and Down, %s has not the rows that it had (%s before, %s now)", table, had, has))
}

// drops reports whether Up drops a table.
func drops(m *migration.Migration, table string) bool {
	return slices.ContainsFunc(m.Up, func(s *migration.Statement) bool {
		d := s.Node.GetDropStmt()
		return d.GetRemoveType() == pg.ObjectType_OBJECT_TABLE && slices.ContainsFunc(d.GetObjects(),
			func(o *pg.Node) bool {
				return syntax.Last(o.GetList().GetItems()) == server.Bare(table)
			})
	})
}

// again applies a migration once more.
func (t *trial) again(
	ctx context.Context, m *migration.Migration, applied []*migration.Migration, after *sight,
) (bool, error) {
	err := t.d.Up(ctx, applied)
	var refused *server.Failure
	if errors.As(err, &refused) && refused.Err != nil {
		t.add(UpDiffers, m, first(m.Up), m.Path, "after Down, Up fails: "+refused.Error())
		return false, nil
	}
	if err != nil {
		return false, err
	}
	now, err := t.see(ctx, map[string][]string{})
	if err != nil {
		return false, err
	}
	if same, how := compare(after.schema, now.schema); !same {
		t.add(UpDiffers, m, first(m.Up), m.Path, "after Up, Down and Up the schema is another than after Up: "+how)
	}
	return true, nil
}

// compare says how two schemas differ. Values of enums stay: PostgreSQL cannot take them back.
func compare(before, now []string) (same bool, how string) {
	gone := lacks(before, now)
	come := slices.DeleteFunc(lacks(now, before), func(line string) bool { return strings.HasPrefix(line, "value ") })
	switch {
	case len(gone) > 0 && len(come) > 0:
		return false, fmt.Sprintf("%s, where it was %s", come[0], gone[0])
	case len(gone) > 0:
		return false, "without " + gone[0]
	case len(come) > 0:
		return false, "with " + come[0]
	}
	return true, ""
}
