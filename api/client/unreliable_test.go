package client_test

import (
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// dice are random numbers with a seed, by which a failure can be repeated: SEED=… go test.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(t *testing.T) *dice {
	t.Helper()
	seed := rand.Uint64()
	if given, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("SEED=%d", seed)
	return &dice{r: rand.New(rand.NewPCG(seed, 0))}
}

func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// fault is what a proxy does to a request.
type fault string

const (
	loseRequest  fault = "lose the request"
	loseAnswer   fault = "lose the answer"
	delay        fault = "delay"
	deliverLate  fault = "deliver after the client has left" // by then, the client may have sent it again
	deliverTwice fault = "deliver twice at once"
	cutAnswer    fault = "cut the answer"
)

var faults = []fault{loseRequest, loseAnswer, delay, deliverLate, deliverTwice, cutAnswer}

// unreliable is a proxy of HTTP that does one of the faults to a share of all requests, and counts them.
type unreliable struct {
	target  string
	percent int
	dice    *dice
	mu      sync.Mutex
	count   map[fault]int
	late    sync.WaitGroup // requests whose answers nobody waits for
	// overtaken counts those that were delivered late, and after another of their kind, so that they took no effect.
	overtaken atomic.Int64
}

// startUnreliable returns a proxy in front of the server at a URL, and its own URL.
func startUnreliable(t *testing.T, target string, percent int) (*unreliable, string) {
	t.Helper()
	u := &unreliable{target: target, percent: percent, dice: newDice(t), count: map[fault]int{}}
	s := httptest.NewServer(u)
	t.Cleanup(u.late.Wait)
	t.Cleanup(s.Close)
	return u, s.URL
}

func (u *unreliable) faults() map[fault]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.count)
}

func (u *unreliable) next() fault {
	if u.dice.below(100) >= u.percent {
		return ""
	}
	f := faults[u.dice.below(len(faults))]
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count[f]++
	return f
}

func (u *unreliable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := u.next()
	body, err := io.ReadAll(r.Body)
	if err != nil || f == loseRequest {
		panic(http.ErrAbortHandler)
	}
	send := u.sender(r, body)
	switch f {
	case delay:
		time.Sleep(time.Duration(u.dice.below(50)) * time.Millisecond)
	case deliverLate:
		u.deliverLate(send)
		panic(http.ErrAbortHandler)
	}
	answers := make(chan *forwarded, 2)
	for range 1 + map[fault]int{deliverTwice: 1}[f] {
		u.late.Go(func() { answers <- send() })
	}
	answer := <-answers // of two the first, while the other may be on its way
	if answer == nil || f == loseAnswer {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), answer.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(answer.text)))
	w.WriteHeader(answer.status)
	if f == cutAnswer {
		_, _ = w.Write(answer.text[:u.dice.below(max(len(answer.text), 1))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(answer.text)
}

// deliverLate sends a request when its client has long been told that the connection is lost.
func (u *unreliable) deliverLate(send func() *forwarded) {
	wait := time.Duration(50+u.dice.below(450)) * time.Millisecond
	u.late.Go(func() {
		time.Sleep(wait)
		if a := send(); a != nil && (a.status == 412 || a.header.Get("Idempotency-Replayed") == "true") {
			u.overtaken.Add(1)
		}
	})
}

// forwarded is the answer to a request that was sent on.
type forwarded struct {
	status int
	header http.Header
	text   []byte
}

// sender returns a function that sends a request on, also when the client has left. It returns nil without an answer.
func (u *unreliable) sender(r *http.Request, body []byte) func() *forwarded {
	method, url, header := r.Method, u.target+r.URL.RequestURI(), r.Header.Clone()
	return func() *forwarded {
		to, err := http.NewRequest(method, url, bytes.NewReader(body))
		if err != nil {
			return nil
		}
		to.Header = header.Clone()
		answer, err := http.DefaultClient.Do(to)
		if err != nil {
			return nil
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil
		}
		return &forwarded{answer.StatusCode, answer.Header, text}
	}
}

// cutter is a proxy of TCP that cuts each connection after a random number of the answer's bytes.
type cutter struct {
	net.Listener
	target  string
	longest int
	dice    *dice
	cuts    atomic.Int64
}

// startCutter returns a proxy in front of the server at a URL, and its own URL.
func startCutter(t *testing.T, target string, longest int) (*cutter, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	c := &cutter{Listener: l, target: strings.TrimPrefix(target, "http://"), longest: longest, dice: newDice(t)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(conn)
		}
	}()
	return c, "http://" + l.Addr().String()
}

func (c *cutter) pass(conn net.Conn) {
	defer conn.Close()
	upstream, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() {
		_, _ = io.Copy(upstream, conn)
		_ = upstream.Close() // the client has left
	}()
	if _, err := io.CopyN(conn, upstream, int64(1+c.dice.below(c.longest))); err == nil {
		c.cuts.Add(1)
	}
}
