package api

import (
	"context"
	"net"
	"net/http"
	"time"
)

// statusClientGone is the status in metrics and the log of a request whose client disconnected before the
// answer: nginx's 499, client closed request. It is never sent.
const statusClientGone = 499

// probeInterval is the interval at which a half-closed connection is probed: by then a closed connection is
// detected, and most requests are answered before the first probe.
const probeInterval = 100 * time.Millisecond

type connKey struct{}

// ConnContext is for http.Server.ConnContext: with it, a client that half-closes its connection gets its
// answer.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// follow gives the request a context that is canceled when the client disconnects, with a time limit unless
// it is 0. The context of package http is canceled at the end of the client's input, which does not
// distinguish a closed connection from a half-closed one whose client waits for the answer.
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
		if r.awaitDisconnect(client, followed) {
			cancel()
		}
	})
	return func() {
		if !stop() {
			r.answering.Lock() // from here on, package http owns the connection
			r.ended = true
			r.answering.Unlock()
		}
		cancel()
	}
}

// awaitDisconnect waits until the client has disconnected or the request has ended, and reports which.
func (r *request) awaitDisconnect(client, followed context.Context) bool {
	conn, _ := client.Value(connKey{}).(net.Conn)
	var probed bool
	for look := range 1 << 30 {
		if gone, known := r.isGone(conn, look > 0 && !probed, &probed); known {
			return gone
		}
		select {
		case <-followed.Done():
			return false
		case <-time.After(probeInterval):
		}
	}
	return false
}

// probe is an interim response, which clients skip. A closed connection answers it with a reset: there is no
// other way to detect it.
var probe = []byte("HTTP/1.1 102 Processing\r\n\r\n")

// isGone checks the connection while nothing is being written to it, and may send a probe.
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

// outcome returns the status and code for metrics and the log. If the client has disconnected, 503 and 504
// become statusClientGone, and so does what did not reach it; a 500 stays one.
func (r *request) outcome(rec *recorder) (int, string) {
	isWait := rec.status == http.StatusGatewayTimeout || rec.status == http.StatusServiceUnavailable
	if isWait && r.gone.Load() || rec.broken && rec.status != http.StatusInternalServerError {
		return statusClientGone, ""
	}
	return rec.status, r.code
}
