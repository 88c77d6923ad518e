package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"waybill/api/client"
)

// told answers what the test says, and records what was sent.
type told struct {
	t       *testing.T
	answers chan *http.Response // nil for no answer
	sent    chan string
}

func (d *told) Do(r *http.Request) (*http.Response, error) {
	answers := d.answers
	d.sent <- r.Header.Get("Waybill-Consistency")
	if answer := <-answers; answer != nil {
		return answer, nil
	}
	return nil, errors.New("no answer")
}

func answer(consistency string) *http.Response {
	w := httptest.NewRecorder()
	if consistency != "" {
		w.Header().Set("Waybill-Consistency", consistency)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, "{}")
	return w.Result()
}

func newTold(t *testing.T) (*told, *client.ClientWithResponses) {
	t.Helper()
	d := &told{t, make(chan *http.Response, 1), make(chan string, 1)}
	c, err := client.NewClientWithResponses("http://waybill.example", client.WithHTTPClient(d), client.WithToken("token"))
	check(t, err)
	return d, c
}

// A client sends the newest position that it was told, and none once an answer may have told more than it knows.
func TestAClientSendsTheNewestPosition(t *testing.T) {
	t.Parallel()
	d, c := newTold(t)
	for i, step := range []struct {
		sends string
		told  *http.Response
	}{
		{"", answer("a1")}, {"a1", answer("a3")}, {"a3", answer("a2")}, {"a3", answer("b1")}, {"b1", answer("")},
		{"", answer("a4")}, {"a4", nil}, {"", answer("a5")}, {"a5", answer("a5")},
	} {
		d.answers <- step.told
		c.GetAccountWithResponse(t.Context(), uuid.New(), nil)
		if sent := <-d.sent; sent != step.sends {
			t.Errorf("step %d sends %q, want %q", i, sent, step.sends)
		}
	}
}

// What was asked before something was forgotten does not know it.
func TestAClientDoesNotTrustWhatWasAskedBefore(t *testing.T) {
	t.Parallel()
	d, c := newTold(t)
	var wait sync.WaitGroup
	wait.Go(func() { c.GetAccountWithResponse(t.Context(), uuid.New(), nil) }) // is answered last
	<-d.sent
	first, late := make(chan struct{}), d.answers
	d.answers = make(chan *http.Response, 1)
	go func() { defer close(first); c.GetAccountWithResponse(t.Context(), uuid.New(), nil) }()
	<-d.sent
	d.answers <- answer("") // of a write, perhaps
	<-first
	late <- answer("a1")
	wait.Wait()
	d.answers <- answer("a2")
	c.GetAccountWithResponse(t.Context(), uuid.New(), nil)
	if sent := <-d.sent; sent != "" {
		t.Errorf("sends %q", sent)
	}
}

// An event tells of what the client's position does not know.
func TestAClientForgetsItsPositionWithEachEvent(t *testing.T) {
	t.Parallel()
	d, c := newTold(t)
	stream := answer("a1")
	stream.Header.Set("Content-Type", "text/event-stream; charset=utf-8")
	events, write := io.Pipe()
	stream.Body = events
	d.answers <- stream
	body, err := c.StreamPickups(t.Context(), nil)
	check(t, err)
	<-d.sent
	read := func() string {
		d.answers <- answer("a2")
		c.GetAccountWithResponse(t.Context(), uuid.New(), nil)
		return <-d.sent
	}
	if sent := read(); sent != "a1" {
		t.Errorf("before an event it sends %q", sent)
	}
	go io.Copy(write, strings.NewReader("id: 1\n\n"))
	_, err = body.Body.Read(make([]byte, 100))
	check(t, err)
	if sent := read(); sent != "" {
		t.Errorf("after an event it sends %q", sent)
	}
	check(t, body.Body.Close())
}
