package db_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
	"waybill/db/dbtest"
)

// A process may be an hour behind the database, or ahead of it: sessions last as long as the database says, and
// events are told at once.
func TestSessionsAndEventsGoByTheDatabasesClock(t *testing.T) {
	for _, ahead := range []string{"+1h", "-1h"} {
		t.Run(ahead, func(t *testing.T) {
			ctx := t.Context()
			ownerURL, appURL := dbtest.WithClock(t, ahead)
			owner := must(pgxpool.New(ctx, ownerURL))
			t.Cleanup(owner.Close)
			d := &database{openStore(t, config(appURL, true)), owner, nil}
			w := d.fixture(ctx)
			const idle = 30 * time.Minute
			token, _, err := w.OpenSession(ctx, w.tenant, w.staff.UserID, "old hash", 30*time.Minute)
			w.must(err)
			read := func() error { // by the cache, from the second time on
				v, err := w.Admit(ctx, token, idle)
				if err == nil {
					_, err = w.Store.GetOne(db.Reading(ctx, v), v, w.pickup(ctx))
				}
				return err
			}
			if err := first(read(), read()); err != nil {
				t.Errorf("a good session: %v", err)
			}
			w.set(ctx, "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE tenant_id = $1")
			if err := refused(read(), db.Unauthenticated); err != nil {
				t.Errorf("a session that is over, to the cache: %v", err)
			}
			if err := refused(read(), db.Unauthenticated); err != nil {
				t.Errorf("a session that is over: %v", err)
			}
			f := &follower{w: w, by: w.dispatcher}
			w.must(f.catchUp(ctx, scan[int](ctx, w.owner,
				"SELECT count(*) FROM pickup_events WHERE tenant_id = $1", w.tenant)))
			f.seen = nil
			id := w.pickup(ctx)
			w.must(w.moving(ctx, db.TransitionNameSubmit, id)(w.Raw))
			w.must(f.catchUp(ctx, 1))
			if len(f.seen) != 1 || f.seen[0] != id {
				t.Errorf("told of %v, want %v", f.seen, []uuid.UUID{id})
			}
		})
	}
}
