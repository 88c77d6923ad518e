// Package fakegateway is a gateway for tests: it validates requests, counts the effects per message id,
// and simulates the failures of real gateways.
package fakegateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/api/client/webhooks"
)

// Secret is the secret that signs the requests.
var Secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of twenty-four b"))

var verifier = func() *webhooks.Verifier {
	v, err := webhooks.New(Secret)
	if err != nil {
		panic(err)
	}
	return v
}()

// Fault is a simulated failure.
type Fault string

// Accept is no fault. Faults whose name begins with Lost accept the text, but the sender does not learn
// of it.
const (
	Accept        Fault = "202"
	Refuse        Fault = "422" // permanently, with a code
	Busy          Fault = "429"
	BusyFor       Fault = "429 with Retry-After: 7"
	Unauthorized  Fault = "401" // a wrong secret
	Nowhere       Fault = "404" // a wrong path
	Broken        Fault = "503"
	HTML          Fault = "a page in place of JSON"
	HTMLAccepting Fault = "a page with status 202"
	Garbage       Fault = "bytes in place of HTTP"
	GarbageJSON   Fault = "half of a JSON text"
	Close         Fault = "the connection closes"
	Hang          Fault = "no answer"
	Drip          Fault = "an answer byte by byte"
	Flood         Fault = "an answer without end"
	Redirect      Fault = "a redirect"
	LostClose     Fault = "accepted, and the connection closes"
	LostHang      Fault = "accepted, and no answer"
	LostBroken    Fault = "accepted, and a 503"
)

// Faults are all faults after which a text is retried: all but Accept and Refuse.
var Faults = []Fault{
	Busy, BusyFor, Unauthorized, Nowhere, Broken, HTML, HTMLAccepting, Garbage,
	GarbageJSON, Close, Hang, Drip, Flood, Redirect,
	LostClose, LostHang, LostBroken,
}

// Text is an accepted text.
type Text struct {
	ID, To, Body string
}

// Gateway is a running gateway.
type Gateway struct {
	*httptest.Server

	mu       sync.Mutex
	behave   func(id string, try int) Fault
	tries    map[string]int
	taken    map[string]Text
	repeats  int
	wrong    []string
	leaving  chan struct{}
	inFlight int
	most     int
	ahead    time.Duration
}

// Start starts a gateway that accepts every text. An invalid request fails the test.
func Start(t testing.TB) *Gateway {
	g := &Gateway{
		behave: func(string, int) Fault { return Accept },
		tries:  map[string]int{}, taken: map[string]Text{}, leaving: make(chan struct{}),
	}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(func() {
		close(g.leaving)
		g.CloseClientConnections()
		g.Close()
		for _, w := range g.wrong {
			t.Error("the gateway got: ", w)
		}
	})
	return g
}

// Behave sets the answer to the n-th try, from 1, of each message.
func (g *Gateway) Behave(how func(id string, try int) Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.behave = how
}

// ClockIsAhead gives the gateway another time than this process has.
func (g *Gateway) ClockIsAhead(by time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ahead = by
}

func (g *Gateway) now() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Add(g.ahead)
}

// Always gives the same answer to all requests.
func (g *Gateway) Always(f Fault) { g.Behave(func(string, int) Fault { return f }) }

// Taken returns the accepted texts by id.
func (g *Gateway) Taken() map[string]Text {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make(map[string]Text, len(g.taken))
	for id, t := range g.taken {
		out[id] = t
	}
	return out
}

// Repeats counts the requests for texts that had already been accepted.
func (g *Gateway) Repeats() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.repeats
}

// Requests counts all requests.
func (g *Gateway) Requests() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, tries := range g.tries {
		n += tries
	}
	return n
}

// MostAtOnce returns the largest number of concurrent requests.
func (g *Gateway) MostAtOnce() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	text, wrong := g.read(r)
	fault := g.count(text, wrong)
	defer func() {
		g.mu.Lock()
		g.inFlight--
		g.mu.Unlock()
	}()
	if wrong != "" {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	g.answer(w, r, fault)
}

// count records a text that is accepted, also if the answer is lost.
func (g *Gateway) count(text Text, wrong string) Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight++
	g.most = max(g.most, g.inFlight)
	if wrong != "" {
		g.wrong = append(g.wrong, wrong)
		return Refuse
	}
	g.tries[text.ID]++
	fault := g.behave(text.ID, g.tries[text.ID])
	if fault != Accept && fault != LostClose && fault != LostHang && fault != LostBroken {
		return fault
	}
	before, known := g.taken[text.ID]
	switch {
	case !known:
		g.taken[text.ID] = text
	case before != text:
		g.wrong = append(g.wrong, "another text with the id "+text.ID)
	default:
		g.repeats++
	}
	return fault
}

// read validates a request like a gateway should.
func (g *Gateway) read(r *http.Request) (text Text, wrong string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return Text{}, "" // the sender disconnected
	}
	var request struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      struct{ ID, To, Body string }
	}
	switch id := r.Header.Get("webhook-id"); {
	case r.Method != http.MethodPost || r.ContentLength != int64(len(body)):
		wrong = fmt.Sprintf("%s with Content-Length %d", r.Method, r.ContentLength)
	case verifier.Verify(r.Header, body, g.now()) != nil:
		wrong = "a wrong signature"
	case json.Unmarshal(body, &request) != nil || request.Type != "message.send" || request.Timestamp.IsZero():
		wrong = "not a message: " + string(body)
	case request.Data.ID != id || !strings.HasPrefix(request.Data.To, "+") || request.Data.Body == "":
		wrong = "half a message: " + string(body)
	}
	return Text(request.Data), wrong
}

func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, f Fault) {
	switch f {
	case Accept:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, `{"status":"accepted"}`)
	case Refuse:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		io.WriteString(w, `{"code":"invalid_number","message":"+1415 does not exist"}`)
	case Busy:
		w.WriteHeader(http.StatusTooManyRequests)
	case BusyFor:
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	case Unauthorized:
		w.WriteHeader(http.StatusUnauthorized)
	case Nowhere:
		w.WriteHeader(http.StatusNotFound)
	case Broken, LostBroken:
		w.WriteHeader(http.StatusServiceUnavailable)
	case HTML:
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html><body>Welcome</body></html>")
	case HTMLAccepting:
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "<!doctype html><p>Welcome")
	case GarbageJSON:
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"status":"acc`)
	case Redirect:
		http.Redirect(w, r, g.URL+"/elsewhere", http.StatusTemporaryRedirect)
	case Hang, LostHang:
		g.hang(r)
	case Drip:
		g.drip(w, r)
	case Flood:
		for chunk := make([]byte, 1<<10); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	case Garbage, Close, LostClose:
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		if f == Garbage {
			conn.Write([]byte("\x00\x01\x02 SSH-2.0-not-http\r\n\r\n"))
		}
		if tcp, ok := conn.(*net.TCPConn); ok && f != Garbage {
			tcp.SetLinger(0)
		}
		conn.Close()
	}
}

func (g *Gateway) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-g.leaving:
	}
}

// drip sends its header at once, and the body one byte at a time without end.
func (g *Gateway) drip(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	for {
		io.WriteString(w, " ")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-g.leaving:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
