package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// zeroIfNil returns what p points to. Columns of the catalog's views count as nullable.
func zeroIfNil[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func ofSeconds(n *float64) time.Duration {
	return rounded(time.Duration(zeroIfNil(n) * float64(time.Second)))
}

// locks are those that a step was seen to hold.
type locks []heldLock

type heldLock struct {
	table, mode string
	from, to    time.Time // when it was seen first and last
}

// see adds what was seen now.
func (l *locks) see(table, mode string, now time.Time) {
	for i := range *l {
		if have := &(*l)[i]; have.table == table && have.mode == mode {
			have.to = now
			return
		}
	}
	*l = append(*l, heldLock{table, mode, now, now})
}

// waits says who waits for a lock.
var waits = map[string]string{
	"AccessExclusiveLock":      "reads and writes wait",
	"ExclusiveLock":            "writes wait",
	"ShareRowExclusiveLock":    "writes wait",
	"ShareLock":                "writes wait",
	"ShareUpdateExclusiveLock": "no request waits",
}

// line says what was locked, after a semicolon.
func (l locks) line() string {
	if len(l) == 0 {
		return "; no lock seen on a table that was there"
	}
	var parts []string
	for _, held := range l {
		part := fmt.Sprintf("%s %s (%s)", held.table, held.mode, waits[held.mode])
		if d := rounded(held.to.Sub(held.from)); d > 0 {
			part = fmt.Sprintf("%s for at least %s", part, d)
		}
		parts = append(parts, part)
	}
	slices.Sort(parts)
	return "; locked " + strings.Join(parts, ", ")
}

// watch calls run, and meanwhile looks at the session: its locks, whom it waits for, how far it is.
// Locks held for less than its interval are not seen, except by a transaction, before its commit.
func (m *Migrator) watch(s *step, pid int32, run func() error) error {
	if m.pooled { // the connection has no session of its own, and the pool may have no other for us
		return run()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for interval := 20 * time.Millisecond; ; interval = min(2*interval, time.Second) {
			select {
			case <-stop:
				return
			case <-time.After(interval):
				m.sample(s, pid)
			}
		}
	}()
	err := run()
	close(stop)
	<-stopped
	return err
}

// sample looks at the session once, by the connection that holds the migrators' lock. What fails here
// fails again where it matters, when the step is recorded.
func (m *Migrator) sample(s *step, pid int32) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	q := New(m.admin)
	held, _ := q.ListHeldLocks(ctx, &pid)
	for _, l := range held {
		if table := zeroIfNil(l.TableName); !isOwnTable(table) {
			s.seen.see(table, zeroIfNil(l.Mode), time.Now())
		}
	}
	waiting := ""
	if blockers, err := q.ListBlockers(ctx, &pid); err == nil && len(blockers) > 0 {
		s.blockers = "; it is held or waited for by " + blockersText(blockers)
		waiting = "; it waits for " + blockersText(blockers)
	}
	if time.Since(s.told) < 5*time.Second {
		return
	}
	s.told = time.Now()
	m.tell("%s: %s, for %s%s%s%s", s.name, s.text, rounded(time.Since(s.began)), indexProgress(ctx, q, pid), waiting,
		s.place)
}

// isOwnTable reports whether a table is the migrator's own.
func isOwnTable(name string) bool { return name == "goose_db_version" || name == "migration_files" }

func indexProgress(ctx context.Context, q *Queries, pid int32) string {
	p, err := q.GetIndexProgress(ctx, &pid)
	if errors.Is(err, pgx.ErrNoRows) || err != nil {
		return ""
	}
	return fmt.Sprintf("; %s, %d %%", zeroIfNil(p.Phase), zeroIfNil(p.Percent))
}

func blockersText(blockers []ListBlockersRow) string {
	var parts []string
	for _, b := range blockers {
		parts = append(parts, fmt.Sprintf("pid %d (%s, %s for %s)", zeroIfNil(b.Pid), zeroIfNil(b.ApplicationName),
			zeroIfNil(b.State), ofSeconds(b.OpenSeconds)))
	}
	return strings.Join(parts, ", ")
}
