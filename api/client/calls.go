package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

const (
	keyHeader   = "Idempotency-Key"
	matchHeader = "If-Match"
)

// request is one of an operation. Its body and query become JSON and parameters.
type request struct {
	method, path string
	query, body  any
	header       http.Header
	lacksDryRun  bool // a write that cannot be tried
	isRead       bool // whatever the method
	hasOwnKey    bool // that the caller has made
}

// CreateOption is an option of an operation that creates.
type CreateOption interface{ applyToCreate(*request) }

// TransitionOption is an option of a transition of a pickup.
type TransitionOption interface{ applyToTransition(*request) }

// IdempotencyKey is a key of the caller's, by which an intent outlives the process; by default each call is one.
type IdempotencyKey string

func (k IdempotencyKey) applyToCreate(r *request) {
	r.set(keyHeader, string(k))
	r.hasOwnKey = true
}

func (k IdempotencyKey) applyToTransition(r *request) { k.applyToCreate(r) }

// IfMatch is the ETag of a pickup as it was read: one that has changed since makes no transition.
type IfMatch string

func (m IfMatch) applyToTransition(r *request) { r.set(matchHeader, string(m)) }

func (r *request) set(name, value string) {
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(name, value)
}

// create adds a key, unless the body has an id, by which a repetition is known too.
func (r request) create(hasID bool, options []CreateOption) request {
	if !hasID {
		r.set(keyHeader, uuid.NewString())
	}
	for _, o := range options {
		o.applyToCreate(&r)
	}
	return r
}

func (r request) transition(options []TransitionOption) request {
	r.set(keyHeader, uuid.NewString())
	for _, o := range options {
		o.applyToTransition(&r)
	}
	return r
}

// idOr returns an id, or a new one for the zero value.
func idOr(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return uuid.New()
	}
	return id
}

// path puts arguments in the place of a path's parameters, in their order.
func path(template string, arguments ...any) string {
	parts := strings.Split(template, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = url.PathEscape(fmt.Sprint(arguments[0]))
			arguments = arguments[1:]
		}
	}
	return strings.Join(parts, "/")
}

// parameters returns a query, whose members are named like its parameters.
func parameters(query any) (url.Values, error) {
	text, err := json.Marshal(query)
	if err != nil {
		return nil, err
	}
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil {
		return nil, err
	}
	values := url.Values{}
	for name, value := range members {
		several, isList := value.([]any)
		if !isList {
			several = []any{value}
		}
		for _, one := range several {
			values.Add(name, fmt.Sprint(one))
		}
	}
	return values, nil
}

// outgoing returns a request as each attempt sends it.
func (t *transport) outgoing(r request) (outgoing, error) {
	isRead := r.isRead || r.method == http.MethodGet
	m := outgoing{method: r.method, path: r.path, header: r.header, dryRun: t.dryRun && !isRead}
	if m.dryRun && r.lacksDryRun {
		return m, errNoDryRun
	}
	values, err := parameters(r.query)
	if err != nil {
		return m, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	if m.dryRun {
		values.Set("dry_run", "true")
	}
	if len(values) > 0 {
		m.path += "?" + values.Encode()
	}
	if r.body == nil {
		return m, nil
	}
	if m.body, err = json.Marshal(r.body); err != nil {
		return m, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	return m, nil
}

// call sends a request until it is answered, and returns the value of the answer.
func call[T any](ctx context.Context, t *transport, r request) (*T, error) {
	m, err := t.outgoing(r)
	if err != nil {
		return nil, err
	}
	var value *T
	a, err := t.send(ctx, m, func(body []byte) error {
		value = new(T)
		return json.Unmarshal(body, value)
	})
	if err != nil {
		return nil, err
	}
	if err := m.confirm(a); err != nil {
		return nil, err
	}
	if row, ok := any(value).(interface{ meta() *Meta }); ok {
		*row.meta() = metaOf(m, a.header)
	}
	return value, nil
}

// send sends a request whose answer has no value.
func send(ctx context.Context, t *transport, r request) error {
	m, err := t.outgoing(r)
	if err != nil {
		return err
	}
	a, err := t.send(ctx, m, func([]byte) error { return nil })
	switch {
	case err != nil:
		return err
	case a.isUncertain && !m.dryRun && isGone(r, a.status):
		return nil
	}
	return m.confirm(a)
}

// isGone reports whether a removal that may have been carried out was: the row is not there, or the session has
// ended.
func isGone(r request, status int) bool {
	return r.method == http.MethodDelete &&
		(status == http.StatusNotFound || status == http.StatusUnauthorized && r.path == "/v1/session")
}
