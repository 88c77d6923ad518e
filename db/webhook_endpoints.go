package db

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// WebhookSecretOverlap is how long requests are signed with a former secret besides, after a rotation.
const WebhookSecretOverlap = 24 * time.Hour

// CreateWebhookEndpoint creates the endpoint of p, of v's tenant. replayed says that an earlier attempt of the same
// request did. It returns IDReused if another request did, also if the endpoint was deleted since, or
// WebhookEndpointLimit.
func (s *Store) CreateWebhookEndpoint(
	ctx context.Context, v Viewer, p CreateWebhookEndpointParams,
) (_ WebhookEndpoint, replayed bool, _ error) {
	p.TenantID = v.TenantID
	row, err := s.q.CreateWebhookEndpoint(ctx, p)
	return created(ctx, s, row.WebhookEndpoint, err, p.RequestDigest, func() (WebhookEndpoint, []byte, error) {
		known, err := s.q.GetCreatedWebhookEndpoint(ctx,
			GetCreatedWebhookEndpointParams{TenantID: v.TenantID, ID: p.ID})
		if known.DeletedAt != nil {
			return known, nil, err
		}
		return known, known.RequestDigest, err
	})
}

// EditWebhookEndpoint edits the endpoint of p, of v's tenant. It returns NotFound or StaleVersion if it was lost.
func (s *Store) EditWebhookEndpoint(
	ctx context.Context, v Viewer, p EditWebhookEndpointParams,
) (WebhookEndpoint, error) {
	p.TenantID, p.Overlap = v.TenantID, WebhookSecretOverlap
	row, err := s.q.EditWebhookEndpoint(ctx, p)
	return row, s.endpointEdited(ctx, v, GetWebhookEndpointParams{ID: p.ID}, err)
}

// DeleteWebhookEndpoint deletes the endpoint of p, of v's tenant. It returns NotFound or StaleVersion if it was lost.
func (s *Store) DeleteWebhookEndpoint(ctx context.Context, v Viewer, p DeleteWebhookEndpointParams) error {
	p.TenantID = v.TenantID
	n, err := s.q.DeleteWebhookEndpoint(ctx, p)
	if err == nil && n == 0 {
		err = pgx.ErrNoRows
	}
	return s.endpointEdited(ctx, v, GetWebhookEndpointParams{ID: p.ID}, err)
}

// endpointEdited returns what became of an edit or a delete of an endpoint.
func (s *Store) endpointEdited(ctx context.Context, v Viewer, p GetWebhookEndpointParams, err error) error {
	p.TenantID = v.TenantID
	return edited(ctx, s, err, func() ([]int64, error) {
		now, err := s.q.GetWebhookEndpoint(ctx, p)
		return []int64{now.Version}, err
	})
}
