package texts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"waybill/api/webhook"
)

const (
	// answerLimit bounds how much of an answer is read.
	answerLimit = 16 << 10
	// kept-alive connections to the gateway.
	idleConnections = 64
)

// Gateway sends texts to an HTTP endpoint.
type Gateway struct {
	url    string
	keys   [][]byte
	limit  time.Duration
	client *http.Client
	now    func() time.Time
}

// GatewayOptions configure a gateway.
type GatewayOptions struct {
	URL string // http or https
	// Secret is the shared secret: "whsec_" and base64. Several secrets, separated by spaces or commas,
	// all sign each request, so that the gateway can rotate from one to the next at any time.
	Secret string
	// Timeout bounds a request, including the reading of its answer.
	Timeout time.Duration
	// AllowHTTP allows unencrypted requests to another machine.
	AllowHTTP bool
}

// NewGateway returns a gateway. It returns an error of one sentence, without the secret, if the URL or
// the secret is invalid.
func NewGateway(o GatewayOptions) (*Gateway, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" ||
		strings.ContainsFunc(o.URL, unicode.IsSpace) {
		return nil, errors.New("the gateway's URL (WAYBILL_GATEWAY_URL) must be an http or https URL, such as " +
			"https://gateway.example/texts")
	}
	if u.Scheme == "http" && !o.AllowHTTP && !isLoopback(u.Hostname()) {
		return nil, errors.New("the gateway's URL (WAYBILL_GATEWAY_URL) is plain http to another machine, so that " +
			"texts and phone numbers would go unencrypted: " +
			"use https, or set --gateway-allow-http (WAYBILL_GATEWAY_ALLOW_HTTP)")
	}
	keys, err := parseSecrets(o.Secret)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = idleConnections, idleConnections
	transport.MaxResponseHeaderBytes = answerLimit
	transport.DisableCompression = true // answerLimit counts uncompressed bytes
	return &Gateway{
		url: o.URL, keys: keys, limit: o.Timeout, now: time.Now,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// Send implements Sender.
func (g *Gateway) Send(ctx context.Context, t Text) Answer {
	ctx, cancel := context.WithTimeout(ctx, g.limit)
	defer cancel()
	now := g.now
	if begun := time.Now(); !t.At.IsZero() {
		now = func() time.Time { return t.At.Add(time.Since(begun)) }
	}
	body, err := json.Marshal(webhook.TextRequest{Type: webhook.SendText, Timestamp: t.CreatedAt.UTC(),
		Data: webhook.TextData{ID: t.ID.String(), To: t.To, Body: t.Body}})
	if err != nil {
		return retryLater("unsendable")
	}
	// A bytes.Reader gives the request a Content-Length.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return retryLater("unsendable")
	}
	id, timestamp := t.ID.String(), strconv.FormatInt(now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "waybill")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", timestamp)
	r.Header.Set("Webhook-Signature", Sign(g.keys, id, timestamp, body))
	response, err := g.client.Do(r)
	if err != nil {
		return retryLater(unanswered(ctx))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	if err != nil {
		return retryLater(unanswered(ctx))
	}
	return judge(response, text, now())
}

// unanswered returns the reason for a missing answer. The error itself contains the URL, which may hold
// a password.
func unanswered(ctx context.Context) string {
	if ctx.Err() != nil {
		return "timeout"
	}
	return "unreachable"
}

// retryLater returns a retryable answer.
func retryLater(reason string) Answer { return Answer{Verdict: Retry, Reason: reason} }

// final are the statuses that concern the text itself, which would be refused again. All others concern
// the sender, the gateway or a proxy and are temporary: a wrong secret (401, 403), a wrong path (404,
// 405), a proxy's limits (413, 414, 431).
var final = map[int]bool{
	http.StatusBadRequest:          true,
	http.StatusGone:                true,
	http.StatusUnprocessableEntity: true,
}

// judge interprets a response. One that does not look like a gateway's, whatever its status, comes from
// something else, like a proxy whose backend is down.
func judge(response *http.Response, body []byte, now time.Time) Answer {
	status := response.StatusCode
	reason := fmt.Sprintf("status_%d", status)
	switch accepted := status >= 200 && status < 300; {
	case len(body) > answerLimit:
		reason = "answer_too_large"
	case isHTML(response.Header.Get("Content-Type"), body):
		reason = "html"
	case accepted && isGarbage(body):
		reason = "garbage"
	case accepted:
		return Answer{Verdict: Accepted}
	case final[status]:
		return Answer{Verdict: Refused, Reason: refusal(status, body)}
	}
	return Answer{Verdict: Retry, Reason: reason, RetryAfter: RetryAfter(response.Header.Get("Retry-After"), now)}
}

// longestRetryAfter caps Retry-After: a gateway that mistakenly says "tomorrow" is tried again within
// the hour.
const longestRetryAfter = time.Hour

// RetryAfter parses the Retry-After header, in seconds or as a date; it returns 0 if the header is
// missing, invalid or in the past.
func RetryAfter(header string, now time.Time) time.Duration {
	if at, err := http.ParseTime(header); err == nil {
		return min(max(0, at.Sub(now)), longestRetryAfter)
	}
	seconds, err := strconv.ParseUint(header, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return longestRetryAfter
	}
	if err != nil {
		return 0
	}
	return time.Duration(min(seconds, uint64(longestRetryAfter/time.Second))) * time.Second
}
