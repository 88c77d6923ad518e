package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"waybill/db"
)

const aboutEndpoints = "Events of pickups are sent to it by POST, those that are committed from its creation on " +
	"(and a " +
	"few from just before, where they were being written): see the webhook `pickupEvent` for the requests and what " +
	"the receiver can rely on. A tenant has up to 20 endpoints. The URL is https, and leads to a public address. The " +
	"secret that signs the requests is shown by this answer alone: a replay does not have it. If it is lost, let " +
	"edit-webhook-endpoint make another."

func (a *server) registerWebhookEndpoints() {
	const path = "/v1/webhook-endpoints"
	register(a, operation{
		id: "create-webhook-endpoint", method: http.MethodPost, path: path, tag: "webhooks", status: http.StatusCreated,
		summary: "Create a webhook endpoint", about: aboutEndpoints, roles: admin,
		codes: []db.Code{db.IDReused, db.WebhookEndpointLimit}, also: []int{http.StatusOK},
	}, a.createWebhookEndpoint)
	register(a, operation{
		id: "list-webhook-endpoints", method: http.MethodGet, replicas: true, path: path, tag: "webhooks",
		summary: "List the webhook endpoints", about: "Newest first.", roles: admin,
	}, a.listWebhookEndpoints)
	register(a, operation{
		id: "get-webhook-endpoint", method: http.MethodGet, replicas: true, path: path + "/{endpoint_id}",
		tag: "webhooks", summary: "Get a webhook endpoint", roles: admin,
		codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getWebhookEndpoint)
	register(a, operation{
		id: "edit-webhook-endpoint", method: http.MethodPatch, path: path + "/{endpoint_id}", tag: "webhooks",
		summary: "Edit a webhook endpoint",
		about: "What is pending is sent to the new URL; other events are taken from now on. With rotate_secret, the " +
			"answer has a new secret, and requests are signed with both for 24 hours.",
		roles: admin, codes: []db.Code{db.NotFound, db.StaleVersion, preconditionRequired},
	}, a.editWebhookEndpoint)
	register(a, operation{
		id: "delete-webhook-endpoint", method: http.MethodDelete, path: path + "/{endpoint_id}", tag: "webhooks",
		status: http.StatusNoContent, summary: "Delete a webhook endpoint",
		about: "Nothing more is sent to it, but for what is being sent at the moment. Its deliveries are removed.",
		roles: admin, codes: []db.Code{db.NotFound, db.StaleVersion},
	}, a.deleteWebhookEndpoint)
}

// WebhookEndpoint is an address to which the events of pickups are sent.
type WebhookEndpoint struct {
	ID      uuid.UUID           `json:"id" format:"uuid" doc:"Id of the endpoint"`
	URL     string              `json:"url" doc:"Where events are sent to, by POST" example:"https://clinic.example/waybill"`
	Events  []db.TransitionName `json:"events" maxItems:"50" doc:"The names of the events that are sent; empty for all, also those to come"`
	Version int64               `json:"version" doc:"Raised by every edit" example:"1"`
	// Only of the answer that makes it.
	Secret             *string    `json:"secret,omitempty" doc:"Signs the requests: whsec_ and base64. Only in the answer to the creation and to a rotation" example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	FormerSecretEndsAt *time.Time `json:"former_secret_ends_at" nullable:"true" doc:"Until when requests are also signed with the secret before the last rotation"`
	CreatedAt          time.Time  `json:"created_at" doc:"When it was created"`
}

// webhookEndpoint returns the row as it is shown, with its secret if it is new.
func webhookEndpoint(r db.WebhookEndpoint, secret *string) WebhookEndpoint {
	w := WebhookEndpoint{ID: r.ID, URL: r.Url, Events: make([]db.TransitionName, len(r.Events)), Version: r.Version,
		Secret: secret, FormerSecretEndsAt: r.FormerSecretEndsAt, CreatedAt: r.CreatedAt}
	for i, e := range r.Events {
		w.Events[i] = db.TransitionName(e)
	}
	return w
}

// newWebhookSecret returns a random secret, in the format of Standard Webhooks.
func newWebhookSecret() *string {
	key := make([]byte, 32)
	rand.Read(key)
	secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
	return &secret
}

// NewWebhookEndpoint is the body of create-webhook-endpoint.
type NewWebhookEndpoint struct {
	ID     *uuid.UUID          `json:"id,omitempty" format:"uuid" doc:"Chosen by the client, so that a retry is safe"`
	URL    string              `json:"url" minLength:"1" maxLength:"2000" doc:"https, without user, password and fragment" example:"https://clinic.example/waybill"`
	Events []db.TransitionName `json:"events,omitempty" maxItems:"50" doc:"The names of the events that are sent; none for all, also those to come"`
}

type createWebhookEndpointInput struct {
	CreateKey
	Body NewWebhookEndpoint
}

func (a *server) createWebhookEndpoint(
	ctx context.Context, v db.Viewer, in *createWebhookEndpointInput,
) (*Created[WebhookEndpoint], error) {
	id, err := in.newID(v, "create-webhook-endpoint", 0, in.Body.ID)
	if err == nil {
		err = a.checkWebhookURL(in.Body.URL)
	}
	if err != nil {
		return nil, err
	}
	secret := newWebhookSecret()
	row, replayed, err := a.store.CreateWebhookEndpoint(ctx, v, db.CreateWebhookEndpointParams{
		ID: id, Url: in.Body.URL, Events: asStrings(in.Body.Events), Secret: secret,
		RequestDigest: digest(v, "create-webhook-endpoint", in.Body),
	})
	if err != nil {
		return nil, err
	}
	if replayed {
		secret = nil
	}
	w := webhookEndpoint(row, secret)
	return createdRow(&w, "/v1/webhook-endpoints/"+row.ID.String(), etag(row.Version), replayed), nil
}

// asStrings returns the values of an enum as the database takes arrays of them.
func asStrings[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return texts
}

// checkWebhookURL returns a problem unless events may be sent to the URL. Whether its host has a public address is
// known only to who connects to it.
func (a *server) checkWebhookURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", u.User != nil,
		strings.Contains(text, "#"), strings.ContainsFunc(text,
			unicode.IsSpace), strings.ContainsFunc(text, unicode.IsControl):
		return problem(db.ValidationFailed, "url",
			"url is not an https URL with a host, without user, password and fragment.")
	case u.Scheme == "http" && !a.plainWebhooks:
		return problem(db.ValidationFailed, "url", "url is plain http: use https.")
	}
	return nil
}

func (a *server) listWebhookEndpoints(
	ctx context.Context, v db.Viewer, in *Keyset,
) (*ListOf[WebhookEndpoint], error) {
	rows, err := a.store.ListWebhookEndpoints(ctx, db.ListWebhookEndpointsParams{
		TenantID: v.TenantID, BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	endpoints := make([]WebhookEndpoint, len(rows))
	for i, r := range rows {
		endpoints[i] = webhookEndpoint(r, nil)
	}
	return pageOf(in.Limit, endpoints, func(w WebhookEndpoint) string { return in.after(w.CreatedAt, w.ID) }), nil
}

// WebhookEndpointPath identifies an endpoint by its id in the path.
type WebhookEndpointPath struct {
	EndpointID uuid.UUID `path:"endpoint_id" format:"uuid" doc:"The webhook endpoint"`
}

type getWebhookEndpointInput struct {
	WebhookEndpointPath
	IfNoneMatch
}

func (a *server) webhookEndpoint(ctx context.Context, v db.Viewer, id uuid.UUID) (db.WebhookEndpoint, error) {
	return a.store.GetWebhookEndpoint(ctx, db.GetWebhookEndpointParams{TenantID: v.TenantID, ID: id})
}

func (a *server) getWebhookEndpoint(
	ctx context.Context, v db.Viewer, in *getWebhookEndpointInput,
) (*Row[WebhookEndpoint], error) {
	row, err := a.webhookEndpoint(ctx, v, in.EndpointID)
	if err != nil {
		return nil, err
	}
	tag, w := etag(row.Version), webhookEndpoint(row, nil)
	return &Row[WebhookEndpoint]{tag, &w}, in.notModifiedIf(tag)
}

// WebhookEndpointEdit holds the members to change; omitted members keep their value.
type WebhookEndpointEdit struct {
	URL          *string             `json:"url,omitempty" minLength:"1" maxLength:"2000" doc:"https, without user, password and fragment" example:"https://clinic.example/waybill"`
	Events       []db.TransitionName `json:"events,omitempty" maxItems:"50" doc:"The names of the events that are sent; an empty array for all, also those to come"`
	RotateSecret bool                `json:"rotate_secret,omitempty" doc:"Makes a new secret, which the answer has"`
}

func (WebhookEndpointEdit) isEdit() {}

type editWebhookEndpointInput struct {
	WebhookEndpointPath
	IfMatch
	Body WebhookEndpointEdit
}

func (a *server) editWebhookEndpoint(
	ctx context.Context, v db.Viewer, in *editWebhookEndpointInput,
) (*Row[WebhookEndpoint], error) {
	if in.Body.URL == nil && in.Body.Events == nil && !in.Body.RotateSecret {
		row, err := a.webhookEndpoint(ctx, v, in.EndpointID)
		w := webhookEndpoint(row, nil)
		return asSeen(in.IfMatch, row.Version, etag(row.Version), &w, err)
	}
	p := db.EditWebhookEndpointParams{ID: in.EndpointID, Version: in.version, Url: in.Body.URL}
	if in.Body.URL != nil {
		if err := a.checkWebhookURL(*in.Body.URL); err != nil {
			return nil, err
		}
	}
	if in.Body.Events != nil {
		p.Events = asStrings(in.Body.Events)
	}
	if in.Body.RotateSecret {
		p.Secret = newWebhookSecret()
	}
	row, err := a.store.EditWebhookEndpoint(ctx, v, p)
	if err != nil {
		return nil, err
	}
	w := webhookEndpoint(row, p.Secret)
	return &Row[WebhookEndpoint]{etag(row.Version), &w}, nil
}

type deleteWebhookEndpointInput struct {
	WebhookEndpointPath
	OptionalIfMatch
}

func (a *server) deleteWebhookEndpoint(
	ctx context.Context, v db.Viewer, in *deleteWebhookEndpointInput,
) (*struct{}, error) {
	return nil, a.store.DeleteWebhookEndpoint(ctx, v,
		db.DeleteWebhookEndpointParams{ID: in.EndpointID, Version: in.version})
}
