//go:build !race

// Clusters are processes, which share no memory with a test.

package api_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/seed"
)

// startOn starts a server for a cluster of the test's own, whose first server has the schema by now.
func startOn(t *testing.T, cluster ...*localpg.Server) *server {
	t.Helper()
	s := &server{t: t, planted: planted{}}
	owner, err := pgxpool.New(t.Context(), cluster[0].URL(localpg.Owner, localpg.Database))
	s.must(err)
	defer owner.Close()
	s.must(seed.Make(t.Context(), owner, uuid.New(), func(r *seed.Rows) { s.tenant = newTenant(r) }))
	u, err := url.Parse(cluster[0].URL(localpg.App, localpg.Database))
	s.must(err)
	var hosts, ports []string
	for _, c := range cluster {
		of, err := url.Parse(c.URL(localpg.App, localpg.Database))
		s.must(err)
		hosts, ports = append(hosts, of.Query().Get("host")), append(ports, of.Query().Get("port"))
	}
	u.RawQuery = url.Values{"host": {strings.Join(hosts, ",")}, "port": {strings.Join(ports, ",")}}.Encode()
	s.store, err = db.Open(t.Context(), db.Config{URL: u.String(), MaxConns: 4, AcquireTimeout: 2 * time.Second})
	s.must(err)
	t.Cleanup(s.store.Close)
	s.api, err = api.New(t.Context(), s.store.Store, api.Options{Log: slog.New(slog.DiscardHandler),
		PasswordCost: bcrypt.MinCost, LoginPause: 1, StreamPoll: 5 * time.Millisecond})
	s.must(err)
	return s
}

// Streams that are open while another server takes over end. Their clients are told that the history has
// changed, and go on in the new one.
func TestOpenStreamsEndWithTheirHistory(t *testing.T) {
	t.Parallel()
	primary, err := localpg.Start(t.Context(), localpg.Options{Settings: map[string]string{"synchronous_commit": "on"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { primary.Stop() })
	if err := db.Migrate(t.Context(), primary.URL(localpg.Owner, localpg.Database)); err != nil {
		t.Fatal(err)
	}
	standby, err := primary.Standby(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { standby.Stop() })
	s := startOn(t, primary, standby)
	url := s.listen()
	streams := []*stream{follow(t, url, s.staff, ""), follow(t, url, s.dispatcher, ""), follow(t, url, s.driver, "")}
	s.do(s.staff, "POST", s.pickup()+"/submit", nil).want(200)
	for _, st := range streams[:2] {
		if e := st.transition(); e.name != "submit" {
			t.Errorf("told %v", e)
		}
	}
	s.must(primary.AwaitReplay(t.Context(), standby))
	s.must(standby.Crash()) // what follows is lost
	lost := s.pickup()
	s.do(s.staff, "POST", lost+"/submit", nil).want(200)
	for _, st := range streams[:2] {
		st.transition()
	}
	s.must(primary.Kill())
	s.must(standby.Restart(t.Context()))
	s.must(standby.Promote(t.Context()))
	for i, as := range []*user{s.staff, s.dispatcher, s.driver} {
		for _, ok := streams[i].next(); ok; _, ok = streams[i].next() {
		}
		s.eventually(func() bool { return s.do(as, "GET", "/v1/session", nil).status == 200 })
		s.do(as, "GET", "/v1/pickups/stream", nil, "Last-Event-ID", streams[i].last).
			refused(http.StatusGone, "stream_restarted", "Last-Event-ID")
		streams[i] = follow(t, url, as, "")
	}
	s.do(s.staff, "GET", lost, nil).want(404)
	s.do(s.staff, "POST", s.pickup()+"/submit", nil).want(200)
	for _, st := range streams[:2] {
		if e := st.transition(); e.name != "submit" {
			t.Errorf("told %v", e)
		}
	}
}

// eventually waits until the condition holds, or the test times out.
func (s *server) eventually(holds func() bool) {
	for !holds() {
		time.Sleep(20 * time.Millisecond)
	}
}
