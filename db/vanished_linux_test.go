package db_test

import (
	"errors"
	"testing"
	"time"

	"waybill/db"
	"waybill/db/pgproxy"
)

// host returns a host of its own in front of the test's server.
func (d *database) host(t *testing.T) *pgproxy.Host {
	t.Helper()
	h := must(pgproxy.StartHost(d.AppURL))
	t.Cleanup(func() { h.Close() })
	return h
}

// A host that vanishes with connections in all states, idle and in use, is left for the next host.
func TestAVanishedHostIsLeftForTheNext(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	first, second := d.host(t), d.host(t)
	s := openStore(t, db.Config{URL: pgproxy.Through(d.AppURL, first, second), MaxConns: 4, IdleConns: 2})
	w := d.fixture(ctx)
	underWay := make(chan error, 1)
	go func() {
		_, err := s.DBTX().Exec(ctx, "SELECT pg_sleep(4)")
		underWay <- err
	}()
	awaitSleeping(t, d)
	w.must(first.Vanish())
	recovers(t, func() error {
		_, err := s.ListTransitions(ctx)
		return err
	})
	if err := <-underWay; code(err) != db.Unavailable {
		t.Errorf("what was under way: %v", err)
	}
}

// Without another host, requests are told that the database is unavailable until it is there again.
func TestAVanishedHostIsUnavailableAndNotOverloaded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	only := d.host(t)
	s := openStore(t, db.Config{URL: pgproxy.Through(d.AppURL, only), MaxConns: 4, IdleConns: 2})
	read := func() error {
		_, err := s.ListTransitions(ctx)
		return err
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // after that, an idle connection is checked before it is used
	must(0, only.Vanish())
	for range 8 {
		if err := read(); code(err) != db.Unavailable {
			t.Errorf("without a host: %v", err)
		}
	}
	if err := s.CheckWritable(ctx); code(err) != db.Unavailable || !errors.Is(err, db.Unreachable) {
		t.Errorf("ready without a host: %v", err)
	}
	must(0, only.Return())
	recovers(t, read)
}

// awaitSleeping waits until a statement of the test's database sleeps.
func awaitSleeping(t *testing.T, d *database) {
	t.Helper()
	for sleeps := false; !sleeps; time.Sleep(10 * time.Millisecond) {
		if err := d.owner.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event = 'PgSleep')`).Scan(&sleeps); err != nil {
			t.Fatal(err)
		}
	}
}
