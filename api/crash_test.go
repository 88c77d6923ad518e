//go:build !race

// Clusters are processes, which share no memory with a test.

package api_test

import (
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/localpg"
)

// burn gives out ids of transactions of which nothing is on the disk: they are rolled back, and nobody writes out the
// log of a server whose WAL writer is frozen. It returns the next id.
func burn(t *testing.T, on *localpg.Server, n int) (next uint64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), on.URL(localpg.Superuser, localpg.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var writer int
	if err := conn.QueryRow(t.Context(),
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'").Scan(&writer); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(writer, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := conn.Exec(t.Context(), "BEGIN; SELECT pg_current_xact_id(); ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
	return nextID(t, on)
}

func nextID(t *testing.T, on *localpg.Server) (next uint64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), on.URL(localpg.Superuser, localpg.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(),
		"SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").Scan(&next); err != nil {
		t.Fatal(err)
	}
	return next
}

// A server that crashes gives out ids of transactions once more, those of which nothing had reached its disk. A stream
// that stands beyond them, open or not, misses none of the events that get them.
func TestAStreamMissesNothingAfterACrash(t *testing.T) {
	t.Parallel()
	primary, err := localpg.Start(t.Context(), localpg.Options{Settings: map[string]string{
		"synchronous_commit": "on", "autovacuum": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { primary.Stop() })
	if err := db.Migrate(t.Context(), primary.URL(localpg.Owner, localpg.Database)); err != nil {
		t.Fatal(err)
	}
	s := startOn(t, primary)
	url := s.listen()
	const events = 20
	for repeats := 0; ; repeats++ {
		s.do(s.dispatcher, "GET", "/v1/session", nil).want(200) // whose use is recorded by now
		burnt := burn(t, primary, 2*events)
		closed, open := follow(t, url, s.dispatcher, ""), follow(t, url, s.dispatcher, "")
		closed.cancel()
		s.must(primary.Kill())
		s.must(primary.Restart(t.Context()))
		s.eventually(func() bool { return s.do(s.dispatcher, "GET", "/v1/session", nil).status == 200 })
		if reused := nextID(t, primary); reused+events > burnt {
			if repeats == 5 {
				t.Fatalf("the server goes on with the id %d after %d: the test shows nothing", reused, burnt)
			}
			continue // something was written to the disk meanwhile
		}
		var last string
		for range events {
			last = s.pickup()
			s.do(s.dispatcher, "POST", last+"/submit", nil).want(200)
		}
		for next := nextID(t, primary); next <= burnt; { // beyond all that was told
			next = burn(t, primary, 10)
		}
		s.do(s.dispatcher, "POST", last+"/cancel", nil).want(200)
		for name, st := range map[string]*stream{"closed": closed, "open": open} {
			if got := toldUntil(t, url, s.dispatcher, st, "cancel"); got != events {
				t.Errorf("the stream that was %s is told %d of %d events", name, got, events)
			}
		}
		return
	}
}

// toldUntil returns how many transitions a client is told before the last one. When its stream ends, it comes back
// with the last id.
func toldUntil(t *testing.T, url string, as *user, st *stream, last string) (n int) {
	t.Helper()
	for {
		e, ok := st.next()
		switch {
		case !ok:
			st = follow(t, url, as, st.last)
		case e.name == last:
			return n
		case e.isTransition():
			n++
		}
	}
}
