// Package webhooks sends signed requests to the endpoints of tenants. Their addresses are whatever a tenant says: no
// request reaches a machine of the operator's own networks.
package webhooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"waybill/cmd/waybill/texts"
)

const (
	// answerLimit bounds how much of an answer is read, which nobody looks at.
	answerLimit = 16 << 10
	// Kept-alive connections, in all and to each host.
	idleConnections, idlePerHost = 256, 16

	dialTimeout = 5 * time.Second
)

// Timeout bounds a request, including the reading of its answer.
const Timeout = 10 * time.Second

// Options configure a sender.
type Options struct {
	// AllowPrivate allows plain http and addresses that are not public.
	AllowPrivate bool
	Timeout      time.Duration  // 0 means Timeout
	RootCAs      *x509.CertPool // nil for the system's
	Resolver     *net.Resolver  // nil for the system's
}

// Sender sends requests.
type Sender struct {
	allowPrivate bool
	limit        time.Duration
	client       *http.Client
}

// NewSender returns a sender. It follows no redirect and uses no proxy: either would connect to another address than
// the one that was checked.
func NewSender(o Options) *Sender {
	s := &Sender{allowPrivate: o.AllowPrivate, limit: o.Timeout}
	if s.limit == 0 {
		s.limit = Timeout
	}
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: o.Resolver}
	if !o.AllowPrivate {
		dialer.Control = refusePrivate
	}
	s.client = &http.Client{
		Transport: &http.Transport{
			DialContext:     dialer.DialContext,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
			MaxIdleConns:    idleConnections, MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: 30 * time.Second,
			TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: answerLimit, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

// Request is a request to an endpoint.
type Request struct {
	ID      string // the same for every try
	URL     string
	Secrets []string // that sign it
	Body    []byte
	At      time.Time // now, by the database's clock
}

// Answer is what became of a request.
type Answer struct {
	Accepted bool   // by a 2xx
	Status   int    // of the receiver; 0 if it did not answer
	Reason   string // a short code that is safe to store and to log; empty if accepted
	Took     time.Duration
	// RetryAfter is the delay that the receiver asks for, or 0.
	RetryAfter time.Duration
}

// Send sends a request. It always answers in bounded time.
func (s *Sender) Send(ctx context.Context, r Request) Answer {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	a := s.send(ctx, r)
	a.Took = time.Since(begun)
	return a
}

func (s *Sender) send(ctx context.Context, r Request) Answer {
	request, err := s.request(ctx, r)
	if err != nil {
		return Answer{Reason: err.Error()}
	}
	response, err := s.client.Do(request)
	if err != nil {
		return Answer{Reason: unanswered(ctx, err)}
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, answerLimit) // so that the connection can be used again
	a := Answer{Status: response.StatusCode, Accepted: response.StatusCode >= 200 && response.StatusCode < 300}
	if !a.Accepted {
		a.Reason = fmt.Sprintf("status_%d", response.StatusCode)
		a.RetryAfter = texts.RetryAfter(response.Header.Get("Retry-After"), r.At)
	}
	return a
}

// The reasons for which no request is sent.
var (
	errInvalidURL = errors.New("invalid_url")
	errPlainHTTP  = errors.New("plain_http")
	errNoSecret   = errors.New("no_secret")
)

func (s *Sender) request(ctx context.Context, r Request) (*http.Request, error) {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", u.User != nil:
		return nil, errInvalidURL
	case u.Scheme == "http" && !s.allowPrivate:
		return nil, errPlainHTTP
	}
	var keys [][]byte
	for _, secret := range r.Secrets {
		key, err := texts.ParseSecret(secret)
		if err != nil {
			return nil, errNoSecret
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errNoSecret
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, errInvalidURL
	}
	timestamp := strconv.FormatInt(r.At.Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "waybill")
	request.Header.Set("Webhook-Id", r.ID)
	request.Header.Set("Webhook-Timestamp", timestamp)
	request.Header.Set("Webhook-Signature", texts.Sign(keys, r.ID, timestamp, r.Body))
	return request, nil
}

// unanswered returns the reason for a missing answer. The error itself contains the URL.
func unanswered(ctx context.Context, err error) string {
	var unverified *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.Is(err, errPrivate):
		return "address_refused"
	case errors.As(err, &unverified), errors.As(err, &noTLS), errors.As(err, &alert):
		return "tls"
	case ctx.Err() != nil:
		return "timeout"
	}
	return "unreachable"
}
