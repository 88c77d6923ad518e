package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/query"
)

// callers send the statements of the base, one after the other, each in a transaction that is rolled back.
// Their arguments are NULL: a statement takes the locks of all its tables, and finds or writes no row.
type callers struct {
	end   context.CancelFunc
	wait  sync.WaitGroup
	conns []*pgx.Conn

	mu      sync.Mutex
	quick   []query.Query
	normal  map[string]string  // the SQLSTATE of each, by its ID, before the migration, "" for none
	failed  map[string]failure // of a statement that answered otherwise since
	calls   int
	longest time.Duration
}

// failure is a statement, and the SQLSTATE that it answered.
type failure struct{ name, code string }

// call starts the callers, and returns when each statement has answered on one of their connections.
func (t *trial) call(ctx context.Context) (*callers, error) {
	calling, end := context.WithCancel(ctx)
	c := &callers{end: end, normal: map[string]string{}, failed: map[string]failure{}}
	if len(t.queries) == 0 {
		return c, nil
	}
	for i := range t.Callers {
		conn, err := t.caller(ctx)
		if err != nil {
			c.stop()
			return nil, err
		}
		if i == 0 {
			c.tryOut(ctx, conn, t.queries)
		}
		c.conns = append(c.conns, conn)
		c.wait.Go(func() {
			for n := i * 7; calling.Err() == nil; n++ {
				c.send(ctx, conn, c.quick[n%len(c.quick)])
			}
		})
	}
	return c, nil
}

// send sends a statement, and notes the answer.
func (c *callers) send(ctx context.Context, conn *pgx.Conn, q query.Query) {
	begin := time.Now()
	err := send(ctx, conn, q)
	c.answered(q, err, time.Since(begin))
}

// last has each statement sent once more, by a connection that knows the old schema, when the others have ended.
func (c *callers) last(ctx context.Context) {
	c.end()
	c.wait.Wait()
	if len(c.conns) > 0 {
		for _, q := range c.quick {
			c.send(ctx, c.conns[0], q)
		}
	}
}

// slow is a statement that nobody sends: without arguments it reads what no caller reads, and a migration would
// wait for it.
const slow = 100 * time.Millisecond

// tryOut sends each statement twice, and notes what it answers and whether it is quick.
func (c *callers) tryOut(ctx context.Context, conn *pgx.Conn, all []query.Query) {
	for _, q := range all {
		c.normal[q.ID()] = code(send(ctx, conn, q))
		begin := time.Now()
		if err := send(ctx, conn, q); code(err) != "connection" && time.Since(begin) < slow {
			c.quick = append(c.quick, q)
		}
	}
	if len(c.quick) == 0 {
		c.quick = all
	}
}

// caller connects as the application, with the time that it waits for a lock.
func (t *trial) caller(ctx context.Context) (*pgx.Conn, error) {
	conn, err := t.d.Application(ctx)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, "SET lock_timeout = '3s'; SET statement_timeout = '10s'")
	return conn, err
}

// send prepares a statement, once a connection, and executes it.
func send(ctx context.Context, conn *pgx.Conn, q query.Query) error {
	prepared, err := conn.Prepare(ctx, q.SQL, q.SQL)
	if err != nil {
		return err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, q.SQL, make([]any, len(prepared.ParamOIDs))...)
	return errors.Join(err, tx.Rollback(ctx))
}

// code returns the SQLSTATE of an error, "" for none.
func code(err error) string {
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case err != nil:
		return "connection"
	}
	return ""
}

// among each other, callers deadlock, and a machine that is busy is slow: neither is the migration's.
func excused(code string) bool { return strings.HasPrefix(code, "40") || code == "57014" }

func (c *callers) answered(q query.Query, err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.longest = max(c.longest, took)
	if got := code(err); got != c.normal[q.ID()] && got != "" && !excused(got) && !excused(c.normal[q.ID()]) {
		c.failed[q.ID()] = failure{q.Name, got}
	}
}

// stop ends the callers, when each has its last answer.
func (c *callers) stop() {
	c.end()
	c.wait.Wait()
	for _, conn := range c.conns {
		conn.Close(context.Background())
	}
}

var (
	// CallerFails is the rule that no caller notices a migration.
	CallerFails = finding.Rule{
		Name: "caller-fails",
		Load: "while the migration runs, and until the last server of the release before is gone, each such call is " +
			"a 500",
		Safe: "expand and contract: add the new beside the old, and remove the old a release after its last reader",
	}
	// Waits tells how long callers waited.
	Waits = finding.Rule{Name: "callers-waited"}
)

// IsTooSlow reports whether a finding is of a time that was too long, and not of what was done.
func IsTooSlow(f finding.Finding) bool {
	return f.Rule == HeldLong.Name ||
		f.Rule == CallerFails.Name && strings.HasSuffix(f.Message, inState(lockNotAvailable))
}

func inState(code string) string { return fmt.Sprintf("(SQLSTATE %s)", code) }

func (t *trial) judgeCallers(m *migration.Migration, c *callers) {
	for _, id := range slices.Sorted(maps.Keys(c.failed)) {
		f := c.failed[id]
		t.add(CallerFails, m, first(m.Up), f.name, fmt.Sprintf(
			"%s, called on a connection of before, while the migration ran or after it, failed %s", f.name,
			inState(f.code)))
	}
	if c.calls > 0 {
		t.found = append(t.found, Waits.At(m.Path, first(m.Up), "", fmt.Sprintf(
			"%d calls of %d callers, who sent %d of %d statements; %d failed; the longest took %d ms", c.calls,
			t.Callers,
			len(c.quick), len(t.queries), len(c.failed), c.longest.Milliseconds())).Told())
	}
}
