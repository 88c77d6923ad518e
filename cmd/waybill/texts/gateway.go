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
)

const (
	// answerLimit is how much of an answer is read.
	answerLimit = 16 << 10
	// connections to the gateway that are kept between requests.
	idleConnections = 64
)

// Gateway is an HTTP endpoint that takes texts.
type Gateway struct {
	url    string
	keys   [][]byte
	limit  time.Duration
	client *http.Client
	now    func() time.Time
}

// GatewayOptions say where a gateway is and how to speak to it.
type GatewayOptions struct {
	URL string // http or https
	// Secret is what both sides know: "whsec_" and base64. There may be several, with
	// spaces or commas between them: each request is signed with all of them, so that the
	// gateway can go from one to the next at any time.
	Secret string
	// Timeout is how long a request may take, its whole answer included.
	Timeout time.Duration
	// AllowHTTP lets texts go unencrypted to another machine.
	AllowHTTP bool
}

// NewGateway makes a gateway. It returns an error, of one sentence and without the secret,
// if the URL or the secret is not one.
func NewGateway(o GatewayOptions) (*Gateway, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" ||
		strings.ContainsFunc(o.URL, unicode.IsSpace) {
		return nil, errors.New("the gateway's URL (WAYBILL_GATEWAY_URL) is not one of http or https, as in " +
			"https://gateway.example/texts")
	}
	if u.Scheme == "http" && !o.AllowHTTP && !isLoopback(u.Hostname()) {
		return nil, errors.New("the gateway's URL (WAYBILL_GATEWAY_URL) is plain http to another machine, where " +
			"texts and phone numbers would go unencrypted: " +
			"give https, or set --gateway-allow-http (WAYBILL_GATEWAY_ALLOW_HTTP)")
	}
	keys, err := parseSecrets(o.Secret)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = idleConnections, idleConnections
	transport.MaxResponseHeaderBytes = answerLimit
	transport.DisableCompression = true // an answer is as large as it looks
	return &Gateway{
		url: o.URL, keys: keys, limit: o.Timeout, now: time.Now,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// isLoopback tells whether what is sent to the host stays on this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// request is the body that the gateway gets.
type request struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Body string `json:"body"`
}

// Send implements Sender.
func (g *Gateway) Send(ctx context.Context, t Text) Answer {
	ctx, cancel := context.WithTimeout(ctx, g.limit)
	defer cancel()
	body, err := json.Marshal(request{"message.send", t.CreatedAt.UTC(), data{t.ID.String(), t.To, t.Body}})
	if err != nil {
		return again("unsendable")
	}
	// A bytes.Reader: the request has a Content-Length.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return again("unsendable")
	}
	id, timestamp := t.ID.String(), strconv.FormatInt(g.now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "waybill")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", timestamp)
	r.Header.Set("Webhook-Signature", sign(g.keys, id, timestamp, body))
	response, err := g.client.Do(r)
	if err != nil {
		return again(unanswered(ctx))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	if err != nil {
		return again(unanswered(ctx))
	}
	return judge(response, text, g.now())
}

// unanswered says why there is no answer. The error itself holds the URL, which may
// hold a password.
func unanswered(ctx context.Context) string {
	if ctx.Err() != nil {
		return "timeout"
	}
	return "unreachable"
}

// again is the answer that there is none, or none that counts.
func again(reason string) Answer { return Answer{Verdict: Again, Reason: reason} }

// final are the statuses that speak of the text itself, which would be refused again. All
// others speak of the sender, of the gateway or of something between the two, and pass: a
// wrong secret (401, 403), a wrong path (404, 405), a proxy's limits (413, 414, 431).
var final = map[int]bool{
	http.StatusBadRequest:          true,
	http.StatusGone:                true,
	http.StatusUnprocessableEntity: true,
}

// judge reads an answer. What does not look like a gateway's, whatever its status, is
// somebody else's: a proxy that is up before what is behind it.
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
	return Answer{Verdict: Again, Reason: reason, RetryAfter: retryAfter(response.Header.Get("Retry-After"), now)}
}

// longestRetryAfter bounds what a gateway can ask: one that says "tomorrow" by mistake is
// tried again within the hour.
const longestRetryAfter = time.Hour

// retryAfter reads the header of that name, in seconds or as a date; 0 for none, for one
// that cannot be read and for a date that has passed.
func retryAfter(header string, now time.Time) time.Duration {
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
