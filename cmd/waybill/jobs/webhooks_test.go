package jobs

import (
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	verify "waybill/api/client/webhooks"
	"waybill/cmd/waybill/texts"
	"waybill/cmd/waybill/webhooks"
	"waybill/db"
	"waybill/db/dbtest"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// hook is a receiver of webhooks that records what comes.
type hook struct {
	*httptest.Server
	t      *testing.T
	answer func(verify.Event) int // the status

	mu       sync.Mutex
	came     []verify.Event // each try
	accepted []verify.Event // the first try of each event that was accepted
	seen     map[string]bool
	bodies   []string
}

// receive starts a receiver that answers with a status.
func receive(t *testing.T, answer func(verify.Event) int) *hook {
	t.Helper()
	h := &hook{t: t, answer: answer, seen: map[string]bool{}}
	verifier, err := verify.New(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e, err := verifier.Event(r.Header, body, time.Now())
		if err != nil {
			t.Errorf("%v: %s", err, body)
		}
		h.mu.Lock()
		h.came, h.bodies = append(h.came, e), append(h.bodies, string(body))
		h.mu.Unlock()
		status := h.answer(e)
		h.mu.Lock()
		if status < 300 && !h.seen[e.ID] {
			h.seen[e.ID], h.accepted = true, append(h.accepted, e)
		}
		h.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.accepted)
}

// asked returns how many requests came.
func (h *hook) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.came)
}

// inOrder checks that the events of each pickup were accepted in the order of its versions, and that none was even
// sent before the one before it was accepted.
func (h *hook) inOrder() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	versions, sent := map[string][]int64{}, map[string]int64{}
	for _, e := range h.accepted {
		versions[e.Data.PickupID] = append(versions[e.Data.PickupID], e.Data.Version)
	}
	for pickup, of := range versions {
		if !slices.IsSorted(of) {
			h.t.Errorf("the versions of %s were accepted in the order %v", pickup, of)
		}
	}
	for _, e := range h.came {
		if e.Data.Version < sent[e.Data.PickupID] {
			h.t.Errorf("version %d of %s was sent after %d", e.Data.Version, e.Data.PickupID, sent[e.Data.PickupID])
		}
		sent[e.Data.PickupID] = e.Data.Version
	}
}

func accepting(verify.Event) int { return http.StatusNoContent }

// endpoint makes an endpoint of the clinic's tenant.
func (c *clinic) endpoint(url string, events ...string) uuid.UUID {
	c.t.Helper()
	secret := webhookSecret
	row, _, err := c.store.CreateWebhookEndpoint(c.t.Context(), c.Admin.Viewer, db.CreateWebhookEndpointParams{
		ID: uuid.Must(uuid.NewV7()), Url: url, Events: append([]string{}, events...), Secret: &secret,
		RequestDigest: []byte("x")})
	c.must(err)
	return row.ID
}

// hooking lets workers send to this machine, and try again after a moment.
func hooking(o *Options) {
	o.Webhooks = webhooks.Options{AllowPrivate: true}
	o.WebhookPause = func(int) time.Duration { return 5 * time.Millisecond }
	o.WebhookClock = lapse(1000)
}

// events makes two events of each of some pickups.
func (c *clinic) events(pickups int) {
	c.t.Helper()
	for _, id := range c.submit(pickups) {
		c.must(c.move(c.dispatcher, "cancel", id))
	}
}

func (c *clinic) deliveries(status string) int {
	return c.count("SELECT count(*) FROM webhook_deliveries WHERE status::text = $1", status)
}

// Ten thousand events go to a receiver that fails a fifth of them, from two processes: each comes at least once, and
// those of a pickup in its order.
func TestWebhooksComeAtLeastOnceAndInOrderPerPickup(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	h := receive(t, func(verify.Event) int {
		if rand.N(5) == 0 {
			return []int{500, 429, 404, 302, 503}[rand.N(5)]
		}
		return http.StatusOK
	})
	c.endpoint(h.URL)
	log := texts.Log{Logger: quiet}
	c.work(log, hooking)
	c.work(log, hooking)
	pickups := dbtest.Rounds(5_000)
	c.events(pickups)
	for end := time.Now().Add(10 * time.Minute); h.count() < 2*pickups && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	c.eventually("each delivery is settled", func() bool { return c.deliveries("DELIVERED") == 2*pickups })
	if h.count() != 2*pickups {
		t.Errorf("%d of %d events came", h.count(), 2*pickups)
	}
	h.inOrder()
	if n := c.count("SELECT coalesce(sum(pending), 0) FROM webhook_queues"); n != 0 {
		t.Errorf("%d are still counted as pending", n)
	}
	t.Logf("%d requests for %d events", len(h.came), 2*pickups)
}

// What is refused as often as it is tried becomes a dead letter, after which the pickup's next event is sent; it comes
// again when it is asked for.
func TestADeadLetterIsSentAgainIfAskedFor(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	var mended sync.Map
	h := receive(t, func(e verify.Event) int {
		if _, ok := mended.Load("now"); !ok && e.Type == "pickup.submit" {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	})
	endpoint := c.endpoint(h.URL)
	c.work(texts.Log{Logger: quiet}, hooking)
	c.events(3)
	c.eventually("three are dead letters, and the others came", func() bool {
		return c.deliveries("FAILED") == 3 && c.deliveries("DELIVERED") == 3
	})
	if n := c.count(`SELECT count(*) FROM webhook_deliveries WHERE status = 'FAILED' AND attempts = $1
		AND http_status = 422 AND reason = 'status_422' AND duration_ms IS NOT NULL`, MaxWebhookAttempts); n != 3 {
		t.Errorf("%d dead letters say what became of them", n)
	}
	// The tries of each take days.
	c.exec("UPDATE webhook_deliveries SET created_at = created_at - interval '3 days'")
	var troubled []db.ListTroubledWebhookEndpointsRow
	c.must(TroubledEndpoints(t.Context(), c.store, time.Hour, func(r db.ListTroubledWebhookEndpointsRow) error {
		troubled = append(troubled, r)
		return nil
	}))
	if len(troubled) != 1 || troubled[0].ID != endpoint || troubled[0].DeadLetters != 3 {
		t.Errorf("operators are told of %v", troubled)
	}
	mended.Store("now", true)
	dead, err := c.store.ListWebhookDeliveries(t.Context(), db.ListWebhookDeliveriesParams{TenantID: c.TenantID,
		EndpointID: endpoint, Statuses: []string{"FAILED"}, BeforeCreatedAt: time.Now().Add(time.Hour), MaxRows: 10})
	c.must(err)
	for _, d := range dead {
		again, err := c.store.RedeliverWebhook(t.Context(), c.Admin.Viewer,
			db.RedeliverWebhookParams{EndpointID: endpoint, ID: d.ID})
		if err != nil || again.Status != db.WebhookDeliveryStatusPENDING {
			t.Errorf("%s, %v", again.Status, err)
		}
	}
	c.eventually("the dead letters came", func() bool { return c.deliveries("DELIVERED") == 6 })
	if h.count() != 6 {
		t.Errorf("%d events came", h.count())
	}
}

// A receiver that fails is left alone for a while, and then gets one request at a time, with longer pauses in between,
// however much is due.
func TestAReceiverThatFailsIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	h := receive(t, func(verify.Event) int { return http.StatusInternalServerError })
	c.endpoint(h.URL)
	c.work(texts.Log{Logger: quiet}, func(o *Options) {
		hooking(o)
		o.WebhookClock = nil
	})
	c.events(100)
	c.eventually("it fails", func() bool { return h.asked() >= 5 })
	time.Sleep(3 * time.Second) // the pauses are of 1, 2 and 4 s, or half of that
	if n := h.asked(); n > 5+webhookAtOnce+5 {
		t.Errorf("it was sent %d requests", n)
	}
}

// A receiver that hangs holds up only what is for it.
func TestAReceiverThatHangsHoldsUpOnlyItsOwn(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	release := make(chan struct{})
	hanging := receive(t, func(verify.Event) int {
		<-release
		return http.StatusOK
	})
	defer close(release) // before the server waits for its requests
	for range 8 {
		c.endpoint(hanging.URL)
	}
	h := receive(t, accepting)
	c.endpoint(h.URL)
	c.work(texts.Log{Logger: quiet}, hooking)
	c.events(20)
	c.eventually("the other receiver has all", func() bool { return h.count() == 40 })
	if hanging.count() != 0 {
		t.Error("nobody hung")
	}
}

// A worker that is killed when the receiver has answered, and before that is stored, leaves a lease: when it has
// ended, another worker sends the delivery again, and those behind it. None is lost, and none overtakes.
func TestAKilledWorkersWebhookIsSentAgain(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	h := receive(t, accepting)
	endpoint := c.endpoint(h.URL)
	c.events(1)
	killed := newDeliverer(&Workers{Options: Options{Store: c.store, Log: quiet}, stopping: t.Context()},
		webhooks.Options{AllowPrivate: true})
	var claimed []db.ClaimWebhookQueuesRow
	c.eventually("the events are taken, and the first is claimed", func() bool {
		work, err := c.store.ListWebhookWork(t.Context(), []uuid.UUID{c.TenantID})
		c.must(err)
		for _, w := range work {
			c.must(killed.take(w))
		}
		claimed, err = c.store.ClaimWebhookQueues(t.Context(), db.ClaimWebhookQueuesParams{TenantID: c.TenantID,
			EndpointID: endpoint, MaxRows: 10, Lease: WebhookLease})
		c.must(err)
		return len(claimed) == 1
	})
	c.work(texts.Log{Logger: quiet}, hooking)
	_, _, err := c.store.PingWebhookEndpoint(t.Context(), c.Admin.Viewer,
		db.PingWebhookEndpointParams{EndpointID: endpoint, ID: uuid.Must(uuid.NewV7())})
	c.must(err)
	c.eventually("the ping came", func() bool { return h.count() == 1 && c.deliveries("DELIVERED") == 1 })
	if c.deliveries("PENDING") != 2 || len(h.came) != 1 {
		t.Error("a delivery is sent during the lease of another worker")
	}
	c.exec("UPDATE webhook_queues SET next_at = now()") // the lease ends
	c.eventually("both events came", func() bool { return h.count() == 3 && c.deliveries("DELIVERED") == 3 })
	h.inOrder()
	n, err := c.store.SettleWebhookDelivery(t.Context(), db.SettleWebhookDeliveryParams{TenantID: c.TenantID,
		EndpointID: endpoint, QueueID: claimed[0].ID, ID: claimed[0].ID, Claims: claimed[0].Claims,
		Status: db.WebhookDeliveryStatusFAILED})
	if n != 0 || err != nil {
		t.Errorf("the answer of the killed worker counts: %d, %v", n, err)
	}
}

// A request has what an admin is shown of the event, and nothing of the patient and the pickup's texts. The client's
// helper verifies and reads it.
func TestAWebhookHasIDsStatusAndTimesAlone(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	h := receive(t, accepting)
	endpoint := c.endpoint(h.URL, "cancel")
	id := c.submit(1)[0]
	const canary = "canary"
	c.exec(`UPDATE pickups SET note = 'canary', pickup_address = 'canary', dropoff_address = 'canary' WHERE id = $1`,
		id)
	c.exec(`UPDATE facilities SET name = 'canary'`)
	c.exec(`UPDATE users SET name = 'canary'`)
	c.must(c.move(c.dispatcher, "cancel", id))
	c.work(texts.Log{Logger: quiet}, hooking)
	c.eventually("the event came", func() bool { return h.count() == 1 })
	var body map[string]any
	c.must(json.Unmarshal([]byte(h.bodies[0]), &body))
	data := body["data"].(map[string]any)
	if names := slices.Sorted(maps.Keys(data)); !slices.Equal(names, []string{"actor_id", "created_at", "driver_id",
		"from_status", "id", "pickup_id", "to_status", "transition", "version"}) ||
		strings.Contains(h.bodies[0], canary) {
		t.Errorf("the body is %s", h.bodies[0])
	}
	e := h.accepted[0]
	if e.Type != "pickup.cancel" || e.Data.PickupID != id.String() || e.Data.ToStatus != "CANCELED" ||
		e.Data.FromStatus != "SUBMITTED" || e.Data.ActorID != c.dispatcher.UserID.String() || e.ID != e.Data.ID ||
		!e.Timestamp.Equal(e.Data.CreatedAt) {
		t.Errorf("the event is %+v", e)
	}
	ping, _, err := c.store.PingWebhookEndpoint(t.Context(), c.Admin.Viewer,
		db.PingWebhookEndpointParams{EndpointID: endpoint, ID: uuid.Must(uuid.NewV7())})
	c.must(err)
	c.eventually("the ping came", func() bool { return h.count() == 2 })
	if e := h.accepted[1]; e.Type != "webhook.ping" || e.ID != ping.ID.String() ||
		e.Data.EndpointID != endpoint.String() {
		t.Errorf("the ping is %+v", e)
	}
}

// A change of what a pickup is charged is sent like a transition, without any price, to the endpoints that want it.
func TestAChangeOfThePriceIsSentToWebhooks(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	all, refunds := receive(t, accepting), receive(t, accepting)
	c.endpoint(all.URL)
	c.endpoint(refunds.URL, "refund")
	id := c.submit(1)[0]
	for _, a := range []db.Adjustment{
		{Name: db.Reprice, PriceCents: 7171},
		{Name: db.Refund, AmountCents: 6161, Reason: "7171"},
	} {
		a.PickupID, a.Digest = id, []byte("x")
		_, _, err := c.store.AdjustPickup(t.Context(), c.dispatcher, a)
		c.must(err)
	}
	c.work(texts.Log{Logger: quiet}, hooking)
	c.eventually("the events came", func() bool { return all.count() == 3 && refunds.count() == 1 })
	for i, want := range []string{"pickup.submit", "pickup.reprice", "pickup.refund"} {
		if e := all.accepted[i]; e.Type != want || e.Data.ToStatus != "SUBMITTED" || e.Data.Version != int64(2+i) ||
			strings.Contains(all.bodies[i], "7171") || strings.Contains(all.bodies[i], "6161") {
			t.Errorf("the event of the %s is %s", want, all.bodies[i])
		}
	}
	if e := refunds.accepted[0]; e.Type != "pickup.refund" || e.Data.FromStatus != "SUBMITTED" {
		t.Errorf("the refund is %+v", e)
	}
}

// Without the setting, nothing is sent to a private address, and the delivery says why.
func TestAWebhookToAPrivateAddressIsRefused(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	h := receive(t, accepting)
	c.endpoint("https" + strings.TrimPrefix(h.URL, "http"))
	c.work(texts.Log{Logger: quiet})
	c.events(1)
	c.eventually("it was tried", func() bool {
		return c.count("SELECT count(*) FROM webhook_deliveries WHERE reason = 'address_refused' AND attempts = 1") == 1
	})
	if len(h.came) > 0 {
		t.Error("a request came")
	}
}

// What was settled long ago is removed, and all of an endpoint that was deleted.
func TestOldWebhookDeliveriesAreRemoved(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	h := receive(t, accepting)
	kept, deleted := c.endpoint(h.URL), c.endpoint("https://127.0.0.1:1")
	d := c.work(texts.Log{Logger: quiet}, hooking).hooks
	c.events(2)
	c.eventually("the events came", func() bool { return c.deliveries("DELIVERED") == 4 })
	c.exec(`UPDATE webhook_deliveries SET created_at = now() - interval '31 days' WHERE endpoint_id = $1
		AND type = 'pickup.submit'`, kept)
	c.must(c.store.DeleteWebhookEndpoint(t.Context(), c.Admin.Viewer, db.DeleteWebhookEndpointParams{ID: deleted}))
	c.eventually("only young ones are left", func() bool { // one may just be sent
		c.must(d.prune(t.Context(), []uuid.UUID{c.TenantID}))
		return c.count("SELECT count(*) FROM webhook_deliveries") == 2
	})
	if n := c.count("SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = $1 AND type = 'pickup.cancel'",
		kept); n != 2 {
		t.Errorf("%d young ones are left", n)
	}
	if n := c.count("SELECT count(*) FROM webhook_queues WHERE endpoint_id = $1", deleted); n != 0 {
		t.Errorf("%d queues of the deleted endpoint are left", n)
	}
}

// The pauses between the tries are those of the document: about three days in all.
func TestTheTriesOfAWebhookTakeThreeDays(t *testing.T) {
	t.Parallel()
	for range 100 {
		var all time.Duration
		for n := 1; n < MaxWebhookAttempts; n++ {
			pause := webhookPause(n)
			if n == 1 && pause > 8*time.Second || pause > 18*time.Hour || pause < time.Second {
				t.Errorf("the pause after %d tries is %v", n, pause)
			}
			all += pause
		}
		if all < 36*time.Hour || all > 5*24*time.Hour {
			t.Errorf("it is tried for %v", all)
		}
	}
}
