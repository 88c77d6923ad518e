package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// transport sends the requests of a client. What a client keeps from one answer to the next request belongs here.
type transport struct {
	url    string
	http   *http.Client
	token  func() string
	limits limits
	// dryRun has each write sent as one. It and consistency are shared with the client that it was made from.
	dryRun bool
	*consistency
}

// roundTrip sends one request, the stream's too. Its errors are net/http's.
func (t *transport) roundTrip(ctx context.Context, method, path string, header http.Header, body []byte,
) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, t.url+path, content)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token := t.token(); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return t.do(t.http, r)
}
