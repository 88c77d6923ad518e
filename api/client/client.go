// Package client calls Waybill. It has a method for each operation of the OpenAPI document, by its tag:
//
//	waybill := client.New("https://waybill.example", client.WithToken(token))
//
//	pickup, err := waybill.Pickups.Assign(ctx, pickupID, client.Assignment{DriverID: driverID})
//	switch client.CodeOf(err) {
//	case "": // assigned
//	case client.CodeDriverBusy: // choose another
//	default:
//		return err
//	}
//
// A call is one intent: it makes an Idempotency-Key or an id once, and sends the same request until it is answered,
// so that it takes effect once. It tries again after lost connections, cut answers, and the statuses 408, 425, 429,
// 502, 503 and 504, with growing pauses and jitter, no sooner than Retry-After says, until its context is done or
// 30 seconds have passed (WithPatience).
//
// An error is a *Problem, which is the server's, with a Code; a *Conflict, if an edit was based on a row that has
// changed since; or *NoAnswer, if the outcome is unknown.
//
// DryRun returns a client whose writes are tried, and not made.
//
// Lists and the event stream are iterators. Client.gen.go, with the methods and types, is written by cmd/goclient.
package client

import (
	"net/http"
	"strings"
	"time"
)

// Option changes how a client sends its requests.
type Option func(*transport)

// WithToken adds the token of a login to each request.
func WithToken(token string) Option {
	return WithTokenFunc(func() string { return token })
}

// WithTokenFunc adds a token that may change. Without one ("") a request has none.
func WithTokenFunc(token func() string) Option {
	return func(t *transport) { t.token = token }
}

// WithHTTPClient sends requests with another client than the one by default.
func WithHTTPClient(c *http.Client) Option {
	return func(t *transport) { t.http = c }
}

// WithPatience sets how long a call tries, where its context has no earlier deadline: 30 seconds by default.
func WithPatience(d time.Duration) Option {
	return func(t *transport) { t.limits.patience = d }
}

// WithAttemptTimeout sets how long to wait for the whole of one answer: 12 seconds by default.
func WithAttemptTimeout(d time.Duration) Option {
	return func(t *transport) { t.limits.attempt = d }
}

// WithPauses sets the longest pause before the second attempt, 100 ms by default, which doubles with each one, and
// that before any attempt, 5 seconds by default. Each pause is a random part of its longest.
func WithPauses(first, longest time.Duration) Option {
	return func(t *transport) { t.limits.firstPause, t.limits.longestPause = first, longest }
}

// WithoutRetries has each call send its request once. Whether a call without an answer took effect is unknown.
func WithoutRetries() Option {
	return func(t *transport) { t.limits.once = true }
}

// New makes a client for the server at a URL. It can be used by several goroutines at once.
func New(url string, options ...Option) *Client {
	t := &transport{
		url:    strings.TrimRight(url, "/"),
		http:   defaultHTTPClient,
		token:  func() string { return "" },
		limits: defaultLimits,

		consistency: &consistency{},
	}
	for _, o := range options {
		o(t)
	}
	return newClient(t)
}

// defaultHTTPClient keeps more idle connections to the one server that a client has than net/http does.
var defaultHTTPClient = func() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return &http.Client{Transport: t}
}()
