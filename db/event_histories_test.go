package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/seed"
)

var eventHistoryRaces = []check{
	{"BeginEventHistory", "two processes begin one history twice", func(ctx context.Context, w *fixture) error {
		must(w.owner.Exec(ctx, "DELETE FROM event_histories"))
		err := errors.Join(together(manyCallers, func(int) error { return w.BeginEventHistory(ctx) })...)
		n := scan[int](ctx, w.owner, "SELECT count(*) FROM event_histories")
		if err == nil && n != 1 {
			err = fmt.Errorf("there are %d histories", n)
		}
		return err
	}},
}

// A writer that has its number, and not committed, is of a former history or of this one, but its event is not
// lost in between: the history begins after it has ended.
func TestAHistoryBeginsAfterTheWritersUnderWay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	must(d.owner.Exec(ctx, "DELETE FROM event_histories"))
	tx := must(d.owner.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	w.must(seed.Make(ctx, tx, uuid.New(), func(r *seed.Rows) {
		r.Pickup(r.Standard(withOldHash).Pickup(seed.In(db.PickupStatusSUBMITTED)))
	}))
	begun := make(chan db.StreamHorizon, 1)
	go func() { begun <- must(w.StreamHorizon(ctx)) }()
	for waits := false; !waits; time.Sleep(time.Millisecond) {
		select {
		case h := <-begun:
			t.Fatalf("it has begun at %d, before a writer has ended", h.FirstSeq)
		default:
		}
		waits = scan[bool](ctx, d.owner, `SELECT EXISTS (SELECT FROM pg_locks
			WHERE NOT granted AND relation = 'pickup_events'::regclass
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
	}
	w.must(tx.Commit(ctx))
	h := <-begun
	if n := scan[int](ctx, d.owner, "SELECT count(*) FROM pickup_events WHERE xid >= $1::text::xid8 OR seq > $2",
		fmt.Sprint(h.Sendable), h.FirstSeq); n != 0 {
		t.Errorf("%d events are told by half", n)
	}
}
