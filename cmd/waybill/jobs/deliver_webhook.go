package jobs

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"

	"waybill/api/webhook"
	"waybill/cmd/waybill/texts"
	"waybill/cmd/waybill/webhooks"
	"waybill/db"
)

const (
	// MaxWebhookAttempts is how often a delivery is tried: for about three days.
	MaxWebhookAttempts  = 15
	firstWebhookPause   = 5 * time.Second
	longestWebhookPause = 12 * time.Hour
)

// webhookPause returns the backoff after the n-th try, from 1: five seconds, three times as long each time up to twelve
// hours, with jitter.
func webhookPause(n int) time.Duration {
	d := firstWebhookPause
	for range n - 1 {
		d = min(3*d, longestWebhookPause)
	}
	return d/2 + rand.N(d)
}

// deliver sends one delivery, and stores what became of it. If the worker is killed in between, the delivery is sent
// again when its lease has ended, and the receiver recognizes its id.
func (d *deliverer) deliver(ctx context.Context, of endpointID, h db.ListWebhookHeadsRow, claims int64,
	breaker *texts.Breaker) {
	body, err := d.body(ctx, of, h)
	if err != nil {
		d.Observe(deliveryKind, Snoozed, "database")
		return
	}
	secrets := []string{h.Secret}
	if h.FormerSecret != "" {
		secrets = append(secrets, h.FormerSecret)
	}
	answer := webhooks.Answer{Reason: "no_event"}
	if body != nil {
		answer = d.sender.Send(ctx, webhooks.Request{ID: h.ID.String(), URL: h.Url, Secrets: secrets, Body: body,
			At: d.database.Now()})
		judge(breaker, answer)
	}
	took := int32(answer.Took.Milliseconds())
	p := db.SettleWebhookDeliveryParams{TenantID: of.tenant, EndpointID: of.id, QueueID: h.QueueID, ID: h.ID,
		Claims: claims, Status: db.WebhookDeliveryStatusDELIVERED, DurationMs: &took}
	if answer.Status != 0 {
		status := int32(answer.Status)
		p.HttpStatus = &status
	}
	outcome := Done
	if !answer.Accepted {
		p.Reason = &answer.Reason
		if n := int(h.Attempts) + 1; n < MaxWebhookAttempts && body != nil {
			outcome, p.Status = Snoozed, db.WebhookDeliveryStatusPENDING
			p.Pause = max(d.WebhookPause(n), jitter(answer.RetryAfter))
		} else {
			outcome, p.Status = Failed, db.WebhookDeliveryStatusFAILED
		}
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	// Without a row, the lease had ended, and another worker sends it.
	if _, err := d.Store.SettleWebhookDelivery(ctx, p); err != nil {
		outcome = Snoozed
	}
	d.Observe(deliveryKind, outcome, answer.Reason)
}

// body returns the body of a delivery; nil if its event does not exist, which only an operator can have deleted.
func (d *deliverer) body(ctx context.Context, of endpointID, h db.ListWebhookHeadsRow) ([]byte, error) {
	if h.Type == webhook.Ping {
		return json.Marshal(webhook.Event[webhook.PingData]{Type: h.Type, Timestamp: h.CreatedAt.UTC(),
			Data: webhook.PingData{EndpointID: of.id.String()}})
	}
	e, err := d.Store.GetPickupEvent(ctx, db.GetPickupEventParams{TenantID: of.tenant, ID: h.ID})
	switch {
	case db.NoRow(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return json.Marshal(webhook.Event[db.PickupEvent]{Type: h.Type, Timestamp: e.CreatedAt.UTC(), Data: e})
}

// judge tells an endpoint's breaker of an answer. It opens if the receiver does not answer, or says that it cannot:
// what it refuses says nothing about the next one.
func judge(b *texts.Breaker, a webhooks.Answer) {
	down := a.Status == 0 || a.Status == http.StatusTooManyRequests || a.Status >= 500
	if down || a.RetryAfter > 0 {
		b.Failed(a.RetryAfter)
		return
	}
	b.Succeeded()
}

// prune removes old deliveries, and those of deleted endpoints.
func (d *deliverer) prune(ctx context.Context, tenants []uuid.UUID) error {
	endpoints, err := d.Store.ListPrunableWebhookEndpoints(ctx, tenants)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		p := db.PruneWebhookDeliveriesParams{TenantID: e.TenantID, EndpointID: e.ID, MaxRows: pruneBatch,
			Keep: keepDeliveries, IsDeleted: e.IsDeleted,
			Statuses: []string{string(db.WebhookDeliveryStatusDELIVERED), string(db.WebhookDeliveryStatusFAILED)}}
		if e.IsDeleted {
			p.Keep, p.Statuses = -time.Hour, append(p.Statuses, string(db.WebhookDeliveryStatusPENDING))
		}
		for n := int64(pruneBatch); n == pruneBatch; {
			if n, err = d.Store.PruneWebhookDeliveries(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}
