package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/server"
)

// lock is a lock of a table.
type lock struct{ table, mode string }

// watch samples the locks of the migration.
type watch struct {
	end  context.CancelFunc
	done chan error
	held map[lock]time.Duration // the longest time that each was held without a break
}

// sampling is the time between two looks.
const sampling = 4 * time.Millisecond

func (t *trial) watch(ctx context.Context) (*watch, error) {
	conn, err := t.d.Super(ctx)
	if err != nil {
		return nil, err
	}
	var tables []uint32
	if err := conn.QueryRow(ctx, sql("relations")).Scan(&tables); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	looking, end := context.WithCancel(ctx)
	w := &watch{end, make(chan error, 1), map[lock]time.Duration{}}
	go func() {
		defer conn.Close(context.WithoutCancel(ctx))
		since := map[lock]time.Time{}
		for looking.Err() == nil {
			rows, err := conn.Query(ctx, sql("locks"), server.Migrator, tables)
			if err != nil {
				w.done <- err
				return
			}
			now, seen := time.Now(), map[lock]bool{}
			for rows.Next() {
				var l lock
				if err := rows.Scan(&l.table, &l.mode); err != nil {
					break
				}
				seen[l] = true
				if since[l].IsZero() {
					since[l] = now
				}
				w.held[l] = max(w.held[l], now.Sub(since[l]))
			}
			maps.DeleteFunc(since, func(l lock, _ time.Time) bool { return !seen[l] })
			if err := rows.Err(); err != nil {
				w.done <- err
				return
			}
			time.Sleep(sampling)
		}
		w.done <- nil
	}()
	return w, nil
}

// stop ends the sampling, and returns what was held.
func (w *watch) stop() (map[lock]time.Duration, error) {
	w.end()
	return w.held, <-w.done
}

var (
	// HeldLong is the rule that nobody waits long.
	HeldLong = finding.Rule{
		Name: "lock-held-long",
		Load: "everybody who reads or writes the table waits as long, and their connections fill the pool",
		Safe: "split it: what is short under the lock, and what is long beside the callers, each a statement of " +
			"its own",
	}
	// Locks tells what a migration locks.
	Locks = finding.Rule{Name: "locks"}
)

func (t *trial) judgeLocks(m *migration.Migration, held map[lock]time.Duration) {
	var all []string
	for _, l := range slices.SortedFunc(maps.Keys(held), func(a, b lock) int {
		return strings.Compare(a.table+a.mode, b.table+b.mode)
	}) {
		all = append(all, fmt.Sprintf("%s on %s for %d ms", l.words(), l.table, held[l].Milliseconds()))
		if l.mode == "AccessExclusiveLock" && t.Longest > 0 && held[l] > t.Longest {
			t.add(HeldLong, m, mention(m, l.table), l.table, fmt.Sprintf(
				"ACCESS EXCLUSIVE on %s was held for %d ms, of %d at most", l.table, held[l].Milliseconds(),
				t.Longest.Milliseconds()))
		}
	}
	if len(all) > 0 {
		t.found = append(t.found, Locks.At(m.Path, first(m.Up), "", "held "+strings.Join(all, "; ")).Told())
	}
}

// words returns the mode as SQL has it: ACCESS EXCLUSIVE.
func (l lock) words() string {
	var out strings.Builder
	for i, r := range strings.TrimSuffix(l.mode, "Lock") {
		if i > 0 && r >= 'A' && r <= 'Z' {
			out.WriteByte(' ')
		}
		out.WriteRune(r)
	}
	return strings.ToUpper(out.String())
}
