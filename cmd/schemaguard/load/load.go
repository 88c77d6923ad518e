// Package load applies new migrations to a database with rows, while callers send the statements of the base,
// and measures what becomes of them; then it goes down and up again.
package load

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/server"
)

//go:embed sql/*.sql
var files embed.FS

func sql(name string) string {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// Options are how to measure.
type Options struct {
	Callers int           // concurrent; 0: nobody calls
	Longest time.Duration // that everybody may wait for a lock; 0: any time
}

// trial is one run of a change's migrations.
type trial struct {
	Options
	change  *change.Change
	d       *server.Database
	super   *pgx.Conn
	queries []query.Query
	found   []finding.Finding
	digests map[string]digested
}

// Check applies the change's migrations one by one to a database of the base, and judges what it sees. The
// database is at the head afterwards. A migration that PostgreSQL refuses ends it: the rows are why, since
// it was applied without. through reports whether all were applied.
func Check(
	ctx context.Context, c *change.Change, d *server.Database, o Options,
) (found []finding.Finding, through bool, err error) {
	super, err := d.Super(ctx)
	if err != nil {
		return nil, false, err
	}
	defer super.Close(context.WithoutCancel(ctx))
	queries, err := query.Sent(c.Base, c.Settings.Generated, c.Settings.Queries)
	if err != nil {
		return nil, false, err
	}
	t := &trial{o, c, d, super, queries, nil, map[string]digested{}}
	applied := slices.Clone(c.Old)
	for _, m := range c.New {
		applied = append(applied, m)
		on, err := t.step(ctx, m, applied)
		if err != nil || !on {
			return t.found, false, err
		}
	}
	return t.found, true, nil
}

// step applies a migration, reverts it, and applies it again. It reports whether the next can follow.
func (t *trial) step(ctx context.Context, m *migration.Migration, applied []*migration.Migration) (bool, error) {
	before, err := t.see(ctx, nil)
	if err != nil {
		return false, err
	}
	if ok, err := t.up(ctx, m, applied, before); !ok || err != nil {
		return false, err
	}
	after, err := t.see(ctx, map[string][]string{})
	if err != nil {
		return false, err
	}
	previous := int64(0)
	for _, a := range applied[:len(applied)-1] {
		previous = max(previous, a.Number)
	}
	if len(m.Down) == 0 || m.Number < previous { // which other rules refuse
		return true, nil
	}
	if ok, err := t.down(ctx, m, applied, previous, before); !ok || err != nil {
		return false, err
	}
	return t.again(ctx, m, applied, after)
}

// add adds a finding at a line of a migration.
func (t *trial) add(r finding.Rule, m *migration.Migration, line int, object, message string) {
	t.found = append(t.found, r.At(m.Path, line, object, message))
}

// Fails is the rule that a migration can be applied where there are rows.
var Fails = finding.Rule{
	Name: "fails-with-rows",
	Load: "the deployment stops in the middle; on an empty database, in the tests, it passed",
	Safe: "write it so that it holds for the rows that there are: nullable, with a default, or after a backfill",
}

// up applies a migration under callers.
func (t *trial) up(ctx context.Context, m *migration.Migration, applied []*migration.Migration,
	before *sight) (bool, error) {
	callers, err := t.call(ctx)
	if err != nil {
		return false, err
	}
	defer callers.stop()
	watch, err := t.watch(ctx)
	if err != nil {
		return false, err
	}
	failure := patiently(ctx, t.d, applied)
	callers.last(ctx)
	if refusedBy(failure, lockNotAvailable) {
		t.found = append(t.found, NotGranted.At(m.Path, first(m.Up), "", fmt.Sprintf(
			"beside %d callers its lock was not granted in %d attempts; it was applied without them", t.Callers,
			maxLockAttempts)).Told())
		failure = t.d.Up(ctx, applied)
	}
	held, err := watch.stop()
	if err != nil {
		return false, err
	}
	var refused *server.Failure
	if errors.As(failure, &refused) && refused.Err != nil {
		t.add(Fails, m, first(m.Up), m.Path, refused.Error())
		return false, nil
	}
	if failure != nil {
		return false, failure
	}
	t.judgeLocks(m, held)
	t.judgeCallers(m, callers)
	return true, t.judgeFiles(ctx, m, before)
}

// NotGranted tells of a migration that did not get its lock, as on a machine that is busy.
var NotGranted = finding.Rule{Name: "lock-not-granted", Safe: "run it when the long statements of the table are few"}

// maxLockAttempts is how often a migration is tried that does not get its lock in time, as a runner does.
const maxLockAttempts = 20

func patiently(ctx context.Context, d *server.Database, applied []*migration.Migration) (err error) {
	for range maxLockAttempts {
		if err = d.Up(ctx, applied); !refusedBy(err, lockNotAvailable) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// refusedBy reports whether PostgreSQL refused a migration with this SQLSTATE.
func refusedBy(err error, code string) bool {
	var refused *server.Failure
	return errors.As(err, &refused) && refused.Err != nil && refused.Err.Code == code
}

const lockNotAvailable = "55P03"

func first(statements []*migration.Statement) int {
	if len(statements) == 0 {
		return 1
	}
	return statements[0].Line
}

// Rewritten is the rule that no table is written anew.
var Rewritten = finding.Rule{
	Name: "table-rewritten",
	Load: "nobody reads or writes the table until it is written anew, and its rows are there twice",
	Safe: "a new column or table beside the old, filled in batches",
}

func (t *trial) judgeFiles(ctx context.Context, m *migration.Migration, before *sight) error {
	now, err := t.storage(ctx)
	if err != nil {
		return err
	}
	for table, file := range before.files {
		if other, ok := now[table]; ok && other != file {
			t.add(Rewritten, m, mention(m, table), table, fmt.Sprintf("%s was written anew", table))
		}
	}
	return nil
}
