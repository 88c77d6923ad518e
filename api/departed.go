package api

import (
	"context"
	"net"
	"net/http"
	"time"
)

// statusClientGone is what metrics and the log call a request whose client went away before
// its answer, as nginx does (client closed request). Nobody is sent it.
const statusClientGone = 499

// goneLook is how often a connection is looked at whose client sends no more: one that closed
// it is found by then, and most requests are answered before.
const goneLook = 100 * time.Millisecond

type connKey struct{}

// ConnContext is an http.Server's: with it, a client that only says that it sends no more
// (a half-closed connection) gets its answer.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// follow gives the request a context of its own, with a time limit unless it is 0, which ends
// when the client goes away. Package http's ends when the client sends no more, which is what
// both a client that closed its connection and one that waits for its answer do.
func (r *request) follow(limit time.Duration) (end func()) {
	client := r.Context
	followed, cancel := context.WithoutCancel(client), context.CancelFunc(nil)
	if limit > 0 {
		followed, cancel = context.WithTimeout(followed, limit)
	} else {
		followed, cancel = context.WithCancel(followed)
	}
	r.Context = followed
	stop := context.AfterFunc(client, func() {
		if r.awaitDeparture(client, followed) {
			cancel()
		}
	})
	return func() {
		if !stop() {
			r.answering.Lock() // what is looked at is package http's from here on
			r.ended = true
			r.answering.Unlock()
		}
		cancel()
	}
}

// awaitDeparture tells whether the client went away, once that is known, or the request has
// ended.
func (r *request) awaitDeparture(client, followed context.Context) bool {
	conn, _ := client.Value(connKey{}).(net.Conn)
	var probed bool
	for look := range 1 << 30 {
		if gone, known := r.isGone(conn, look > 0 && !probed, &probed); known {
			return gone
		}
		select {
		case <-followed.Done():
			return false
		case <-time.After(goneLook):
		}
	}
	return false
}

// probe is an interim answer, of which there may be any number before the one: a client skips
// it. One that has closed its connection answers it with a reset, and nothing less tells.
var probe = []byte("HTTP/1.1 102 Processing\r\n\r\n")

// isGone looks at the connection while nothing is being written to it, and may send a probe.
func (r *request) isGone(conn net.Conn, mayProbe bool, probed *bool) (gone, known bool) {
	r.answering.Lock()
	defer r.answering.Unlock()
	switch {
	case r.ended:
		return false, true
	case conn == nil || isReset(conn) || r.begun: // a stream: nobody half-closes one
		r.gone.Store(true)
		return true, true
	case mayProbe && r.http.ProtoAtLeast(1, 1):
		_, err := conn.Write(probe)
		*probed = true
		if err != nil {
			r.gone.Store(true)
			return true, true
		}
	}
	return false, false
}

// begin marks that the answer is being written.
func (r *request) begin() {
	r.answering.Lock()
	r.begun = true
	r.answering.Unlock()
}

// outcome is what metrics and the log are told. What a departed client would have been told is
// that its request was given up, or that it has waited in vain. A fault of the server stays one.
func (r *request) outcome(status int) (int, string) {
	if (status == http.StatusGatewayTimeout || status == http.StatusServiceUnavailable) && r.gone.Load() {
		return statusClientGone, ""
	}
	return status, r.code
}
