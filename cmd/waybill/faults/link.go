package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/rs/zerolog"
)

// link is a network between the server and its database, which can be slow, slice what it passes on, stop, and
// break connections.
type link struct {
	proxy *toxiproxy.Proxy
}

// newLink returns a link to a port of this machine.
func newLink(port string) (*link, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &link{toxiproxy.NewProxy(server, "database", "127.0.0.1:0", net.JoinHostPort("127.0.0.1", port))}
	return l, l.proxy.Start()
}

func (l *link) address() string { return l.proxy.Listen }

// slowed delays what either side sends during a call.
func (l *link) slowed(ctx context.Context, by time.Duration, during func()) error {
	return l.with(ctx, toxic{Type: "latency", Toxicity: 1, Attributes: map[string]any{
		"latency": by.Milliseconds(),
	}}, during)
}

// frozen passes nothing on during a call, and loses nothing.
func (l *link) frozen(ctx context.Context, during func()) error {
	return l.slowed(ctx, time.Hour, during) // once the delay is gone, what it held back goes on at once
}

// sliced passes on about so many bytes at a time during a call.
func (l *link) sliced(ctx context.Context, bytes int, during func()) error {
	return l.with(ctx, toxic{Type: "slicer", Toxicity: 1, Attributes: map[string]any{
		"average_size": bytes, "size_variation": bytes / 2,
	}}, during)
}

// resetting has connections that begin during a call end with a reset.
func (l *link) resetting(ctx context.Context, during func()) error {
	// It would break them by itself, after their first message: at a toxicity of 0 it sets how they are closed.
	return l.with(ctx, toxic{Type: "reset_peer", Toxicity: 0}, during)
}

// cut closes all connections.
func (l *link) cut() error {
	l.proxy.Stop()
	return l.proxy.Start()
}

func (l *link) close() error {
	l.proxy.Stop()
	return nil
}

// toxic is what toxiproxy does to one direction of each connection.
type toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float32        `json:"toxicity"` // the part of the connections that have it
	Attributes map[string]any `json:"attributes"`
}

// with has a toxic in both directions during a call.
func (l *link) with(ctx context.Context, t toxic, during func()) (err error) {
	for _, direction := range []stream.Direction{stream.Upstream, stream.Downstream} {
		t.Stream = direction.String()
		t.Name = t.Type + " " + t.Stream
		if err := l.add(t); err != nil {
			return err
		}
		defer func(name string) { err = errors.Join(err, l.proxy.Toxics.RemoveToxic(ctx, name)) }(t.Name)
	}
	during()
	return nil
}

func (l *link) add(t toxic) error {
	body, err := json.Marshal(t)
	if err == nil {
		_, err = l.proxy.Toxics.AddToxicJson(bytes.NewReader(body))
	}
	return err
}
