package client_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"waybill/api/client"
)

// at returns a step that answers with a position.
func at(position string) step { return answers(200, "{}", "Waybill-Consistency", position) }

func (n *network) positions() (positions []string) {
	for _, s := range n.sent {
		positions = append(positions, s.position)
	}
	return positions
}

func get(t *testing.T, c *client.Client) {
	t.Helper()
	value(c.Accounts.Get(t.Context(), uuid.New()))(t)
}

// A client sends the newest position that it was told, and none once an answer may have told more than it knows.
func TestAClientSendsTheNewestPosition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{steps: []step{at("a1"), at("a3"), at("a2"), at("b1"), answers(200, "{}"), at("a4"), loses,
			at("a5"), at("a5")}}
		c := n.client()
		for range 8 { // one of which is sent twice
			get(t, c)
		}
		want := []string{"", "a1", "a3", "a3", "b1", "", "a4", "", "a5"}
		if got := n.positions(); !slices.Equal(got, want) {
			t.Errorf("sends %q, want %q", got, want)
		}
	})
}

// What was asked before something was forgotten does not know it.
func TestAClientDoesNotTrustWhatWasAskedBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		isForgotten, done := make(chan struct{}), make(chan struct{})
		late := func(r *http.Request) (*http.Response, error) {
			<-isForgotten
			return at("a1")(r)
		}
		n := &network{steps: []step{late, answers(200, "{}"), at("a2")}}
		c := n.client()
		go func() {
			defer close(done)
			get(t, c)
		}()
		synctest.Wait()
		get(t, c) // a write, perhaps
		close(isForgotten)
		<-done
		get(t, c)
		if got := n.positions(); !slices.Equal(got, []string{"", "", ""}) {
			t.Errorf("sends %q", got)
		}
	})
}

// An event tells of what the client's position does not know.
func TestAClientForgetsItsPositionWithEachEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		events, write := io.Pipe()
		stream := func(r *http.Request) (*http.Response, error) {
			answer, err := answers(200, "", "Waybill-Consistency", "a1",
				"Content-Type", "text/event-stream; charset=utf-8")(r)
			answer.Body = events
			return answer, err
		}
		n := &network{steps: []step{stream, at("a2")}}
		c, done := n.client(), make(chan struct{})
		go func() {
			defer close(done)
			for range c.Pickups.Stream(t.Context(), nil) {
				break
			}
		}()
		synctest.Wait()
		get(t, c)
		if _, err := io.Copy(write, strings.NewReader(event(1))); err != nil {
			t.Error(err)
		}
		<-done
		get(t, c)
		get(t, c)
		if got := n.positions(); !slices.Equal(got, []string{"", "a1", "", "a2"}) {
			t.Errorf("sends %q", got)
		}
	})
}
