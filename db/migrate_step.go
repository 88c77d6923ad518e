package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"

	"waybill/db/retry"
)

// step is a migration that is being made or reverted.
type step struct {
	name      string
	verb      string // up or down
	inTx      bool
	place     string        // among those that are pending: "; migration 3 of 24", or nothing
	lock      time.Duration // limits of its header; 0 where there is none
	statement time.Duration

	number   int    // of the statement that runs, from 1
	text     string // of it
	began    time.Time
	told     time.Time // when the last line about it was told
	limited  limits
	seen     locks
	blockers string // whom it last waited for
}

// limits are those of a connection.
type limits struct{ lock, statement time.Duration }

// StepError says which statement of a migration failed, what is left of it, and the way out.
type StepError struct {
	Name      string
	Verb      string // up or down
	InTx      bool
	Number    int // of the statement, from 1; 0 if it was not one of the file's
	Statement string
	Err       error
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

func (e *StepError) Error() string {
	text := fmt.Sprintf("the migration %s failed", e.Name)
	if e.Number > 0 {
		text += fmt.Sprintf(" at its statement %d (%s)", e.Number, e.Statement)
	}
	text += ": " + withHint(e.Err)
	switch {
	case e.InTx:
		return text + "; it was rolled back, and nothing of it is left"
	case e.Number <= 1:
		return text + "; nothing of it was done"
	case e.Verb == "down":
		return text + fmt.Sprintf("; it has no transaction, and what comes before stays reverted: remove the cause, "+
			"then run waybill migrate down again (it starts over with the first of its statements)")
	}
	return text + fmt.Sprintf("; it has no transaction, and the %d before stay done: remove the cause, then run "+
		"waybill migrate up again (it starts over with the first of its statements, each of which can run again)",
		e.Number-1)
}

// withHint returns the error's text, and what the server advises.
func withHint(err error) string {
	var refused *pgconn.PgError
	switch {
	case !errors.As(err, &refused):
		return err.Error()
	case refused.Code == "57014": // query canceled
		return err.Error() + "; a migration that needs longer says so in its file, -- +waybill statement_timeout: " +
			"10m, or is run by: waybill migrate up --statement-timeout 10m"
	case refused.Hint != "":
		return err.Error() + "; " + refused.Hint
	}
	return err.Error()
}

// apply makes a migration, or reverts it. One in a transaction is tried again as a whole if it does not
// get its locks, others statement by statement.
func (m *Migrator) apply(ctx context.Context, f migrationFile, up bool) (result *goose.MigrationResult, err error) {
	s := &step{name: f.name, verb: "up", inTx: f.inTx, place: m.place,
		lock: f.lockTimeout, statement: f.statementTimeout}
	if !up {
		s.verb = "down"
	}
	m.step = s
	defer func() { m.step = nil }()
	if up {
		if err := m.recordBegin(ctx, f); err != nil {
			return nil, err
		}
	}
	run := func() error {
		s.number = 0
		result, err = m.Provider.ApplyVersion(ctx, f.version, up)
		return err
	}
	if f.inTx {
		err = m.untilLocked(ctx, s, run)
	} else {
		err = run()
	}
	if err != nil {
		return nil, &StepError{s.name, s.verb, s.inTx, s.number, s.text, cause(err)}
	}
	m.tell("%s: %s in %s%s%s", s.name, s.verb, rounded(result.Duration), s.seen.line(), s.place)
	if up {
		return result, m.recordEnd(ctx, f)
	}
	return result, nil
}

// cause returns the error of the statement itself: what goose puts around it says "partial", also of
// what was rolled back.
func cause(err error) error {
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return partial.Err
	}
	return err
}

// exec runs a statement of a migration.
func (m *Migrator) exec(ctx context.Context, c *migrationConn, query string) error {
	s := m.step
	text := withoutComments(query)
	s.number++
	s.text, s.began, s.told = summary(text), time.Now(), time.Now()
	alone := !c.inTx
	if err := m.limit(ctx, c, s, alone && blocksNobody(text)); err != nil {
		return err
	}
	run := func() error {
		return m.watch(s, c.pid(), func() error {
			_, err := c.Conn.ExecContext(ctx, query, []driver.NamedValue{})
			return err
		})
	}
	if !alone {
		return run()
	}
	return m.untilLocked(ctx, s, func() error {
		if makesConcurrentIndex(text) {
			if err := m.dropInvalid(ctx, c, text); err != nil {
				return err
			}
		}
		return run()
	})
}

// limit sets the connection's limits for the next statement. One that keeps nobody waiting may wait and
// run as long as it needs.
func (m *Migrator) limit(ctx context.Context, c *migrationConn, s *step, blocksNobody bool) error {
	want := limits{m.limits.LockTimeout, m.limits.StatementTimeout}
	if s.lock > 0 {
		want.lock = s.lock
	}
	if blocksNobody {
		want = limits{}
	}
	if s.statement > 0 {
		want.statement = s.statement
	}
	if s.number > 1 && want == s.limited {
		return nil
	}
	s.limited = want
	if m.pooled && !c.inTx { // the session is everybody's, who would get the limits
		s.limited = limits{}
		return nil
	}
	return New(c.Conn.Conn()).SetMigrationLimits(ctx, SetMigrationLimitsParams{
		LockTimeout: milliseconds(want.lock), StatementTimeout: milliseconds(want.statement), IsLocal: c.inTx})
}

// untilLocked calls try until it gets its locks: requests that came while it waited for one go first.
// After the last attempt it returns the server's refusal, with who holds the lock.
func (m *Migrator) untilLocked(ctx context.Context, s *step, try func() error) error {
	var last error
	attempt := 0
	loop := retry.Loop{MaxAttempts: m.limits.LockAttempts, First: 500 * time.Millisecond, Longest: 15 * time.Second,
		Waits: func(wait time.Duration) {
			m.tell("%s: no lock for %s within %s%s; attempt %d of %d, the next in %s", s.name, s.text,
				rounded(s.limited.lock), s.blockers, attempt, m.limits.LockAttempts, rounded(wait))
		}}
	err := loop.Do(ctx, func(n int) error {
		attempt = n + 1
		last = try()
		if isLockRefusal(last) {
			return retry.ErrRetry
		}
		return last
	})
	if err == retry.ErrRetry {
		return fmt.Errorf("%w (%d attempts%s)", cause(last), attempt, s.blockers)
	}
	return err
}

// isLockRefusal reports whether a lock was not to be had in time (55P03), or a deadlock was resolved
// (40P01). In either case the statement, or its transaction, was undone.
func isLockRefusal(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "55P03" || refused.Code == "40P01")
}

// rounded returns a duration in few digits.
func rounded(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
