package db_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// written turns the number of rows of a write into the error of one that matched none.
func written(n int64, err error) error {
	if err == nil && n == 0 {
		return pgx.ErrNoRows
	}
	return err
}

var webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// maxEndpoints is how many a tenant may have.
const maxEndpoints = 20

func (w *fixture) creatingEndpoint(ctx context.Context, id uuid.UUID, events ...string) act {
	return func(s *db.Raw) error {
		_, err := s.CreateWebhookEndpoint(ctx, db.CreateWebhookEndpointParams{TenantID: w.tenant, ID: id,
			Url: "https://clinic.example", Events: append([]string{}, events...), Secret: &webhookSecret,
			RequestDigest: digest("same")})
		return err
	}
}

// endpoint makes an endpoint that wants some events, or all.
func (w *fixture) endpoint(ctx context.Context, events ...string) uuid.UUID {
	id := newID()
	w.must(w.creatingEndpoint(ctx, id, events...)(w.as))
	return id
}

func (w *fixture) editingEndpoint(ctx context.Context, id uuid.UUID, url string, version int64) act {
	return func(s *db.Raw) error {
		_, err := s.EditWebhookEndpoint(ctx,
			db.EditWebhookEndpointParams{TenantID: w.tenant, ID: id, Url: &url, Version: version})
		return err
	}
}

func (w *fixture) deletingEndpoint(ctx context.Context, id uuid.UUID, version int64) act {
	return func(s *db.Raw) error {
		return written(s.DeleteWebhookEndpoint(ctx,
			db.DeleteWebhookEndpointParams{TenantID: w.tenant, ID: id, Version: version}))
	}
}

// countedEndpoints returns an error unless so many endpoints are counted.
func (w *fixture) countedEndpoints(ctx context.Context, want int) error {
	n := scan[int](ctx, w.owner,
		"SELECT coalesce(sum(endpoints), 0) FROM webhook_endpoint_counts WHERE tenant_id = $1", w.tenant)
	if n != want {
		return fmt.Errorf("%d endpoints are counted, want %d", n, want)
	}
	return nil
}

var _ = has(noun{races: webhookEndpointRaces, rules: webhookEndpointRules})

var webhookEndpointRaces = []check{
	{"CreateWebhookEndpoint", "a retried request makes a second endpoint",
		func(ctx context.Context, w *fixture) error {
			return first(w.createdOnce(ctx, w.creatingEndpoint(ctx, w.admin.UserID)), w.countedEndpoints(ctx, 1))
		}},
	{"CreateWebhookEndpoint", "a tenant gets more endpoints than it may have",
		func(ctx context.Context, w *fixture) error {
			for range maxEndpoints - 2 {
				w.endpoint(ctx)
			}
			return first(
				someWin(2, together(manyCallers, func(int) error { return w.creatingEndpoint(ctx, newID())(w.Raw) }),
					db.WebhookEndpointLimit),
				w.countedEndpoints(ctx, maxEndpoints))
		}},
	{"EditWebhookEndpoint", "an edit of an endpoint overwrites an unseen edit",
		func(ctx context.Context, w *fixture) error {
			id := w.endpoint(ctx)
			return w.editedOnce(ctx, func(s *db.Raw, name string, version int64) error {
				return w.editingEndpoint(ctx, id, "https://"+name+".example", version)(s)
			})
		}},
	{"DeleteWebhookEndpoint", "a delete removes an endpoint that was edited meanwhile",
		func(ctx context.Context, w *fixture) error {
			id := w.endpoint(ctx)
			return first(
				w.loses(ctx, db.NotFound, w.editingEndpoint(ctx, id, "https://new.example", 1),
					w.deletingEndpoint(ctx, id, 1)),
				w.countedEndpoints(ctx, 1),
				w.deletingEndpoint(ctx, id, 2)(w.Raw),
				w.countedEndpoints(ctx, 0))
		}},
	{"DeleteWebhookEndpoint", "two deletes make room for two endpoints",
		func(ctx context.Context, w *fixture) error {
			w.endpoint(ctx)
			id, other := w.endpoint(ctx), w.endpoint(ctx)
			return first(
				w.loses(ctx, db.NotFound, w.deletingEndpoint(ctx, id, 0), w.deletingEndpoint(ctx, id, 0)),
				oneWins(together(manyCallers, func(int) error { return w.deletingEndpoint(ctx, other, 0)(w.Raw) }),
					db.NotFound),
				w.countedEndpoints(ctx, 1))
		}},
}

var webhookEndpointRules = []check{
	{"EditWebhookEndpoint", "a deleted endpoint is edited", func(ctx context.Context, w *fixture) error {
		id := w.endpoint(ctx)
		w.must(w.deletingEndpoint(ctx, id, 1)(w.as))
		return refused(w.editingEndpoint(ctx, id, "https://new.example", 2)(w.Raw), db.NotFound)
	}},
}

// A rotation keeps the secret of before for a day, and a deleted endpoint has none.
func TestASecretIsRotatedWithAnOverlap(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	id, secret := w.endpoint(ctx), "whsec_b3RoZXIgc2VjcmV0IG9mIDI0IGJ5dGVzLg=="
	edited := must(w.Store.EditWebhookEndpoint(ctx, w.admin,
		db.EditWebhookEndpointParams{ID: id, Version: 1, Secret: &secret}))
	if *edited.Secret != secret || *edited.FormerSecret != webhookSecret || edited.FormerSecretEndsAt == nil {
		t.Errorf("the secrets are %v and %v", *edited.Secret, *edited.FormerSecret)
	}
	url := "https://new.example"
	edited = must(w.Store.EditWebhookEndpoint(ctx, w.admin,
		db.EditWebhookEndpointParams{ID: id, Version: 2, Url: &url}))
	if *edited.Secret != secret || *edited.FormerSecret != webhookSecret || edited.Url != url {
		t.Errorf("another edit changes the secrets: %v and %v", *edited.Secret, *edited.FormerSecret)
	}
	w.must(w.Store.DeleteWebhookEndpoint(ctx, w.admin, db.DeleteWebhookEndpointParams{ID: id}))
	if n := scan[int](ctx, w.owner, `SELECT count(*) FROM webhook_endpoints
		WHERE id = $1 AND secret IS NULL AND former_secret IS NULL AND deleted_at IS NOT NULL`, id); n != 1 {
		t.Error("the deleted endpoint keeps a secret")
	}
	// A late duplicate of its creation neither revives it nor shows it.
	_, replayed, err := w.Store.CreateWebhookEndpoint(ctx, w.admin, db.CreateWebhookEndpointParams{ID: id,
		Url: "https://clinic.example", Events: []string{}, Secret: &secret, RequestDigest: digest("same")})
	if code(err) != db.IDReused || replayed {
		t.Errorf("a late duplicate: replayed %t, %v", replayed, err)
	}
}
