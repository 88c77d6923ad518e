package db_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// event is where an event stands in the stream.
type event struct {
	id       uuid.UUID
	pickup   uuid.UUID
	xid      uint64
	seq      int64
	sentence string // its transition
}

// events makes events of some pickups, and returns them in the order of the stream. Each has a position of its own: an
// event that is written beside other transactions may stand at the id of the next one.
func (w *fixture) events(ctx context.Context, pickups int) (all []event) {
	for range pickups {
		w.submitted(ctx)
		must(w.owner.Exec(ctx, "SELECT pg_current_xact_id()"))
	}
	rows := must(w.owner.Query(ctx, `SELECT id, pickup_id, xid::text, seq, transition::text
		FROM pickup_events AS e
		WHERE tenant_id = $1
		ORDER BY e.xid, e.seq -- bare, xid would be the text of the output`, w.tenant))
	defer rows.Close()
	for rows.Next() {
		var e event
		var xid string
		w.must(rows.Scan(&e.id, &e.pickup, &xid, &e.seq, &e.sentence))
		e.xid = must(strconv.ParseUint(xid, 10, 64))
		all = append(all, e)
	}
	w.must(rows.Err())
	return all
}

// takeAll are parameters that take all events of an endpoint from its cursor on.
func (w *fixture) takeAll(ctx context.Context, endpoint uuid.UUID) db.TakeWebhookEventsParams {
	e := must(w.as.GetWebhookEndpoint(ctx, db.GetWebhookEndpointParams{TenantID: w.tenant, ID: endpoint}))
	return db.TakeWebhookEventsParams{TenantID: w.tenant, EndpointID: endpoint, CursorMoves: e.CursorMoves,
		AfterXid: strconv.FormatUint(e.CursorXid, 10), AfterSeq: e.CursorSeq, FirstSeq: e.CursorFirstSeq,
		Horizon: strconv.FormatUint(math.MaxUint64, 10), LastSeq: math.MaxInt64, MaxRows: 100}
}

// taken returns an error unless the deliveries of an endpoint are these, in their order.
func (w *fixture) taken(ctx context.Context, endpoint uuid.UUID, want ...event) error {
	var got, wanted []uuid.UUID
	rows := must(w.owner.Query(ctx,
		"SELECT id FROM webhook_deliveries WHERE tenant_id = $1 AND endpoint_id = $2 ORDER BY seq", w.tenant, endpoint))
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		w.must(rows.Scan(&id))
		got = append(got, id)
	}
	for _, e := range want {
		wanted = append(wanted, e.id)
	}
	if !slices.Equal(got, wanted) {
		return fmt.Errorf("%d deliveries, want %d: %v, want %v", len(got), len(wanted), got, wanted)
	}
	return nil
}

// takes is a rule about what a take takes of the events of three pickups, the endpoint's cursor being before them.
func takes(name string, narrow func(*db.TakeWebhookEventsParams, []event), want func([]event) []event) check {
	return check{"TakeWebhookEvents", name, func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		all, p := w.events(ctx, 3), w.takeAll(ctx, endpoint)
		narrow(&p, all)
		_, err := w.TakeWebhookEvents(ctx, p)
		return first(err, w.taken(ctx, endpoint, want(all)...))
	}}
}

// queue makes a queue of a ping with a delivery in a status, due so long ago.
func (w *fixture) queue(
	ctx context.Context, endpoint uuid.UUID, status db.WebhookDeliveryStatus, due time.Duration,
) (id uuid.UUID) {
	id = newID()
	pending := 0
	if status == db.WebhookDeliveryStatusPENDING {
		pending = 1
	}
	must(w.owner.Exec(ctx, `INSERT INTO webhook_deliveries
			(tenant_id, endpoint_id, id, type, seq, status, next_attempt_at, created_at)
		VALUES ($1, $2, $3, 'webhook.ping', 0, $4, CASE WHEN $4 = 'PENDING'::webhook_delivery_status THEN now() END,
			now() - $5::interval)`,
		w.tenant, endpoint, id, status, due))
	must(w.owner.Exec(ctx, `INSERT INTO webhook_queues (tenant_id, endpoint_id, id, pending, next_at)
		VALUES ($1, $2, $3, $4, now() - $5::interval)`, w.tenant, endpoint, id, pending, due))
	return id
}

// claim claims queues, and returns them.
func (w *fixture) claim(
	ctx context.Context, s *db.Raw, endpoint uuid.UUID, most int32,
) ([]db.ClaimWebhookQueuesRow, error) {
	return s.ClaimWebhookQueues(ctx, db.ClaimWebhookQueuesParams{TenantID: w.tenant, EndpointID: endpoint,
		Lease: time.Minute, MaxRows: most})
}

// claims returns an error unless these queues are claimed.
func (w *fixture) claims(ctx context.Context, s *db.Raw, endpoint uuid.UUID, most int32, want ...uuid.UUID) error {
	rows, err := w.claim(ctx, s, endpoint, most)
	var got []uuid.UUID
	for _, r := range rows {
		got = append(got, r.ID)
	}
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("%v are claimed, want %v", got, want)
	}
	return err
}

func (w *fixture) settle(
	ctx context.Context, endpoint, id uuid.UUID, claims int64, status db.WebhookDeliveryStatus,
) func(*db.Raw) (int64, error) {
	return func(s *db.Raw) (int64, error) {
		return s.SettleWebhookDelivery(ctx, db.SettleWebhookDeliveryParams{TenantID: w.tenant, EndpointID: endpoint,
			QueueID: id, ID: id, Claims: claims, Status: status})
	}
}

// delivery returns an error unless the delivery has the status, and its queue so many pending.
func (w *fixture) delivery(ctx context.Context, id uuid.UUID, status db.WebhookDeliveryStatus, pending int) error {
	got := scan[string](ctx, w.owner,
		"SELECT coalesce(max(status::text), 'gone') FROM webhook_deliveries WHERE id = $1", id)
	n := scan[int](ctx, w.owner, "SELECT coalesce(max(pending), -1) FROM webhook_queues WHERE id = $1", id)
	if got != string(status) || n != pending {
		return fmt.Errorf("the delivery is %s, with %d pending; want %s and %d", got, n, status, pending)
	}
	return nil
}

const gone = db.WebhookDeliveryStatus("gone")

func (w *fixture) redelivering(ctx context.Context, endpoint, id uuid.UUID) act {
	return func(s *db.Raw) error {
		return written(s.RedeliverWebhook(ctx,
			db.RedeliverWebhookParams{TenantID: w.tenant, EndpointID: endpoint, ID: id}))
	}
}

func (w *fixture) pinging(ctx context.Context, endpoint, id uuid.UUID) act {
	return func(s *db.Raw) error {
		_, err := s.PingWebhookEndpoint(ctx,
			db.PingWebhookEndpointParams{TenantID: w.tenant, EndpointID: endpoint, ID: id})
		return err
	}
}

// pruning removes what was delivered a day ago, and wants so many.
func (w *fixture) pruning(ctx context.Context, endpoint uuid.UUID, want int64) act {
	return func(s *db.Raw) error {
		n, err := s.PruneWebhookDeliveries(ctx,
			db.PruneWebhookDeliveriesParams{TenantID: w.tenant, EndpointID: endpoint,
				Statuses: []string{"DELIVERED"}, Keep: 24 * time.Hour, MaxRows: 10})
		if err == nil && n != want {
			err = fmt.Errorf("%d deliveries are removed, want %d", n, want)
		}
		return err
	}
}

var webhookDeliveryRaces = []check{
	{"TakeWebhookEvents", "two workers take one event for an endpoint", func(ctx context.Context, w *fixture) error {
		one, other := w.endpoint(ctx), w.endpoint(ctx)
		all := w.events(ctx, 3)
		taking := func(endpoint uuid.UUID) act {
			p := w.takeAll(ctx, endpoint)
			return func(s *db.Raw) error {
				_, err := s.TakeWebhookEvents(ctx, p)
				return err
			}
		}
		many := taking(other)
		return first(
			w.loses(ctx, db.NotFound, taking(one), taking(one)), w.taken(ctx, one, all...),
			oneWins(together(manyCallers, func(int) error { return many(w.Raw) }), db.NotFound),
			w.taken(ctx, other, all...))
	}},
	{"PingWebhookEndpoint", "a retried request sends a second ping", func(ctx context.Context, w *fixture) error {
		endpoint, id := w.endpoint(ctx), newID()
		return first(w.createdOnce(ctx, w.pinging(ctx, endpoint, id)),
			w.delivery(ctx, id, db.WebhookDeliveryStatusPENDING, 1))
	}},
	{"ClaimWebhookQueues", "two workers send one delivery", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		one := w.queue(ctx, endpoint, db.WebhookDeliveryStatusPENDING, time.Minute)
		claim := func(s *db.Raw) error { return w.claims(ctx, s, endpoint, 10, one) }
		if err := w.passes(ctx, claim, func(s *db.Raw) error { return w.claims(ctx, s, endpoint, 10) }); err != nil {
			return err
		}
		other := w.queue(ctx, endpoint, db.WebhookDeliveryStatusPENDING, time.Minute)
		return first(
			w.countedOnce(func(s *db.Raw) (int64, error) {
				rows, err := w.claim(ctx, s, endpoint, 10)
				return int64(len(rows)), err
			}),
			w.delivery(ctx, other, db.WebhookDeliveryStatusPENDING, 1))
	}},
	{"SettleWebhookDelivery", "a late answer settles a delivery that another worker sends",
		func(ctx context.Context, w *fixture) error {
			endpoint := w.endpoint(ctx)
			id := w.queue(ctx, endpoint, db.WebhookDeliveryStatusPENDING, time.Minute)
			late := must(w.claim(ctx, w.as, endpoint, 1))[0]
			must(w.owner.Exec(ctx, "UPDATE webhook_queues SET next_at = now() WHERE id = $1", id)) // its lease ends
			current := must(w.claim(ctx, w.as, endpoint, 1))[0]
			n, err := w.settle(ctx, endpoint, id, late.Claims, db.WebhookDeliveryStatusFAILED)(w.Raw)
			if err == nil && n != 0 {
				err = errors.New("a late answer counts")
			}
			return first(err,
				w.countedOnce(w.settle(ctx, endpoint, id, current.Claims, db.WebhookDeliveryStatusDELIVERED)),
				w.delivery(ctx, id, db.WebhookDeliveryStatusDELIVERED, 0))
		}},
	{"RedeliverWebhook", "two redeliveries send one delivery twice", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		one := w.queue(ctx, endpoint, db.WebhookDeliveryStatusFAILED, time.Minute)
		other := w.queue(ctx, endpoint, db.WebhookDeliveryStatusDELIVERED, time.Minute)
		return first(
			w.loses(ctx, db.NotFound, w.redelivering(ctx, endpoint, one), w.redelivering(ctx, endpoint, one)),
			oneWins(together(manyCallers, func(int) error { return w.redelivering(ctx, endpoint, other)(w.Raw) }),
				db.NotFound),
			w.delivery(ctx, one, db.WebhookDeliveryStatusPENDING, 1),
			w.delivery(ctx, other, db.WebhookDeliveryStatusPENDING, 1))
	}},
	{"PruneWebhookDeliveries", "a delivery is removed that is sent again meanwhile",
		func(ctx context.Context, w *fixture) error {
			endpoint := w.endpoint(ctx)
			again := w.queue(ctx, endpoint, db.WebhookDeliveryStatusDELIVERED, 48*time.Hour)
			old := w.queue(ctx, endpoint, db.WebhookDeliveryStatusDELIVERED, 48*time.Hour)
			return first(
				w.passes(ctx, w.redelivering(ctx, endpoint, again), w.pruning(ctx, endpoint, 1)),
				w.delivery(ctx, again, db.WebhookDeliveryStatusPENDING, 1), w.delivery(ctx, old, gone, -1))
		}},
	{"PruneWebhookDeliveries", "two workers that remove deliveries wait for each other",
		func(ctx context.Context, w *fixture) error {
			endpoint := w.endpoint(ctx)
			one := w.queue(ctx, endpoint, db.WebhookDeliveryStatusDELIVERED, 48*time.Hour)
			if err := first(
				w.passes(ctx, w.pruning(ctx, endpoint, 1), w.pruning(ctx, endpoint, 0)),
				w.delivery(ctx, one, gone, -1)); err != nil {
				return err
			}
			other := w.queue(ctx, endpoint, db.WebhookDeliveryStatusDELIVERED, 48*time.Hour)
			return first(
				w.passes(ctx, func(s *db.Raw) error { // a take, for the same pickup
					_, err := s.DBTX().Exec(ctx, "SELECT FROM webhook_queues WHERE id = $1 FOR UPDATE", other)
					return err
				}, w.pruning(ctx, endpoint, 1)),
				w.delivery(ctx, other, gone, 0))
		}},
}

var webhookDeliveryRules = []check{
	takes("an event at the horizon is taken",
		func(p *db.TakeWebhookEventsParams, all []event) { p.Horizon = strconv.FormatUint(all[2].xid, 10) },
		func(all []event) []event { return all[:2] }),
	takes("an event before the cursor is taken",
		func(p *db.TakeWebhookEventsParams, all []event) {
			p.AfterXid, p.AfterSeq = strconv.FormatUint(all[0].xid, 10), all[0].seq
		},
		func(all []event) []event { return all[1:] }),
	takes("an event of the history before is taken",
		func(p *db.TakeWebhookEventsParams, all []event) { p.FirstSeq = all[1].seq },
		func(all []event) []event { return all[2:] }),
	takes("an event of the history after is taken",
		func(p *db.TakeWebhookEventsParams, all []event) { p.LastSeq = all[1].seq },
		func(all []event) []event { return all[:2] }),
	{"TakeWebhookEvents", "events are taken out of their order", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		all := w.events(ctx, 7)
		for n := 2; n < len(all); n += 2 {
			p := w.takeAll(ctx, endpoint)
			p.MaxRows = 2
			_, err := w.TakeWebhookEvents(ctx, p)
			if err := first(err, w.taken(ctx, endpoint, all[:n]...)); err != nil {
				return err
			}
		}
		return nil
	}},
	{"TakeWebhookEvents", "an event that is not wanted is taken", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx, "cancel")
		id := w.submitted(ctx)
		w.must(move(ctx, w.as, w.staff, "cancel", id))
		all := w.events(ctx, 0)
		_, err := w.TakeWebhookEvents(ctx, w.takeAll(ctx, endpoint))
		return first(err, w.taken(ctx, endpoint, all[len(all)-1]))
	}},
	{"TakeWebhookEvents", "a cursor moves where there is no event", func(ctx context.Context, w *fixture) error {
		_, err := w.TakeWebhookEvents(ctx, w.takeAll(ctx, w.endpoint(ctx)))
		return refused(err, db.NotFound)
	}},
	{"PingWebhookEndpoint", "a ping is sent to a deleted endpoint", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		w.must(w.deletingEndpoint(ctx, endpoint, 1)(w.as))
		return refused(w.pinging(ctx, endpoint, newID())(w.Raw), db.NotFound)
	}},
	{"ClaimWebhookQueues", "a queue is claimed before it is due", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		w.queue(ctx, endpoint, db.WebhookDeliveryStatusPENDING, -time.Minute)
		return w.claims(ctx, w.Raw, endpoint, 10)
	}},
	{"ClaimWebhookQueues", "an empty queue is claimed", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		w.queue(ctx, endpoint, db.WebhookDeliveryStatusDELIVERED, time.Minute)
		return w.claims(ctx, w.Raw, endpoint, 10)
	}},
	{"ClaimWebhookQueues", "the queue that waits longest is claimed last", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		w.queue(ctx, endpoint, db.WebhookDeliveryStatusPENDING, time.Minute)
		long := w.queue(ctx, endpoint, db.WebhookDeliveryStatusPENDING, time.Hour)
		w.queue(ctx, endpoint, db.WebhookDeliveryStatusPENDING, 2*time.Minute)
		return w.claims(ctx, w.Raw, endpoint, 1, long)
	}},
	{"SettleWebhookDelivery", "a settled delivery is settled again", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		id := w.queue(ctx, endpoint, db.WebhookDeliveryStatusPENDING, time.Minute)
		claimed := must(w.claim(ctx, w.as, endpoint, 1))[0]
		must(w.owner.Exec(ctx,
			"UPDATE webhook_deliveries SET status = 'DELIVERED', next_attempt_at = NULL WHERE id = $1", id))
		_, err := w.settle(ctx, endpoint, id, claimed.Claims, db.WebhookDeliveryStatusFAILED)(w.Raw)
		return first(err, w.delivery(ctx, id, db.WebhookDeliveryStatusDELIVERED, 0))
	}},
	{"PruneWebhookDeliveries", "a young or pending delivery is removed", func(ctx context.Context, w *fixture) error {
		endpoint := w.endpoint(ctx)
		young := w.queue(ctx, endpoint, db.WebhookDeliveryStatusDELIVERED, time.Hour)
		pending := w.queue(ctx, endpoint, db.WebhookDeliveryStatusPENDING, 48*time.Hour)
		return first(w.pruning(ctx, endpoint, 0)(w.Raw), w.delivery(ctx, young, db.WebhookDeliveryStatusDELIVERED, 0),
			w.delivery(ctx, pending, db.WebhookDeliveryStatusPENDING, 1))
	}},
	{"PruneWebhookDeliveries", "a queue with a pending delivery is removed",
		func(ctx context.Context, w *fixture) error {
			endpoint := w.endpoint(ctx)
			id := w.queue(ctx, endpoint, db.WebhookDeliveryStatusDELIVERED, 48*time.Hour)
			must(w.owner.Exec(ctx, "UPDATE webhook_queues SET pending = 1 WHERE id = $1", id))
			must(w.owner.Exec(ctx, `INSERT INTO webhook_deliveries (tenant_id, endpoint_id, id, type, pickup_id, seq)
				VALUES ($1, $2, $3, 'pickup.submit', $4, 1)`, w.tenant, endpoint, newID(), id))
			return first(w.pruning(ctx, endpoint, 1)(w.Raw), w.delivery(ctx, id, gone, 1))
		}},
}

// What is taken into a queue from which somebody sends waits for them.
func TestATakeLeavesTheLeaseOfAQueue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	endpoint, id := w.endpoint(ctx), w.submitted(ctx)
	must(w.TakeWebhookEvents(ctx, w.takeAll(ctx, endpoint)))
	claimed := must(w.claim(ctx, w.Raw, endpoint, 10))
	w.must(move(ctx, w.as, w.staff, "cancel", id))
	must(w.TakeWebhookEvents(ctx, w.takeAll(ctx, endpoint)))
	if err := w.claims(ctx, w.Raw, endpoint, 10); err != nil {
		t.Error("during the lease: ", err)
	}
	all := w.events(ctx, 0)
	head := func() uuid.UUID {
		return must(w.ListWebhookHeads(ctx, db.ListWebhookHeadsParams{TenantID: w.tenant, EndpointID: endpoint,
			QueueIds: ids(id)}))[0].ID
	}
	settle := func(claims int64, e event) {
		must(w.SettleWebhookDelivery(ctx, db.SettleWebhookDeliveryParams{TenantID: w.tenant, EndpointID: endpoint,
			QueueID: id, ID: e.id, Claims: claims, Status: db.WebhookDeliveryStatusDELIVERED}))
	}
	if head() != all[0].id {
		t.Error("the first event is not the first delivery")
	}
	settle(claimed[0].Claims, all[0])
	claimed = must(w.claim(ctx, w.Raw, endpoint, 10))
	if len(claimed) != 1 || head() != all[1].id {
		t.Errorf("after the first delivery, %d queues are claimed", len(claimed))
	}
	settle(claimed[0].Claims, all[1])
	if err := w.claims(ctx, w.Raw, endpoint, 10); err != nil {
		t.Error("after the last delivery: ", err)
	}
	if n := scan[int](ctx, w.owner, "SELECT sum(pending) FROM webhook_queues WHERE endpoint_id = $1",
		endpoint); n != 0 {
		t.Errorf("%d are pending", n)
	}
}

// After a restore, what an endpoint has not got of the former history is taken first, and then that of the new one,
// whatever their transaction ids.
func TestAWebhookCursorGoesOnInTheNextHistory(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openUnchecked(t)
	w := d.fixture(ctx)
	endpoint := w.endpoint(ctx)
	former := w.events(ctx, 3)
	must(w.owner.Exec(ctx, "UPDATE pickup_events SET xid = (xid::text::bigint + 1000000000)::text::xid8"))
	must(w.owner.Exec(
		ctx, "UPDATE webhook_endpoints SET cursor_xid = (cursor_xid::text::bigint + 1000000000)::text::xid8"))
	must(w.owner.Exec(ctx, "UPDATE event_histories SET table_id = 0"))
	w.must(w.as.BeginEventHistory(ctx))
	if h := must(w.Store.StreamHorizon(ctx)); h.FirstSeq < former[2].seq {
		t.Fatalf("the history begins at %d, before the event %d", h.FirstSeq, former[2].seq)
	}
	system := d.Raw
	all := w.events(ctx, 3)
	for range 10 {
		for _, work := range must(system.ListWebhookWork(ctx, ids(w.tenant))) {
			if !work.IsBehind {
				continue
			}
			h := must(w.Store.StreamHorizon(ctx))
			if n := must(system.System.TakeWebhookEvents(ctx, work, h, 2)); n == 0 {
				must(w.Store.MoveStreamHorizon(ctx))
			}
		}
	}
	slices.SortFunc(all, func(a, b event) int { return int(a.seq - b.seq) })
	if err := w.taken(ctx, endpoint, all...); err != nil || len(all) != 6 {
		t.Errorf("%d events: %v", len(all), err)
	}
}
