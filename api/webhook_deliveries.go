package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerWebhookDeliveries() {
	const path = "/v1/webhook-endpoints/{endpoint_id}"
	register(a, operation{
		id: "ping-webhook-endpoint", method: http.MethodPost, path: path + "/ping", tag: "webhooks",
		summary: "Send a ping to a webhook endpoint",
		about: "Has a request sent that no event is the reason for, as the webhook `webhookPing` says. What became " +
			"of it is in list-webhook-deliveries.",
		roles: admin, codes: []db.Code{db.NotFound, db.IdempotencyKeyReused},
	}, a.pingWebhookEndpoint)
	register(a, operation{
		id: "list-webhook-deliveries", method: http.MethodGet, path: path + "/deliveries", tag: "webhooks",
		summary: "List the deliveries of a webhook endpoint",
		about: "Newest first. Those with the status FAILED are the dead letters, which redeliver-webhook sends " +
			"again. " +
			"What was settled is kept for 30 days from the event on.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.listWebhookDeliveries)
	register(a, operation{
		id: "redeliver-webhook", method: http.MethodPost, path: path + "/deliveries/{delivery_id}/redeliver",
		tag: "webhooks", summary: "Send a delivery again",
		about: "Sends it with all its tries, with the same `Webhook-Id`, to the URL and with the secret of now. " +
			"It may " +
			"come after later events of its pickup. One that is pending is left as it is, so that a repetition " +
			"has no " +
			"effect until it was sent.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.redeliverWebhook)
}

type pingWebhookEndpointInput struct {
	WebhookEndpointPath
	CreateKey
}

type pingWebhookEndpointOutput struct {
	Replayed string `header:"Idempotency-Replayed" doc:"\"true\" if an earlier request with this Idempotency-Key asked for it"`
	Body     *db.WebhookDelivery
}

func (a *server) pingWebhookEndpoint(
	ctx context.Context, v db.Viewer, in *pingWebhookEndpointInput,
) (*pingWebhookEndpointOutput, error) {
	id, err := in.newID(v, "ping-webhook-endpoint", 0, nil)
	if err != nil {
		return nil, err
	}
	row, replayed, err := a.store.PingWebhookEndpoint(ctx, v,
		db.PingWebhookEndpointParams{EndpointID: in.EndpointID, ID: id})
	if err != nil {
		return nil, err
	}
	out := &pingWebhookEndpointOutput{Body: &row}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}

type listWebhookDeliveriesInput struct {
	WebhookEndpointPath
	Keyset
	Status []db.WebhookDeliveryStatus `query:"status,explode" doc:"Only deliveries with one of these statuses"`
}

func (a *server) listWebhookDeliveries(
	ctx context.Context, v db.Viewer, in *listWebhookDeliveriesInput,
) (*ListOf[db.WebhookDelivery], error) {
	if _, err := a.webhookEndpoint(ctx, v, in.EndpointID); err != nil {
		return nil, err
	}
	statuses := in.Status
	if len(statuses) == 0 {
		statuses = db.AllWebhookDeliveryStatusValues()
	}
	rows, err := a.store.ListWebhookDeliveries(ctx, db.ListWebhookDeliveriesParams{
		TenantID: v.TenantID, EndpointID: in.EndpointID, Statuses: asStrings(statuses),
		BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(d db.WebhookDelivery) string { return in.after(d.CreatedAt, d.ID) }), nil
}

type webhookDeliveryPath struct {
	WebhookEndpointPath
	DeliveryID uuid.UUID `path:"delivery_id" format:"uuid" doc:"The delivery"`
}

// redeliverOutput is the answer to redeliver-webhook.
type redeliverOutput struct{ Body *db.WebhookDelivery }

func (a *server) redeliverWebhook(
	ctx context.Context, v db.Viewer, in *webhookDeliveryPath,
) (*redeliverOutput, error) {
	row, err := a.store.RedeliverWebhook(ctx, v,
		db.RedeliverWebhookParams{EndpointID: in.EndpointID, ID: in.DeliveryID})
	if err != nil {
		return nil, err
	}
	return &redeliverOutput{&row}, nil
}
