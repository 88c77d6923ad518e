package pgproxy_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db/dbtest"
	"waybill/db/pgproxy"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m)) }

// A pool checks a connection that was idle for a second before it uses it again. Neither is that a round
// trip of a statement, nor is its answer the one that Cut is for.
func TestACheckOfAnIdleConnectionDoesNotCount(t *testing.T) {
	t.Parallel()
	proxy, err := pgproxy.Start(dbtest.New(t).OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	pool, err := pgxpool.New(t.Context(), proxy.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ask := func() error {
		var n int
		return pool.QueryRow(t.Context(), "SELECT 1").Scan(&n)
	}
	for range 2 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	idle := func() { time.Sleep(1100 * time.Millisecond) }
	idle()
	before := proxy.RoundTrips()
	if err := ask(); err != nil || proxy.RoundTrips() != before+1 {
		t.Errorf("%d round trips, %v", proxy.RoundTrips()-before, err)
	}
	idle()
	cut := make(chan int64, 1)
	before = proxy.RoundTrips()
	proxy.Cut(func() bool { return true }, func() { cut <- proxy.RoundTrips() })
	if err := ask(); err == nil {
		t.Error("the answer was not lost")
	}
	if n := <-cut; n != before+1 {
		t.Errorf("cut after %d round trips", n-before)
	}
}
