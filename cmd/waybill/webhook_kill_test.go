package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	verify "waybill/api/client/webhooks"
	"waybill/cmd/waybill/texts/fakegateway"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// strictReceiver is a receiver of webhooks that knows what it may be sent next. One request in ten it refuses.
type strictReceiver struct {
	*httptest.Server
	t        *testing.T
	verifier *verify.Verifier

	mu       sync.Mutex
	requests int
	repeated int              // of events that it had accepted
	accepted map[string]int64 // the newest version of each pickup that it has accepted
	ids      map[string]bool  // of the events that it has accepted
	kill     func()           // ends the worker, in the middle of the request after so many others
	after    int
	killed   chan struct{} // closed by that request
}

func receiveStrictly(t *testing.T) *strictReceiver {
	h := &strictReceiver{t: t, accepted: map[string]int64{}, ids: map[string]bool{}}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(h.Close)
	return h
}

func (h *strictReceiver) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the worker was killed
	}
	e, err := h.verifier.Event(r.Header, body, time.Now())
	if err != nil {
		h.t.Errorf("%v: %s", err, body)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	if h.kill != nil && h.requests >= h.after {
		h.kill()
		h.kill = nil
		close(h.killed)
	}
	if rand.N(10) == 0 {
		w.WriteHeader([]int{500, 404, 302, 400}[rand.N(4)])
		return
	}
	h.accept(e)
	w.WriteHeader(http.StatusNoContent)
}

// accept records an event, which is the one after the last of its pickup, or one that was accepted before.
func (h *strictReceiver) accept(e verify.Event) {
	last := max(1, h.accepted[e.Data.PickupID])
	switch known := h.ids[e.ID]; {
	case e.ID != e.Data.ID, known != (e.Data.Version <= last):
		h.t.Errorf("version %d of %s has the id %s, known %t", e.Data.Version, e.Data.PickupID, e.ID, known)
	case known:
		h.repeated++
	case e.Data.Version != last+1:
		h.t.Errorf("version %d of %s came after %d", e.Data.Version, e.Data.PickupID, last)
	}
	h.ids[e.ID], h.accepted[e.Data.PickupID] = true, max(last, e.Data.Version)
}

// killIn lets the receiver kill the worker in the middle of its n-th request from now on.
func (h *strictReceiver) killIn(n int, kill func()) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kill, h.after, h.killed = kill, h.requests+n, make(chan struct{})
	return h.killed
}

// registerAt registers the receiver with a server, and learns its secret.
func (h *strictReceiver) registerAt(url, token string) {
	h.t.Helper()
	status, answer := text(h.t, "POST", url+"/v1/webhook-endpoints", token, fmt.Sprintf(`{"url": "%s"}`, h.URL))
	var made struct{ Secret string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != http.StatusCreated {
		h.t.Fatalf("%d %s", status, answer)
	}
	var err error
	if h.verifier, err = verify.New(made.Secret); err != nil {
		h.t.Fatal(err)
	}
}

// Ten thousand events go to a receiver that refuses some, from workers that are killed, each in the middle of a
// request, while events are written. Each is accepted, and none of a pickup is sent before the one before was. What
// comes again has the id that it had.
func TestWebhooksOutliveTheirWorkers(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "thousands of webhooks, by workers that are killed")
	const kills, pickups, eventsEach = 20, 1440, 7 // on the way to DELIVERED
	k := &killing{t: t, fixture: newFixture(t)}
	h, gateway := receiveStrictly(t), fakegateway.Start(t)
	s := serve(t, k.db.AppURL, "--webhook-allow-private")
	k.tenantID = newID()
	var clinic *seed.Standard
	k.make(t, func(r *seed.Rows) {
		clinic = r.Standard()
		k.tokens[db.UserRoleAdmin] = string(r.Session(clinic.Admin))
	})
	h.registerAt(s.url, k.tokens[db.UserRoleAdmin])
	before := k.count("SELECT count(*) FROM pickup_events")
	args := append([]string{"work", "--admin-addr", "", "--workers", "1", "--webhook-allow-private"}, to(gateway)...)
	begin := func() *program {
		return start(t, []string{"DATABASE_URL=" + k.db.SettledURL() + "&application_name=" + killed}, args...)
	}
	for range kills {
		if t.Failed() {
			break
		}
		worker := begin()
		done := h.killIn(1+rand.IntN(200), worker.kill)
		k.make(t, func(r *seed.Rows) {
			r.Pickups(pickups/kills, clinic.Pickup(seed.In(db.PickupStatusDELIVERED)))
		})
		select {
		case <-done:
		case <-time.After(5 * time.Minute):
			t.Fatal("no request came")
		}
		k.passWebhookPauses()
	}
	const events = pickups * eventsEach
	for range 100 {
		if t.Failed() || k.count("SELECT count(*) FROM webhook_deliveries WHERE status = 'DELIVERED'") == events {
			break
		}
		worker := begin()
		k.awaitNoWebhookDue(events)
		worker.kill()
		k.passWebhookPauses()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := k.count("SELECT count(*) FROM webhook_deliveries WHERE status <> 'DELIVERED'"); n != 0 ||
		len(h.ids) != events || k.count("SELECT count(*) FROM pickup_events") != before+events {
		t.Errorf("%d of %d events were accepted, %d are not delivered", len(h.ids), events, n)
	}
	if n := k.count("SELECT sum(pending) FROM webhook_queues"); n != 0 {
		t.Errorf("%d are still counted as pending", n)
	}
	if h.repeated == 0 {
		t.Error("no event came again: nothing was tested")
	}
	t.Logf("%d requests for %d events, of which %d were accepted before", h.requests, events, h.repeated)
}

// awaitNoWebhookDue waits until all events were taken from the stream, and all that is due was sent once.
func (k *killing) awaitNoWebhookDue(events int64) {
	k.t.Helper()
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if k.count("SELECT count(*) FROM webhook_deliveries") == events &&
			k.count("SELECT count(*) FROM webhook_queues WHERE pending > 0 AND next_at <= now()") == 0 {
			return
		}
	}
	k.t.Fatal("something is still due")
}

// passWebhookPauses waits until killed workers have left the database, and then ends their leases and the pauses
// before retries.
func (k *killing) passWebhookPauses() {
	k.t.Helper()
	k.awaitQuiet()
	if _, err := k.db.Owner().Exec(k.t.Context(),
		"UPDATE webhook_queues SET next_at = now() WHERE pending > 0 AND next_at > now()"); err != nil {
		k.t.Fatal(err)
	}
}
