package faults

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// A client that is shown more than what it has left is counted, whichever server showed that; and it sends what it was
// told, until an answer tells nothing.
func TestAReadOlderThanWhatItsClientPaidIsStale(t *testing.T) {
	t.Parallel()
	var sent []string
	left, tell := int64(plenty), "2"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get(consistency))
		w.Header().Set(consistency, tell)
		fmt.Fprintf(w, `{"balance_cents": %d}`, left)
	}))
	t.Cleanup(server.Close)
	s := &stage{Options: Options{Callers: 1, Seed: 1}, layout: replicated, accounts: []uuid.UUID{uuid.New()},
		program: &program{address: strings.TrimPrefix(server.URL, "http://")}}
	l := newLoad(s)
	l.ended, l.end = context.WithCancel(t.Context())
	defer l.end()
	c := l.newCaller(0)
	l.read(c)
	c.paid, left, tell = 5, plenty-5, "1" // by another server
	l.read(c)
	left, tell = plenty-4, ""
	l.read(c)
	if l.reads != 9 || l.stale != 3 {
		t.Errorf("%d of %d reads are stale", l.stale, l.reads)
	}
	if got := strings.Join(sent, ","); got != ",2,2,2,2,2,2,," {
		t.Errorf("sent %s", got)
	}
}
