package db

import (
	"cmp"
	"context"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db/retry"
)

// A transaction of several writes: each statement that is sent with its context, by whatever method of the
// Store, runs on its connection, one after the other, and nothing of them is applied before the end. The
// statements themselves are the same, and so are their guards, and what a later one sees: each has a snapshot
// of its own, which includes what the earlier ones wrote.
//
// Most losses are a statement that matches no row: the reason is read as always. If the server refuses a
// statement, the transaction has failed, and all of it is repeated without that statement, which is refused again
// without being sent. So the reason is read in a transaction that has not failed, behind what the earlier writes
// did; if it is that the write was made before, the transaction goes on. (A savepoint would do, but that some
// statements confirm what the transaction wrote by its id, and a subtransaction has another one: ConfirmPickups.)

// transaction is the open transaction of a context. One goroutine uses it at a time.
type transaction struct {
	conn      *sharedConn
	tx        pgx.Tx
	rehearsal bool // it is rolled back at the end
	// single marks one that writes at most once. A refused statement leaves nothing behind: the transaction
	// begins anew, and the reads that explain the refusal see what they would see after the write itself.
	single  bool
	attempt int // the number of those before, which were repeated
	// isLocked says that the rows are locked, and write is called: from then on its statements are numbered.
	isLocked bool
	sent     int           // the number of statements
	refused  map[int]error // what the statements of these numbers were refused with, which are not sent
	failed   error         // why no more can be sent, or nil
	// unshareable says that a write was refused among others of its statement, sharesNot that each write has
	// one of its own therefore.
	unshareable, sharesNot bool
	// changed is what its writes of pickups change besides, as far as it is known: see touchedBy.
	changed   map[changeKey]LockRowsRow
	rests     bool   // an answer rests on what was committed earlier
	committed func() // to be called after the commit
}

type transactionKey struct{}

func transactionOf(ctx context.Context) *transaction {
	t, _ := ctx.Value(transactionKey{}).(*transaction)
	return t
}

func within(ctx context.Context, t *transaction) context.Context {
	return context.WithValue(ctx, transactionKey{}, t)
}

// apart returns a context whose statements are not part of its transaction, if it has one: they are committed whatever
// becomes of that. Since it holds the caller's connection meanwhile, theirs does not count toward the caller's quota.
func apart(ctx context.Context) context.Context {
	if transactionOf(ctx) == nil {
		return ctx
	}
	return uncounted(within(ctx, nil))
}

// WriteTogether calls write with a context whose statements are one transaction, which has locked the rows, and commits
// it if write returns nil and it is no rehearsal. If the server refused a statement, or one would wait long for a lock,
// it is rolled back and write is called again: until all of it has succeeded, nothing of it is an answer. It returns
// the error of write, or Overloaded, Unavailable or Timeout.
func (s *Store) WriteTogether(
	ctx context.Context, v Viewer, rows NamedRows, rehearsal bool, write func(context.Context) error,
) error {
	return s.transact(ctx, v, rows, write, transaction{rehearsal: rehearsal})
}

// Rehearse calls write, which writes at most once, with a context whose statements are one transaction, and
// takes everything back. The viewer's reads of patients are recorded all the same. It returns the error of
// write, which is the one that it would have if it were no rehearsal.
func (s *Store) Rehearse(ctx context.Context, v Viewer, write func(context.Context) error) error {
	return s.transact(ctx, v, NamedRows{}, write, transaction{rehearsal: true, single: true})
}

func (s *Store) transact(
	ctx context.Context, v Viewer, rows NamedRows, write func(context.Context) error, kind transaction,
) error {
	begun := time.Now()
	var last error
	err := transactionTries.Do(ctx, func(attempt int) error {
		kind.attempt = attempt
		t, err := s.beginLocked(ctx, v, rows, kind)
		if err != nil {
			return Explain(err)
		}
		defer t.conn.Release()
		if t.failed == nil {
			t.isLocked = true
			last = write(within(ctx, t))
		} else {
			last = Explain(t.failed)
		}
		inTime := time.Since(begun) < max(s.waits.total, time.Second)
		if t.isRepeatable() && (inTime || t.unshareable) {
			kind.refused, kind.sharesNot = t.refusals(), t.sharesNot || t.isRefused()
			t.rollBack()
			return retry.ErrRetry
		}
		var reads []ListOwnReadsRow
		if t.rehearsal && last == nil && t.failed == nil {
			reads, last = New(t.tx).ListOwnReads(ctx)
		}
		if last = t.end(ctx, last); last == nil {
			last = s.recordDryRun(ctx, v, reads)
		}
		if t.rests {
			last = cmp.Or(s.replicated(ctx), last)
		}
		return last
	})
	switch {
	case err == retry.ErrRetry:
		return last
	case err != nil && err == ctx.Err():
		return Explain(err)
	}
	return err
}

// recordDryRun records the reads of a transaction that was rolled back: before the answer, without which nothing is
// shown.
func (s *Store) recordDryRun(ctx context.Context, v Viewer, reads []ListOwnReadsRow) error {
	if len(reads) == 0 {
		return nil
	}
	if err := s.as(v).RecordDryRun(ctx, RecordDryRunParams{
		TenantID: v.TenantID, ViewerID: v.UserID,
		PatientIds: mapSlice(reads, func(r ListOwnReadsRow) uuid.UUID { return r.PatientID }),
		Operations: mapSlice(reads, func(r ListOwnReadsRow) string { return r.Operation }),
	}); err != nil {
		return Explain(err)
	}
	return nil
}

// transactionTries bounds the attempts of a transaction. It waits for each lock only as long as a batch does
// (briefLockWait), since it holds others meanwhile, and the streams of all tenants.
var transactionTries = retry.Loop{MaxAttempts: 64, First: 4 * time.Millisecond, Longest: 100 * time.Millisecond}

// begin begins a transaction on a connection of its own.
func (s *Store) begin(ctx context.Context, kind transaction) (*transaction, error) {
	conn, err := s.conns.conn(ctx)
	if err != nil {
		return nil, err
	}
	t := &kind
	t.conn = conn
	if err := t.start(ctx); err != nil {
		conn.Release()
		return nil, err
	}
	return t, nil
}

// start begins the transaction, whose statements wait only briefly for each lock, and longer where that was in vain
// several times: two that hold what the other one needs must not give up at the same time for ever.
func (t *transaction) start(ctx context.Context) (err error) {
	if t.tx, err = t.conn.Begin(ctx); err != nil {
		return err
	}
	if t.rehearsal {
		if err := New(t.tx).KeepOwnReads(ctx); err != nil {
			return err
		}
	}
	return New(t.tx).SetLockTimeout(ctx, milliseconds(t.lockWait()))
}

func (t *transaction) lockWait() time.Duration { return briefLockWait << min(t.attempt/4, 4) }

// isRepeatable reports whether another attempt may have another outcome: if this one waited for a lock, or for one
// who waited for it; or was refused, of which the reason is not known yet.
func (t *transaction) isRepeatable() bool {
	return t.unshareable || isDeadlock(t.failed) || isLockTimeout(t.failed) || isAboutTheRequest(t.failed)
}

// refusals returns the statements that the next attempt does not send. Where statements were shared, they have
// other numbers next time.
func (t *transaction) refusals() map[int]error {
	if !t.sharesNot || !isAboutTheRequest(t.failed) {
		return t.refused
	}
	known := map[int]error{t.sent: t.failed}
	maps.Copy(known, t.refused)
	return known
}

// isRefused reports whether a write was refused, which is explained by statements of one write each.
func (t *transaction) isRefused() bool {
	return t.unshareable || t.failed != nil && !isDeadlock(t.failed) && !isLockTimeout(t.failed)
}

// end commits the transaction, or rolls it back if it is a rehearsal or failed with err, and returns what
// became of it.
func (t *transaction) end(ctx context.Context, err error) error {
	if err == nil && t.failed != nil { // nobody looked at it
		err = Explain(t.failed)
	}
	if err != nil || t.rehearsal {
		t.rollBack()
		return err
	}
	t.conn.begin()
	if err := t.conn.outcome(t.tx.Commit(ctx)); err != nil {
		return Explain(err)
	}
	if t.committed != nil {
		t.committed()
	}
	return nil
}

// rollBack takes everything back, also if the caller has left.
func (t *transaction) rollBack() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	t.tx.Rollback(ctx) // on an error, pgx closes the connection
}

// take implements taker for the statements of the transaction.
func (t *transaction) take() (batches, func(error) error, error) {
	if t.failed != nil {
		return nil, nil, t.failed
	}
	if t.isLocked {
		t.sent++
	}
	if err := t.refused[t.sent]; err != nil { // none has number 0
		return nil, nil, err
	}
	return t.conn, t.after, nil
}

// after is called with the outcome of each statement.
func (t *transaction) after(err error) error {
	if err == nil {
		return nil
	}
	t.failed = err
	if t.single && isServerError(err) && !isDeadlock(err) && !isLockTimeout(err) {
		t.rollBack()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		t.failed = t.start(ctx)
	}
	return err
}

// whenCommitted calls done now, or after the commit of the context's transaction.
func whenCommitted(ctx context.Context, done func()) {
	t := transactionOf(ctx)
	if t == nil {
		done()
		return
	}
	earlier := t.committed
	t.committed = func() {
		if earlier != nil {
			earlier()
		}
		done()
	}
}
