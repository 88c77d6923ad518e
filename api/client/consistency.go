package client

import (
	"io"
	"mime"
	"net/http"
	"sync"
)

// Waybill may serve reads from replicas of its database. Each answer then has a Waybill-Consistency: what its client
// has read and written by then. A client keeps the newest and sends it, so that it always reads what it wrote, and
// nothing older than what it has read. Where an answer has none, or there is no answer, it forgets it: a request
// without one is answered with what is there when it arrives.

// consistencyHeader is the name of the header.
const consistencyHeader = "Waybill-Consistency"

// consistency is what one client keeps.
type consistency struct {
	mu        sync.Mutex
	newest    string
	forgotten int // how often: what was asked before does not know what was forgotten
}

// do sends a request with the newest position, and keeps that of the answer.
func (c *consistency) do(send *http.Client, r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	newest, forgotten := c.newest, c.forgotten
	c.mu.Unlock()
	if newest != "" {
		r.Header.Set(consistencyHeader, newest)
	}
	answer, err := send.Do(r)
	if err != nil {
		c.forget()
		return answer, err
	}
	c.keep(answer.Header.Get(consistencyHeader), forgotten)
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind == "text/event-stream" {
		answer.Body = forgetting{answer.Body, c}
	}
	return answer, nil
}

// keep keeps what an answer told, unless something was forgotten since it was asked for.
func (c *consistency) keep(told string, forgotten int) {
	if told == "" {
		c.forget()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if forgotten == c.forgotten {
		c.newest = max(c.newest, told)
	}
}

func (c *consistency) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest = ""
	c.forgotten++
}

// forgetting is an event stream: what it tells may be newer than the last answer.
type forgetting struct {
	io.ReadCloser
	of *consistency
}

// Read implements io.Reader.
func (f forgetting) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if n > 0 {
		f.of.forget()
	}
	return n, err
}
