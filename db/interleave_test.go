package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
)

// act is the work of one caller.
type act func(*db.Raw) error

// together runs n callers, each on a connection of its own, started at once.
func together(n int, act func(caller int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-start
			errs[i] = act(i)
		})
	}
	close(start)
	done.Wait()
	return errs
}

// ending ends an open transaction.
type ending func(context.Context, pgx.Tx) error

func commit(ctx context.Context, tx pgx.Tx) error   { return tx.Commit(ctx) }
func rollback(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) }

// behind runs first in a transaction and leaves it open while it starts the others, on connections of
// their own, each when the one before waits for a lock or has returned; then it ends the transaction. So
// an interleaving that would happen once in a thousand attempts happens each time.
func (w *fixture) behind(ctx context.Context, end ending, first act, others ...act) (waited []bool, errs []error) {
	tx, err := w.pool.Begin(ctx)
	w.must(err)
	defer tx.Rollback(context.WithoutCancel(ctx))
	w.must(first(w.over(tx)))

	waited, errs = make([]bool, len(others)), make([]error, len(others))
	pids := []uint32{tx.Conn().PgConn().PID()}
	ended := make([]chan struct{}, len(others))
	for i, other := range others {
		conn, err := w.pool.Acquire(ctx)
		w.must(err)
		pid := conn.Conn().PgConn().PID()
		pids = append(pids, pid)
		ended[i] = make(chan struct{})
		go func() {
			defer close(ended[i])
			defer conn.Release()
			errs[i] = other(w.over(conn))
		}()
		waited[i] = w.waits(ctx, pid, pids, ended[i])
	}
	w.must(end(ctx, tx))
	for _, e := range ended {
		<-e
	}
	return waited, errs
}

// waits returns true as soon as session pid waits for one of the others, and false if it returns without.
func (w *fixture) waits(ctx context.Context, pid uint32, others []uint32, done <-chan struct{}) bool {
	for {
		select {
		case <-done:
			return false
		case <-time.After(500 * time.Microsecond):
		}
		var waits bool
		w.must(w.owner.QueryRow(ctx, "SELECT pg_blocking_pids($1) && $2", int32(pid), pids(others)).Scan(&waits))
		if waits {
			return true
		}
	}
}

func pids(all []uint32) []int32 {
	out := make([]int32, len(all))
	for i, p := range all {
		out[i] = int32(p)
	}
	return out
}

// loses holds first open, has second wait for it, and expects second to be refused.
func (w *fixture) loses(ctx context.Context, code db.Code, first, second act) error {
	waited, errs := w.behind(ctx, commit, first, second)
	if !waited[0] {
		return errors.New("the second did not wait for the first")
	}
	return refused(errs[0], code)
}

// wins holds first open, has second wait for it, and expects second to succeed.
func (w *fixture) wins(ctx context.Context, end ending, first, second act) error {
	waited, errs := w.behind(ctx, end, first, second)
	if !waited[0] {
		return errors.New("the second did not wait for the first")
	}
	return errs[0]
}

// passes holds first open and expects second to succeed meanwhile.
func (w *fixture) passes(ctx context.Context, first, second act) error {
	waited, errs := w.behind(ctx, commit, first, second)
	if waited[0] {
		return errors.New("the second waited for the first")
	}
	return errs[0]
}

// code returns the error's code, "" for success.
func code(err error) db.Code {
	if err == nil {
		return ""
	}
	return db.Explain(err).Code
}

// refused returns an error unless err is the documented refusal: a refused transition states the pickup's
// current status, which the trigger behind it would not.
func refused(err error, want db.Code) error {
	var refusal *db.Error
	switch {
	case code(err) != want:
		return fmt.Errorf("got %q (%v), want %q", code(err), err, want)
	case want == db.IllegalTransition && (!errors.As(err, &refusal) || refusal.Status == ""):
		return fmt.Errorf("the refusal does not state the status: %v", err)
	}
	return nil
}

// oneWins returns an error unless exactly one caller succeeded and the others got the code.
func oneWins(errs []error, loser db.Code) error { return someWin(1, errs, loser) }

func someWin(winners int, errs []error, loser db.Code) error {
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if err := refused(err, loser); err != nil {
			return err
		}
	}
	if won != winners {
		return fmt.Errorf("%d of %d callers won, want %d", won, len(errs), winners)
	}
	return nil
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func scan[T any](ctx context.Context, pool *pgxpool.Pool, query string, args ...any) (v T) {
	if err := pool.QueryRow(ctx, query, args...).Scan(&v); err != nil {
		panic(setUpError{fmt.Errorf("%s: %w", query, err)})
	}
	return v
}
