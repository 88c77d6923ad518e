package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

// An event is delivered as soon as it is committed, whatever other transactions run: only transactions
// that write events can commit an earlier one.
func TestNoTransactionThatWritesNoEventHoldsTheStreamBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d, elsewhere := open(t), open(t)
	w := d.fixture(ctx)
	begin := func(d *database, statements ...string) {
		conn := must(d.owner.Acquire(ctx)).Hijack() // more than the pool has
		t.Cleanup(func() { conn.Close(context.WithoutCancel(ctx)) })
		tx := must(conn.Begin(ctx))
		for _, s := range statements {
			must(tx.Exec(ctx, s))
		}
	}
	const id = "SELECT pg_current_xact_id()"
	for _, also := range []struct {
		what string
		open func()
	}{
		{"no transaction", func() {}},
		{"a long transaction", func() { begin(d, id) }},
		{"a transaction that reads events", func() { begin(d, id, "SELECT count(*) FROM pickup_events") }},
		{"a transaction that locks them", func() { begin(d, "SELECT FROM pickup_events FOR KEY SHARE", id) }},
		{"one that is about to write events", func() {
			begin(d, "LOCK TABLE pickup_events IN ROW EXCLUSIVE MODE", id)
		}},
		{"one like VACUUM", func() { begin(d, "LOCK TABLE pickup_events IN SHARE UPDATE EXCLUSIVE MODE", id) }},
		{"a feed", func() { begin(d, "UPDATE patients SET phone = phone", id) }},
		{"one of another database", func() { begin(elsewhere, id) }},
		{"one of another database that writes events there",
			func() { begin(elsewhere, id, "SELECT pg_advisory_xact_lock(20561, pg_backend_pid())") }},
		{"a writer that waits before it has an id",
			func() { begin(d, "LOCK TABLE pickup_events IN ROW EXCLUSIVE MODE") }},
	} {
		also.open() // and stays so
		f := &follower{w: w, by: w.staff}
		f.read(ctx)
		f.seen = nil
		pickup := w.pickup(ctx)
		w.must(w.moving(ctx, db.TransitionNameSubmit, pickup)(w.Raw))
		for tries := 0; len(f.seen) == 0 &&
			tries < 50; tries++ { // a transaction that ends during a snapshot counts as running until the next
			f.read(ctx)
		}
		if !slices.Equal(f.seen, []uuid.UUID{pickup}) {
			t.Errorf("beside %s: told of %v", also.what, f.seen)
		}
	}
}

func parseXID(text string) (xid uint64, err error) {
	_, err = fmt.Sscan(text, &xid)
	return xid, err
}

// writersOfEvents returns the statements that write events, by name.
func writersOfEvents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, text := range statements(t) {
		for _, verb := range []string{"INSERT INTO", "UPDATE", "DELETE FROM", "MERGE INTO"} {
			if strings.Contains(text, verb+" pickup_events") {
				all[name] = text
			}
		}
	}
	return all // TransitionPickups, its two variants, DispatchPickup and AdjustPickup
}

// marks returns whether a session has an id, and the lock of those who have written events.
func marks(ctx context.Context, w *fixture, pid uint32) (hasID, hasLock bool) {
	w.must(w.owner.QueryRow(ctx, `
		SELECT
			coalesce(bool_or(locktype = 'transactionid' AND mode = 'ExclusiveLock'), false),
			coalesce(bool_or(locktype = 'advisory' AND classid = 20561 AND objsubid = 2), false)
		FROM pg_locks WHERE pid = $1 AND granted`, int32(pid)).Scan(&hasID, &hasLock))
	return hasID, hasLock
}

// The stream's horizon relies on this: whoever has written an event, by whatever statement, has the lock until the
// transaction ends.
func TestWhoHasWrittenAnEventHasTheLock(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	w.driver(ctx, 1, 1)
	moved, repriced := w.submitted(ctx), w.submitted(ctx)
	for what, write := range map[string]func(tx pgx.Tx, id uuid.UUID){
		"a submit": func(tx pgx.Tx, id uuid.UUID) {
			w.must(w.moving(ctx, db.TransitionNameSubmit, id)(w.over(tx)))
		},
		"a dispatch": func(tx pgx.Tx, _ uuid.UUID) {
			w.must(w.moving(ctx, db.TransitionNameDispatch, moved)(w.over(tx)))
		},
		"a reprice": func(tx pgx.Tx, _ uuid.UUID) { w.must(w.repricing(ctx, repriced, 600)(w.over(tx))) },
		"a cancel that skips locked rows": func(tx pgx.Tx, id uuid.UUID) {
			must(w.over(tx).MovePastLocks(ctx, w.dispatcher, db.TransitionNameCancel, ids(id, w.pickup(ctx)), nil))
		},
		"an insert": func(tx pgx.Tx, id uuid.UUID) { must(tx.Exec(ctx, insertEvent, id)) },
		"a subtransaction": func(tx pgx.Tx, id uuid.UUID) {
			sub := must(tx.Begin(ctx))
			must(sub.Exec(ctx, insertEvent, id))
			w.must(sub.Commit(ctx))
		},
	} {
		tx := must(w.owner.Begin(ctx))
		write(tx, w.pickup(ctx))
		must(tx.Exec(ctx, "SELECT 1"))
		if hasID, hasLock := marks(ctx, w, tx.Conn().PgConn().PID()); !hasID || !hasLock {
			t.Errorf("%s: it has an id: %t, the lock: %t", what, hasID, hasLock)
		}
		w.must(tx.Rollback(ctx))
	}
	if n := len(writersOfEvents(t)); n != 5 {
		t.Errorf("%d statements write events", n)
	}
}

// A transaction that waits for a row before its event holds no stream back, however long, and its event is told
// after those of the others.
func TestAWriterThatWaitsBeforeItsEventHoldsNoStreamBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	account := w.fundedAccount(ctx, 10_000)
	slow, fast := w.pickup(ctx, paidBy(account)), w.pickup(ctx)
	f := &follower{w: w, by: w.staff}
	tx := must(w.pool.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	finish := w.midway(ctx, tx, account, slow)
	if hasID, hasLock := marks(ctx, w, tx.Conn().PgConn().PID()); !hasID || hasLock {
		t.Errorf("while it waits it has an id: %t, the lock: %t", hasID, hasLock)
	}
	w.must(w.moving(ctx, db.TransitionNameSubmit, fast)(w.Raw))
	for tries := 0; len(f.seen) == 0 && tries < 50; tries++ {
		f.read(ctx)
		must(w.MoveStreamHorizon(ctx))
	}
	if !slices.Equal(f.seen, ids(fast)) {
		t.Errorf("while it waits, the events of %v are told", f.seen)
	}
	finish()
	w.must(tx.Commit(ctx))
	if err := f.catchUp(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.seen, ids(fast, slow)) {
		t.Errorf("the events of %v are told", f.seen)
	}
}

// insertEvent is a statement of an operator in psql.
const insertEvent = `
	WITH moved AS (
		UPDATE pickups SET status = 'CANCELED', previous_status = status, version = version + 1 WHERE id = $1
		    RETURNING *
	)
	INSERT INTO pickup_events (tenant_id, id, pickup_id, version, transition, actor_id, before, after, request_digest)
	SELECT tenant_id, gen_random_uuid(), id, version, 'cancel', requested_by, previous_status, status, '' FROM moved`

// When writing stops, an event at an unusual position is delivered once the horizon has moved.
// Other tests' transactions may move it as well.
func TestTheHorizonMovesBeyondAnEventThatComesLast(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	id := w.pickup(ctx)
	tx := must(w.owner.Begin(ctx))
	takeXID(ctx, tx)
	must(w.MoveStreamHorizon(ctx))
	must(tx.Exec(ctx, insertEvent, id))
	w.must(tx.Commit(ctx))
	must(w.MoveStreamHorizon(ctx))
	f := &follower{w: w, by: w.staff}
	if err := f.catchUp(ctx, 1); err != nil {
		t.Error(err)
	}
}

// A transaction that has an id before the lock, by another statement, writes an event at a position that
// the stream has passed: the event is moved to where the stream continues.
func TestAnEventOfATransactionThatHadItsIDBeforeIsTold(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	for name, write := range map[string]func(w *fixture, tx pgx.Tx, id uuid.UUID){
		"a statement of ours": func(w *fixture, tx pgx.Tx, id uuid.UUID) {
			w.must(w.moving(ctx, db.TransitionNameSubmit, id)(w.over(tx)))
		},
		"one by hand": func(_ *fixture, tx pgx.Tx, id uuid.UUID) { must(tx.Exec(ctx, insertEvent, id)) },
		"several that came as one": func(_ *fixture, tx pgx.Tx, id uuid.UUID) {
			must(tx.Conn().PgConn().Exec(ctx, "SELECT 1; "+strings.ReplaceAll(insertEvent, "$1", "'"+id.String()+"'")).
				ReadAll())
		},
		"a function's": func(_ *fixture, tx pgx.Tx, id uuid.UUID) {
			must(tx.Exec(ctx, "DO $do$ BEGIN PERFORM 1; "+strings.ReplaceAll(insertEvent,
				"$1", "'"+id.String()+"'")+"; END $do$"))
		},
		"a subtransaction's": func(w *fixture, tx pgx.Tx, id uuid.UUID) {
			sub := must(tx.Begin(ctx))
			must(sub.Exec(ctx, insertEvent, id))
			w.must(sub.Commit(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := d.fixture(ctx)
			slow, fast, last := w.pickup(ctx, paidBy(w.fundedAccount(ctx, 10_000))), w.pickup(ctx), w.pickup(ctx)
			f := &follower{w: w, by: w.staff}
			tx := must(w.owner.Begin(ctx))
			defer tx.Rollback(context.WithoutCancel(ctx))
			takeXID(ctx, tx)
			w.must(w.moving(ctx, db.TransitionNameSubmit, fast)(w.Raw))
			w.must(f.catchUp(ctx, 1))
			if !slices.Equal(f.seen, []uuid.UUID{fast}) {
				t.Errorf("got the events of %v without a writer", f.seen)
			}
			write(w, tx, slow)
			w.must(w.moving(ctx, db.TransitionNameSubmit, last)(w.Raw))
			if f.read(ctx); len(f.seen) > 1 {
				t.Error("an event was delivered before its predecessor had ended")
			}
			w.must(tx.Commit(ctx))
			if err := f.catchUp(ctx, 3); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.seen, []uuid.UUID{fast, slow, last}) {
				t.Error("the order differs")
			}
		})
	}
}

// A transaction with an old snapshot cannot know the position of the stream.
func TestAnEventUnderAnOldSnapshotIsRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	id := w.pickup(ctx)
	for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
		tx := must(w.owner.BeginTx(ctx, pgx.TxOptions{IsoLevel: level}))
		_, err := tx.Exec(ctx, insertEvent, id)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "55000" {
			t.Errorf("%s: %v", level, err)
		}
		w.must(tx.Rollback(ctx))
	}
}

// writingOrders returns transactions that submit a pickup, and transactions that take a lock or an id without
// submitting it.
func (w *fixture) writingOrders(ctx context.Context) (ways, lost []func(uuid.UUID) error) {
	pause := func() { time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) }
	in := func(end ending, steps ...func(tx pgx.Tx, id uuid.UUID)) func(id uuid.UUID) error {
		return func(id uuid.UUID) error {
			tx, err := w.pool.Begin(ctx)
			if err != nil {
				return err
			}
			defer tx.Rollback(context.WithoutCancel(ctx))
			for _, step := range steps {
				step(tx, id)
				pause()
			}
			return end(ctx, tx)
		}
	}
	id := func(tx pgx.Tx, _ uuid.UUID) {
		takeXID(ctx, tx)
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // so that the others get ahead
	}
	lock := func(tx pgx.Tx, _ uuid.UUID) { must(tx.Exec(ctx, "LOCK TABLE pickup_events IN ROW EXCLUSIVE MODE")) }
	submit := func(tx pgx.Tx, id uuid.UUID) { w.must(w.moving(ctx, db.TransitionNameSubmit, id)(w.over(tx))) }
	ways = []func(uuid.UUID) error{
		func(id uuid.UUID) error { return w.moving(ctx, db.TransitionNameSubmit, id)(w.Raw) },
		in(commit, submit), in(commit, lock, id, submit), in(commit, lock, submit),
		in(commit, id, submit), in(commit, id, lock, submit),
	}
	lost = []func(uuid.UUID) error{in(rollback, submit), in(rollback, id, submit),
		in(commit, lock, id), in(commit, id)}
	return ways, lost
}

// The stream delivers each event once, whatever the order in which writers take the lock, a transaction id
// and a sequence number, and whether they commit or roll back.
func TestTheStreamTellsEachEventOnceHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w, quiet := d.fixture(ctx), d.fixture(ctx)
	ways, lost := w.writingOrders(ctx)
	const writers, each = 8, 12
	pickups := make([]uuid.UUID, writers*each)
	for i := range pickups {
		if i%each == 0 {
			w.account = w.fundedAccount(ctx, 1_000_000) // a writer's own
		}
		pickups[i] = w.pickup(ctx, paidBy(w.account))
	}
	f, told := &follower{w: w, by: w.staff}, &follower{w: w, by: w.staff}
	var both sync.WaitGroup
	both.Go(func() {
		if err := told.catchUpWhenTold(ctx, len(pickups), quiet); err != nil {
			t.Error(err)
		}
	})
	both.Go(func() {
		for _, err := range together(writers, func(i int) error {
			for _, id := range pickups[i*each : (i+1)*each] {
				if err := errors.Join(lost[rand.IntN(len(lost))](id), ways[rand.IntN(len(ways))](id)); err != nil {
					return err
				}
			}
			return nil
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		must(w.MoveStreamHorizon(ctx)) // beyond the last
	})
	err := f.catchUp(ctx, len(pickups))
	both.Wait()
	if err != nil {
		t.Fatal(err)
	}
	f.read(ctx)
	sortIDs(pickups)
	for _, f := range []*follower{f, told} {
		sortIDs(f.seen)
		if !slices.Equal(f.seen, pickups) {
			t.Errorf("%d events of %d pickups", len(f.seen), len(pickups))
		}
	}
}
