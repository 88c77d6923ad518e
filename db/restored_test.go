//go:build !race

// Clusters are processes, which share no memory with a test.

package db_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/seed"
)

// told is a stream of a tenant, as a client keeps it: its history, and the position that it has reached.
type told struct {
	w       *fixture
	history string
	xid     uint64
	seq     int64
}

// startTold begins a stream at the present, without a position.
func startTold(ctx context.Context, w *fixture) *told {
	h := must(w.StreamHorizon(ctx))
	return &told{w, h.History, h.Sendable, 0}
}

// next returns the ids of the events since the last call, as the server would send them.
func (s *told) next(ctx context.Context) (ids []uuid.UUID, err error) {
	must(s.w.MoveStreamHorizon(ctx))
	h := must(s.w.StreamHorizon(ctx))
	for {
		page, err := s.w.Store.StreamPickupEvents(ctx, s.history, h.Recovery, db.StreamPickupEventsParams{
			TenantID: s.w.tenant, ViewerRole: db.UserRoleAdmin, AfterXid: fmt.Sprint(s.xid), AfterSeq: s.seq,
			Horizon: fmt.Sprint(h.Sendable), FirstSeq: h.FirstSeq, MaxRows: 2,
		})
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			ids = append(ids, e.ID)
		}
		if page.IsLast {
			s.xid, s.seq = h.Sendable, 0
			return ids, nil
		}
		s.xid, s.seq = page.LastXid, page.LastSeq
	}
}

// wants fails the test unless the stream sends these events, and a stream that polls is told of them.
func (s *told) wants(t *testing.T, want ...uuid.UUID) {
	t.Helper()
	h := must(s.w.StreamHorizon(t.Context()))
	found := must(s.w.FindNewEvents(t.Context(), db.FindNewEventsParams{
		TenantIds: []uuid.UUID{s.w.tenant}, SinceXids: []string{fmt.Sprint(s.xid)}, FirstSeq: h.FirstSeq,
	}))
	if (len(found) > 0) != (len(want) > 0) {
		t.Errorf("%d tenants are told of %d events", len(found), len(want))
	}
	if got, err := s.next(t.Context()); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("told %v, %v, want %v", got, err, want)
	}
}

// event makes a pickup with an event, and returns the event's id.
func (w *fixture) event(ctx context.Context) uuid.UUID {
	var pickup uuid.UUID
	w.make(ctx, func(r *seed.Rows) { pickup = r.Pickup(w.seeded.Pickup(seed.In(db.PickupStatusSUBMITTED))) })
	return scan[uuid.UUID](ctx, w.owner, "SELECT id FROM pickup_events WHERE pickup_id = $1", pickup)
}

// movedTo returns the world of another server that has the same tenant.
func (w *fixture) movedTo(t *testing.T, server *localpg.Server, database string) *fixture {
	t.Helper()
	other := *w
	other.as = openStore(t, db.Config{URL: server.URL(localpg.App, database), MaxConns: 4})
	other.Raw, other.pool = other.as, other.as.Pool()
	other.owner = openPool(t, server.URL(localpg.Owner, database))
	return &other
}

// isRestarted fails the test unless a stream learns that its history has ended, and a new one begins after all
// that is there.
func isRestarted(t *testing.T, former *told, w *fixture) *told {
	t.Helper()
	ctx := t.Context()
	now := startTold(ctx, w)
	if now.history == former.history {
		t.Error("the history has not changed")
	}
	if _, err := (&told{w, former.history, former.xid, former.seq}).next(ctx); code(err) != db.StreamRestarted {
		t.Errorf("a position of another history: %v", err)
	}
	now.wants(t)
	now.wants(t, w.event(ctx), w.event(ctx), w.event(ctx))
	now.wants(t, w.event(ctx))
	return now
}

func TestAFailoverAndItsWayBackAreOtherHistories(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	first, second := startPair(t)
	w := worldOn(t, first, openStore(t, db.Config{URL: first.URL(localpg.App, localpg.Database), MaxConns: 4}))
	before := startTold(ctx, w)
	before.wants(t, w.event(ctx), w.event(ctx))
	must(0, first.AwaitReplay(ctx, second))
	must(0, second.Crash()) // what follows is lost
	before.wants(t, w.event(ctx))
	must(0, first.Kill())
	must(0, second.Restart(ctx))
	must(0, second.Promote(ctx))
	there := w.movedTo(t, second, localpg.Database)
	after := isRestarted(t, before, there)

	must(0, first.Rejoin(ctx, second, "first"))
	must(0, second.AwaitReplay(ctx, first))
	must(0, second.Kill())
	must(0, first.Promote(ctx))
	back := w.movedTo(t, first, localpg.Database)
	isRestarted(t, after, back)
	isRestarted(t, before, back)
}

// Both are promoted from one state, without knowing of each other: they have the same timeline.
func TestTwoBranchesOfOneTimelineAreTwoHistories(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary, second := startPair(t)
	third := must(primary.Standby(ctx, "third"))
	t.Cleanup(func() { third.Stop() })
	w := worldOn(t, primary, openStore(t, db.Config{URL: primary.URL(localpg.App, localpg.Database), MaxConns: 4}))
	for _, s := range []*localpg.Server{second, third} {
		must(0, primary.AwaitReplay(ctx, s))
	}
	must(0, primary.Kill())
	must(0, second.Promote(ctx))
	must(0, third.Promote(ctx))
	one := startTold(ctx, w.movedTo(t, second, localpg.Database))
	isRestarted(t, one, w.movedTo(t, third, localpg.Database))
}

func TestARecoveryToAPointInTimeIsAnotherHistory(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary, recovered := startPair(t)
	w := worldOn(t, primary, openStore(t, db.Config{URL: primary.URL(localpg.App, localpg.Database), MaxConns: 4}))
	must(0, recovered.Crash())
	before := startTold(ctx, w)
	before.wants(t, w.event(ctx), w.event(ctx))
	execute(t, primary.URL(localpg.Superuser, localpg.Database), "SELECT pg_create_restore_point('here')")
	before.wants(t, w.event(ctx), w.event(ctx))
	must(0, recovered.Set(ctx, map[string]string{
		"recovery_target_name": "here", "recovery_target_action": "promote"}))
	must(0, recovered.Restart(ctx))
	awaitPrimary(t, recovered)
	isRestarted(t, before, w.movedTo(t, recovered, localpg.Database))
}

// manyTransactions uses up 20,000 transaction ids.
const manyTransactions = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"

// Restored events have transaction ids of the other cluster, which this one reaches later, or has passed.
func TestARestoredDumpIsAnotherHistory(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := startServer(t)
	w := worldOn(t, server, openStore(t, db.Config{URL: server.URL(localpg.App, localpg.Database), MaxConns: 4}))
	before := startTold(ctx, w)
	before.wants(t, w.event(ctx), w.event(ctx))
	execute(t, server.URL(localpg.Owner, localpg.Database), manyTransactions)
	before.wants(t, w.event(ctx), w.event(ctx))
	dump := must(dumpOf(ctx, server))

	for name, change := range map[string]string{
		"in another cluster": "SELECT 1",
		"in another cluster, without the sequences": "ALTER SEQUENCE pickup_events_seq_seq " +
			"RESTART", // of logical replication
	} {
		t.Run(name, func(t *testing.T) {
			other := must(localpg.Start(ctx, localpg.Options{Initdb: true}))
			t.Cleanup(func() { other.Stop() })
			restore(t, other, localpg.Database, dump)
			execute(t, other.URL(localpg.Owner, localpg.Database), change)
			there := w.movedTo(t, other, localpg.Database)
			newest := uint64(scan[int64](ctx, there.owner, "SELECT max(xid::text::bigint) FROM pickup_events"))
			if h := must(there.StreamHorizon(ctx)); h.Newest > newest-5000 {
				t.Fatalf("the new cluster is at transaction %d, the events are of %d", h.Newest, newest)
			}
			now := isRestarted(t, before, there)
			execute(t, other.URL(localpg.Owner, localpg.Database), manyTransactions)
			if h := must(there.StreamHorizon(ctx)); h.Newest < newest {
				t.Fatalf("the new cluster is at transaction %d, the events are of %d", h.Newest, newest)
			}
			now.wants(t) // the restored events are no news
			now.wants(t, there.event(ctx))
		})
	}
	t.Run("in another database of the cluster", func(t *testing.T) {
		execute(t, server.URL(localpg.Superuser, localpg.Database), "CREATE DATABASE other OWNER "+localpg.Owner)
		restore(t, server, "other", dump)
		isRestarted(t, before, w.movedTo(t, server, "other"))
	})
	t.Run("in the same database", func(t *testing.T) {
		execute(t, server.URL(localpg.Superuser, localpg.Database), "DROP OWNED BY "+localpg.Owner+" CASCADE")
		restore(t, server, localpg.Database, dump)
		isRestarted(t, before, w.movedTo(t, server, localpg.Database))
	})
	t.Run("as the copy of a database", func(t *testing.T) {
		execute(t, server.URL(localpg.Superuser, localpg.Database), "CREATE DATABASE template OWNER "+localpg.Owner)
		restore(t, server, "template", dump)
		s := must(db.Open(ctx, db.Config{URL: server.URL(localpg.App, "template")}))
		h := must(s.StreamHorizon(ctx))
		s.Close()
		execute(t, server.URL(localpg.Superuser, localpg.Database), "CREATE DATABASE copy TEMPLATE template")
		isRestarted(t, &told{w, h.History, h.Sendable, 0}, w.movedTo(t, server, "copy"))
	})
	t.Run("as a snapshot of the disk", func(t *testing.T) { // after which the owner says so
		execute(t, server.URL(localpg.Owner, localpg.Database), "DELETE FROM event_histories")
		isRestarted(t, before, w.movedTo(t, server, localpg.Database))
	})
}

// dumpOf returns a dump of the server's database, as SQL.
func dumpOf(ctx context.Context, server *localpg.Server) ([]byte, error) {
	program, err := localpg.FindProgram("pg_dump")
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, program, server.URL(localpg.Superuser, localpg.Database)).Output()
}

// restore plays a dump into a database without tables.
func restore(t *testing.T, server *localpg.Server, database string, dump []byte) {
	t.Helper()
	program := must(localpg.FindProgram("psql"))
	cmd := exec.CommandContext(t.Context(), program, "--quiet", "--set=ON_ERROR_STOP=1",
		server.URL(localpg.Superuser, database))
	cmd.Stdin = bytes.NewReader(dump)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn := must(pgx.Connect(t.Context(), url))
	defer conn.Close(context.Background())
	must(conn.Exec(t.Context(), sql))
}

// awaitPrimary waits until a server has left recovery.
func awaitPrimary(t *testing.T, server *localpg.Server) {
	t.Helper()
	for recovers := true; recovers; {
		conn := must(pgx.Connect(t.Context(), server.URL(localpg.Superuser, localpg.Database)))
		must(0, conn.QueryRow(t.Context(), "SELECT pg_is_in_recovery()").Scan(&recovers))
		conn.Close(t.Context())
	}
}
