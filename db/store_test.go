package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"waybill/db"
)

func TestAFullPoolIsAnAnswerNotAQueue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	s := openStore(t, db.Config{URL: d.AppURL, MaxConns: 1})
	held := must(s.Pool().Acquire(ctx))
	begin := time.Now()
	_, err := s.ListTransitions(ctx)
	took := time.Since(begin)
	limited, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := s.CheckWritable(limited); code(err) != db.Unavailable || !errors.Is(err, db.Busy) {
		t.Errorf("ready with a full pool: %v", err)
	}
	held.Release()
	if code(err) != db.Overloaded || took < 200*time.Millisecond { // it has waited, and no longer than for ever
		t.Errorf("after %v: %v", took, err)
	}
	if _, err := s.ListTransitions(ctx); err != nil {
		t.Errorf("with the connection back: %v", err)
	}
}

// A request waits longer for its own user's connections than for others': the requests of one user run in
// turn.
func TestAUsersRequestsWaitForEachOther(t *testing.T) {
	t.Parallel()
	d := open(t)
	w := d.fixture(t.Context())
	s := openStore(t, db.Config{URL: d.AppURL, MaxConns: 4, ConnsPerUser: 1}) // waits 250 ms for a connection
	mine := context.WithValue(t.Context(), db.CallerKey{}, &w.admin)
	rows := must(s.DBTX().Query(mine, "SELECT 1"))
	begin := time.Now()
	_, err := s.ListTransitions(mine)
	if took := time.Since(begin); code(err) != db.ConcurrencyLimit || took < 900*time.Millisecond {
		t.Errorf("after %v: %v", took, err)
	}
	rows.Close()
	if _, err := s.ListTransitions(mine); err != nil {
		t.Errorf("with the connection back: %v", err)
	}
}

// A caller who disconnects cancels their query on the server, and the connection stays usable.
func TestACanceledCallerKeepsTheConnection(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	s := openStore(t, db.Config{URL: d.AppURL, MaxConns: 1})
	var before, after uint32
	w.must(s.DBTX().QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&before))

	holder := must(d.owner.Begin(ctx))
	defer holder.Rollback(context.WithoutCancel(ctx))
	must(holder.Exec(ctx, "SELECT FROM accounts WHERE id = $1 FOR UPDATE", w.account))
	leaving, leave := context.WithCancel(ctx)
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = w.charging(leaving, w.account, 5)(s)
	}()
	if !w.waits(ctx, before, []uint32{holder.Conn().PgConn().PID()}, done) {
		t.Fatal("the charge did not wait")
	}
	leave()
	<-done
	if code(err) != db.Timeout {
		t.Errorf("got %v", err)
	}
	// The server has stopped waiting while the lock is still held.
	for end := time.Now().Add(time.Minute); ; {
		var waiting bool
		w.must(d.owner.QueryRow(ctx, "SELECT cardinality(pg_blocking_pids($1)) > 0", int32(before)).Scan(&waiting))
		if !waiting {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the query runs on")
		}
	}
	w.must(s.DBTX().QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&after))
	if before != after {
		t.Error("the connection was lost")
	}
	if w.balance(ctx, w.account) != 1_000_000 {
		t.Error("the charge was booked")
	}
}

func TestALongWaitForALockIsOverloadedAndALongStatementATimeout(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	holder := must(d.owner.Begin(ctx))
	defer holder.Rollback(context.WithoutCancel(ctx))
	must(holder.Exec(ctx, "SELECT FROM accounts WHERE id = $1 FOR UPDATE", w.account))
	s := openStore(t, db.Config{URL: d.AppURL, LockTimeout: 50 * time.Millisecond})
	if err := w.charging(ctx, w.account, 5)(s); code(err) != db.Overloaded {
		t.Errorf("lock timeout: %v", err)
	}
	s, err := db.OpenRaw(ctx, db.Config{URL: d.AppURL, StatementTimeout: 50 * time.Millisecond})
	for code(err) == db.Timeout { // on a busy machine, what opens the store may take longer, too
		s, err = db.OpenRaw(ctx, db.Config{URL: d.AppURL, StatementTimeout: 50 * time.Millisecond})
	}
	w.must(err)
	defer s.Close()
	if err := w.charging(ctx, w.account, 5)(s); code(err) != db.Timeout {
		t.Errorf("statement timeout: %v", err)
	}
}

func TestOpenRefusesWhatItCannotReach(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://nobody:secret@127.0.0.1:1/none?connect_timeout=1",
		"postgres://u:secret@%zz"} {
		_, err := db.OpenRaw(t.Context(), db.Config{URL: url})
		if err == nil {
			t.Fatal("opened")
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error contains the password: %v", err)
		}
	}
}

// A readiness probe does not fail because all connections are in use for longer than a request waits.
func TestABusyStoreIsReady(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := openStore(t, db.Config{URL: open(t).AppURL, MaxConns: 1, AcquireTimeout: time.Millisecond})
	held := must(s.Pool().Acquire(ctx))
	checked := make(chan error, 1)
	go func() { checked <- s.CheckWritable(ctx) }()
	if _, err := s.ListTransitions(ctx); code(err) != db.Overloaded {
		t.Errorf("a request beside it: %v", err)
	}
	select {
	case err := <-checked:
		t.Errorf("it did not wait: %v", err)
		checked <- err
	default:
	}
	held.Release()
	if err := <-checked; err != nil {
		t.Error(err)
	}
}
