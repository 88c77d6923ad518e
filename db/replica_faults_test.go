//go:build !race

// Clusters are processes, which share no memory with a test.

package db_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"waybill/db"
	"waybill/db/localpg"
)

// isFresh fails the test unless a client reads what it has just written, whoever serves it.
func (r *readers) isFresh(name string) {
	r.t.Helper()
	written := r.rename(name)
	for _, after := range []db.Position{written, {}} {
		if read, replica, _ := r.read(r.admin, after); read != name {
			r.t.Errorf("read %q after %q was written, by a replica %t", read, name, replica)
		}
	}
}

// serves waits until a replica serves what its client wrote.
func (r *readers) serves() {
	r.t.Helper()
	n := 0
	recoversBy(r.t, func() bool {
		n++
		name := fmt.Sprint("served ", n)
		read, replica, _ := r.read(r.admin, r.rename(name))
		if read != name {
			r.t.Fatalf("read %q after %q was written", read, name)
		}
		return replica
	})
}

// wants waits until so many replicas can be used, while clients read.
func (r *readers) wants(n int) {
	r.t.Helper()
	reads := 0
	recoversBy(r.t, func() bool {
		reads++
		r.isFresh(fmt.Sprint("read ", reads))
		usable := 0
		all, _ := r.as.Store.Replicas()
		for _, s := range all {
			if s.Usable {
				usable++
			}
		}
		return usable == n
	})
}

func quickly(c *db.Config) { c.ReplicaWait, c.ReplicaTimeout = 50*time.Millisecond, time.Second }

// A replica that is away delays few reads, and is used again by itself.
func TestReplicasComeAndGo(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct{ happen, end func(*readers) error }{
		"killed": {
			func(r *readers) error { return r.standbys[0].Kill() },
			func(r *readers) error { return r.standbys[0].Restart(r.t.Context()) },
		},
		"frozen": {
			func(r *readers) error { return r.standbys[0].Pause() },
			func(r *readers) error { return r.standbys[0].Resume() },
		},
		"both killed": {
			func(r *readers) error { r.must(r.standbys[1].Kill()); return r.standbys[0].Kill() },
			func(r *readers) error {
				r.must(r.standbys[0].Restart(r.t.Context()))
				return r.standbys[1].Restart(r.t.Context())
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startReaders(t, 2, quickly)
			r.isFresh("before")
			must(0, fault.happen(r))
			left := map[string]int{"killed": 1, "frozen": 1, "both killed": 0}[name]
			r.wants(left)
			if left > 0 {
				r.serves()
			}
			must(0, fault.end(r))
			r.wants(2)
			r.serves()
		})
	}
}

func (r *readers) must(err error) { must(0, err) }

// A replica that is promoted by mistake writes a history of its own, which nobody reads.
func TestAPromotedReplicaIsNotRead(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startReaders(t, 1, quickly)
	told := r.rename("before")
	must(0, r.primary.AwaitReplay(ctx, r.standbys[0]))
	must(0, r.standbys[0].Promote(ctx))
	must(openPool(t, r.standbys[0].URL(localpg.Owner, localpg.Database)).Exec(ctx,
		"UPDATE accounts SET name = 'of another history'"))
	if name, replica, _ := r.read(r.admin, told); name != "before" || replica {
		t.Errorf("read %q, by a replica %t", name, replica)
	}
	r.wants(0)
	must(0, r.standbys[0].Rejoin(ctx, r.primary, "reader0"))
	r.wants(1)
	r.serves()
}

// After a failover, a standby that still follows the former primary has other rows at the same positions.
func TestAReplicaOfAFormerPrimaryIsNotRead(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary := startServer(t)
	follower := must(primary.Standby(ctx, "follower"))
	t.Cleanup(func() { follower.Stop() })
	promoted := must(primary.Standby(ctx, "promoted"))
	t.Cleanup(func() { promoted.Stop() })
	c := config(urlOf(primary, promoted), true)
	c.ReplicaURLs = []string{follower.URL(localpg.App, localpg.Database), promoted.URL(localpg.App, localpg.Database)}
	quickly(&c)
	r := &readers{t: t, primary: primary, standbys: []*localpg.Server{follower, promoted}}
	r.fixture = worldOn(t, primary, openStore(t, c))
	r.account = r.newAccount("first")
	r.awaitUsable(2)
	told := r.rename("before")

	must(0, primary.AwaitReplay(ctx, promoted))
	must(0, promoted.Crash()) // what follows is lost
	r.rename("lost")
	// It is at a position that the new primary reaches late.
	must(r.owner.Exec(ctx, "CREATE TABLE filler AS SELECT generate_series(1, 20000)"))
	must(0, primary.AwaitReplay(ctx, follower))
	must(0, primary.Kill())
	must(0, promoted.Restart(ctx))
	must(0, promoted.Promote(ctx))
	recoversBy(t, func() bool { _, ok := r.as.Store.Position(ctx); return ok })
	r.owner = openPool(t, promoted.URL(localpg.Owner, localpg.Database))
	for _, after := range []db.Position{told, {}} {
		if name, replica, then := r.read(r.admin, after); name != "before" || replica || then.String() < told.String() {
			t.Errorf("after %v: %q at %v, by a replica %t", after, name, then, replica)
		}
	}
	r.wants(0)
	if name := scan[string](ctx, openPool(t, follower.URL(localpg.Owner, localpg.Database)),
		"SELECT name FROM accounts WHERE id = $1", r.account); name != "lost" {
		t.Fatalf("the follower of the former primary has %q", name)
	}
	must(0, follower.Rejoin(ctx, promoted, "follower"))
	r.wants(1)
	r.serves()
}

// Each of several replicas has its turn, and one that lags is passed over.
func TestReadsGoToTheReplicaThatIsNotBehind(t *testing.T) {
	t.Parallel()
	r := startReaders(t, 2, nil)
	for i := range 10 {
		r.isFresh(fmt.Sprint("turn ", i))
	}
	all, _ := r.as.Store.Replicas()
	for _, s := range all {
		if s.Reads < 5 {
			t.Errorf("%s served %d reads", s.Name, s.Reads)
		}
	}
	must(r.super(r.standbys[0]).Exec(t.Context(), "SELECT pg_wal_replay_pause()"))
	for i := range 10 {
		name := fmt.Sprint("one lags ", i)
		if read, replica, _ := r.read(r.admin, r.rename(name)); read != name || !replica {
			t.Errorf("read %q after %q was written, by a replica %t", read, name, replica)
		}
	}
}

// Servers that are no replicas of the primary are never read, and do not keep the store from opening.
func TestOnlyStandbysOfTheClusterAreReplicas(t *testing.T) {
	t.Parallel()
	other := startServer(t)
	r := startReaders(t, 0, func(c *db.Config) {
		c.ReplicaURLs = []string{other.URL(localpg.App, localpg.Database), "postgres://waybill_app@127.0.0.1:1/none"}
		quickly(c)
	})
	r.wants(0)
	_, err := db.Open(t.Context(), db.Config{URL: r.primary.URL(localpg.App, localpg.Database),
		ReplicaURLs: []string{"postgres://u:hunter2@h:bad/db"}})
	if err == nil || err.Error() != "the URL 1 of the replicas (REPLICA_DATABASE_URL) is not a PostgreSQL connection "+
		"string" {
		t.Errorf("a wrong URL: %v", err)
	}
}

// A primary that crashes gives out ids of transactions once more. By a state from before, it would show a commit that
// still waits for the standbys, and would be lost if one of them took over.
func TestAReplicaIsNotJudgedByTheStateBeforeACrash(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startReaders(t, 2, func(c *db.Config) { c.ReplicaURLs = c.ReplicaURLs[1:] })
	must(r.super(r.primary).Exec(ctx, "ALTER SYSTEM SET autovacuum = off"))
	must(r.super(r.primary).Exec(ctx, "SELECT pg_reload_conf()"))
	must(0, r.primary.Synchronous(ctx, "reader0"))
	told := r.rename("shown")
	burnt := r.burn(50)
	r.position(ctx)
	must(0, r.primary.Kill())
	must(0, r.primary.Restart(ctx))
	super := r.super(r.primary)
	next := "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
	if id := scan[int64](ctx, super, next); id+20 > burnt {
		t.Skipf("the server goes on with the id %d after %d: something was written to the disk", id, burnt)
	}
	must(0, r.primary.AwaitReplay(ctx, r.standbys[0]))
	must(0, r.standbys[0].Pause())
	t.Cleanup(func() { r.standbys[0].Resume() })
	owner := openPool(t, r.primary.URL(localpg.Owner, localpg.Database))
	done := make(chan error)
	go func() {
		_, err := owner.Exec(ctx, "UPDATE accounts SET name = 'waiting' WHERE id = $1", r.account)
		done <- err
	}()
	replica := r.super(r.standbys[1])
	recoversBy(t, func() bool {
		return scan[string](ctx, replica, "SELECT name FROM accounts WHERE id = $1", r.account) == "waiting"
	})
	recoversBy(t, func() bool { // the connections from before are broken
		r.as.BelieveState()
		row, err := r.as.Store.GetAccount(r.as.Store.FromReplicas(ctx, r.admin, told),
			db.GetAccountParams{TenantID: r.tenant, ID: r.account, ViewerID: r.admin.UserID, ViewerRole: r.admin.Role})
		if err == nil && row.Name != "shown" {
			t.Errorf("shown %q", row.Name)
		}
		return err == nil
	})
	must(0, r.standbys[0].Resume())
	must(0, <-done)
}

// burn gives out ids of transactions on the primary of which nothing is on the disk: they are rolled back, and nobody
// writes out the log of a server whose WAL writer is frozen. It returns the next id.
func (r *readers) burn(n int) (next int64) {
	ctx := r.t.Context()
	super := r.super(r.primary)
	writer := scan[int](ctx, super, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
	must(0, syscall.Kill(writer, syscall.SIGSTOP))
	for range n {
		must(super.Exec(ctx, "BEGIN; SELECT pg_current_xact_id(); ROLLBACK"))
	}
	return scan[int64](ctx, super, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
}
