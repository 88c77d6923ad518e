package db

import (
	"context"
	"math"
	"strconv"
)

// PingWebhookEndpoint has a ping sent to an endpoint of v's tenant. replayed says that an earlier attempt of the same
// request did. It returns NotFound without the endpoint.
func (s *Store) PingWebhookEndpoint(
	ctx context.Context, v Viewer, p PingWebhookEndpointParams,
) (_ WebhookDelivery, replayed bool, _ error) {
	p.TenantID = v.TenantID
	row, err := s.q.PingWebhookEndpoint(ctx, p)
	if !NoRow(err) {
		return row.WebhookDelivery, false, err
	}
	known, err := s.q.GetWebhookDelivery(ctx,
		GetWebhookDeliveryParams{TenantID: v.TenantID, EndpointID: p.EndpointID, ID: p.ID})
	if err == nil {
		err = s.replicated(ctx)
	}
	return known, true, err
}

// RedeliverWebhook has a delivery of v's tenant sent again, unless it is pending, and returns it. It returns
// NotFound without it.
func (s *Store) RedeliverWebhook(ctx context.Context, v Viewer, p RedeliverWebhookParams) (WebhookDelivery, error) {
	p.TenantID = v.TenantID
	n, err := s.q.RedeliverWebhook(ctx, p)
	if err = s.changed(ctx, n, err); err != nil {
		return WebhookDelivery{}, err
	}
	return s.q.GetWebhookDelivery(ctx, GetWebhookDeliveryParams(p)) // none if its endpoint was deleted
}

// TakeWebhookEvents makes deliveries of the next events of an endpoint, at most so many, up to a horizon. It returns
// how many events it took: none if another worker was first, or the server writes another history.
func (s *System) TakeWebhookEvents(
	ctx context.Context, w ListWebhookWorkRow, h StreamHorizon, most int32,
) (int32, error) {
	p := TakeWebhookEventsParams{TenantID: w.TenantID, EndpointID: w.ID, CursorMoves: w.CursorMoves,
		AfterXid: strconv.FormatUint(w.CursorXid, 10), AfterSeq: w.CursorSeq, FirstSeq: w.CursorFirstSeq,
		Horizon: strconv.FormatUint(h.Sendable, 10), LastSeq: math.MaxInt64, MaxRows: most}
	if w.NextFirstSeq > 0 { // all that a former history has is final
		p.Horizon, p.LastSeq = strconv.FormatUint(math.MaxUint64, 10), w.NextFirstSeq
	}
	row, err := s.q.TakeWebhookEvents(inHistory(ctx, h.History, h.Recovery), p)
	if NoRow(err) || err != nil && Explain(err).Code == StreamRestarted {
		return 0, nil
	}
	return row.Events, err
}

// ClaimWebhookQueues claims queues of an endpoint that are due, for a lease, and returns them.
func (s *System) ClaimWebhookQueues(ctx context.Context, p ClaimWebhookQueuesParams) ([]ClaimWebhookQueuesRow, error) {
	return s.q.ClaimWebhookQueues(ctx, p)
}
