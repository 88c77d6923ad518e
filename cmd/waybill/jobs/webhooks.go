package jobs

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"waybill/cmd/waybill/texts"
	"waybill/cmd/waybill/webhooks"
	"waybill/db"
)

// Events are delivered to webhook endpoints by a loop of each process, not by jobs of River: what is owed to an
// endpoint is behind its cursor in the stream, and no transition writes a row for it. Each endpoint with something to
// do has a goroutine of its own, so that one that hangs holds up no other.
const (
	webhookInterval = 500 * time.Millisecond
	webhookTenants  = 500 // looked at by one statement
	webhookWindow   = 500 // events taken by one statement
	webhookAtOnce   = 16  // requests to one endpoint from one process
	webhooksInAll   = 512 // endpoints served at once by one process
	webhookTurn     = 10 * time.Second
	pruneInterval   = 10 * time.Minute
	pruneBatch      = 1000

	// WebhookLease is how long a worker has a delivery. It is longer than a request and the storing of its answer may
	// take: afterwards the worker is dead, and another one sends the delivery again.
	WebhookLease = webhooks.Timeout + settleTimeout + 15*time.Second
	// keepDeliveries is how long settled deliveries are kept.
	keepDeliveries = 30 * 24 * time.Hour
)

// deliveryKind is the kind of deliveries in metrics.
const deliveryKind = "deliver_webhook"

// endpointID identifies an endpoint.
type endpointID struct{ tenant, id uuid.UUID }

// deliverer delivers events to the endpoints of all tenants.
type deliverer struct {
	*Workers
	sender *webhooks.Sender
	done   chan struct{} // closed when run has returned

	mu       sync.Mutex
	serving  map[endpointID]bool
	breakers map[endpointID]*texts.Breaker
	running  sync.WaitGroup
	pruned   time.Time
}

func newDeliverer(c *Workers, o webhooks.Options) *deliverer {
	return &deliverer{Workers: c, sender: webhooks.NewSender(o), done: make(chan struct{}),
		serving: map[endpointID]bool{}, breakers: map[endpointID]*texts.Breaker{}}
}

// run looks for work until the workers stop, and returns when the last request is answered. What fails is done the
// next time.
func (d *deliverer) run() {
	defer close(d.done)
	defer d.running.Wait()
	for every := time.NewTicker(webhookInterval); ; {
		if err := d.round(d.stopping); err != nil && d.stopping.Err() == nil {
			d.Log.Warn("cannot deliver webhooks", "code", db.CodeOf(db.Explain(err)))
		}
		select {
		case <-d.stopping.Done():
			every.Stop()
			return
		case <-every.C:
		}
	}
}

// round lets each endpoint with something to do be served, unless it is.
func (d *deliverer) round(ctx context.Context) error {
	prune := time.Since(d.pruned) > pruneInterval
	var after uuid.UUID
	for {
		tenants, err := d.Store.ListWebhookTenants(ctx, db.ListWebhookTenantsParams{AfterID: after,
			MaxRows: webhookTenants})
		if err != nil || len(tenants) == 0 {
			if prune && err == nil {
				d.pruned = time.Now()
			}
			return err
		}
		after = tenants[len(tenants)-1]
		work, err := d.Store.ListWebhookWork(ctx, tenants)
		if err != nil {
			return err
		}
		for _, w := range work {
			d.start(w)
		}
		if prune {
			if err := d.prune(ctx, tenants); err != nil {
				return err
			}
		}
	}
}

// start serves an endpoint, unless it is being served, or too many are.
func (d *deliverer) start(w db.ListWebhookWorkRow) {
	id := endpointID{w.TenantID, w.ID}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.serving[id] || len(d.serving) >= webhooksInAll {
		return
	}
	breaker := d.breakers[id]
	if breaker == nil {
		breaker = texts.NewBreaker(*d.WebhookClock)
		d.breakers[id] = breaker
	}
	d.serving[id] = true
	d.running.Go(func() {
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.serving, id)
		}()
		if err := d.serve(w, breaker); err != nil && d.stopping.Err() == nil {
			d.Log.Warn("cannot deliver to a webhook endpoint", "endpoint", w.ID, "code", db.CodeOf(db.Explain(err)))
		}
	})
}

// serve takes an endpoint's events, and sends what is due, for a while.
func (d *deliverer) serve(w db.ListWebhookWorkRow, breaker *texts.Breaker) error {
	if w.IsBehind {
		if err := d.take(w); err != nil {
			return err
		}
	}
	for end := time.Now().Add(webhookTurn); d.stopping.Err() == nil && time.Now().Before(end); {
		sent, err := d.send(endpointID{w.TenantID, w.ID}, breaker)
		if err != nil || sent == 0 {
			return err
		}
	}
	return nil
}

// take makes deliveries of the next events of an endpoint: of one window, after which it has its next turn.
func (d *deliverer) take(w db.ListWebhookWorkRow) error {
	h, err := d.Store.StreamHorizon(d.stopping)
	if err != nil {
		return err
	}
	n, err := d.Store.TakeWebhookEvents(d.stopping, w, h, webhookWindow)
	if err == nil && n == 0 && h.Sendable == h.Newest { // the event may stand at the horizon
		_, err = d.Store.MoveStreamHorizon(d.stopping)
	}
	return err
}

// send claims deliveries of an endpoint that are due, and sends them. It returns how many.
func (d *deliverer) send(of endpointID, breaker *texts.Breaker) (int, error) {
	most := webhookAtOnce
	may, isTrial := breaker.Try()
	if !may {
		return 0, nil
	}
	if isTrial {
		most = 1
		defer breaker.Canceled() // if it comes to no answer, the next one tries; otherwise the trial is over
	}
	claimed, err := d.Store.ClaimWebhookQueues(d.stopping, db.ClaimWebhookQueuesParams{TenantID: of.tenant,
		EndpointID: of.id, MaxRows: int32(most), Lease: WebhookLease})
	if err != nil || len(claimed) == 0 {
		return 0, err
	}
	queues, claims := make([]uuid.UUID, len(claimed)), map[uuid.UUID]int64{}
	for i, c := range claimed {
		queues[i], claims[c.ID] = c.ID, c.Claims
	}
	ctx := context.WithoutCancel(d.stopping) // what was begun is finished: it takes no longer than a request
	heads, err := d.Store.ListWebhookHeads(ctx, db.ListWebhookHeadsParams{TenantID: of.tenant, EndpointID: of.id,
		QueueIds: queues})
	if err != nil {
		return 0, err
	}
	var sending sync.WaitGroup
	for _, h := range heads {
		sending.Go(func() { d.deliver(ctx, of, h, claims[h.QueueID], breaker) })
	}
	sending.Wait()
	return len(heads), nil
}
