package texts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
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
	secret []byte
	limit  time.Duration
	client *http.Client
	now    func() time.Time
}

// NewGateway makes one of a URL and the secret that both sides know ("whsec_" and
// base64). A request may take as long as limit, its whole answer included.
func NewGateway(endpoint, secret string, limit time.Duration) (*Gateway, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the gateway's URL (WAYBILL_GATEWAY_URL) is none of http or https")
	}
	key, err := parseSecret(secret)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = idleConnections, idleConnections
	transport.MaxResponseHeaderBytes = answerLimit
	transport.DisableCompression = true // an answer is as large as it looks
	return &Gateway{
		url: endpoint, secret: key, limit: limit, now: time.Now,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
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
		return Answer{Again, "unsendable"}
	}
	// A bytes.Reader: the request has a Content-Length.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return Answer{Again, "unsendable"}
	}
	id, timestamp := t.ID.String(), strconv.FormatInt(g.now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "waybill")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", timestamp)
	r.Header.Set("Webhook-Signature", sign(g.secret, id, timestamp, body))
	response, err := g.client.Do(r)
	if err != nil {
		return Answer{Again, unanswered(ctx)}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	if err != nil {
		return Answer{Again, unanswered(ctx)}
	}
	return judge(response, text)
}

// unanswered says why there is no answer. The error itself holds the URL, which may
// hold a password.
func unanswered(ctx context.Context) string {
	if ctx.Err() != nil {
		return "timeout"
	}
	return "unreachable"
}

// judge reads an answer. What does not look like a gateway's, whatever its status, is
// somebody else's: a proxy that is up before what is behind it.
func judge(response *http.Response, body []byte) Answer {
	status := response.StatusCode
	switch {
	case len(body) > answerLimit:
		return Answer{Again, "answer_too_large"}
	case isHTML(response.Header.Get("Content-Type"), body):
		return Answer{Again, "html"}
	case status >= 200 && status < 300 && isGarbage(body):
		return Answer{Again, "garbage"}
	case status >= 200 && status < 300:
		return Answer{Accepted, ""}
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return Answer{Again, fmt.Sprintf("status_%d", status)}
	case status >= 400 && status < 500:
		return Answer{Refused, refusal(status, body)}
	}
	return Answer{Again, fmt.Sprintf("status_%d", status)}
}
