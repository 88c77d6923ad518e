package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waybill/api/client"
)

func event(n int) string {
	data := fmt.Sprintf(`{"transition":"submit","version":%d}`, n)
	return fmt.Sprintf(": a comment\nevent: submit\nid: h-%d-1\ndata: %s\n\n", n, data)
}

const checkpoint = "event: checkpoint\nid: h-0-0\ndata: {}\nretry: 1000\n\n"

// streams returns a step that sends a text, and then loses the connection.
func streams(text string) step { return answers(200, text) }

// silent returns a step that sends a text, and then nothing, until the client leaves.
func silent(text string) step {
	return func(r *http.Request) (*http.Response, error) {
		body, to := io.Pipe()
		go func() {
			_, _ = io.WriteString(to, text)
			<-r.Context().Done()
			to.CloseWithError(r.Context().Err())
		}()
		return &http.Response{StatusCode: 200, Body: body}, nil
	}
}

// after is a step that wants the id of the last message.
func after(t *testing.T, id string, then step) step {
	return func(r *http.Request) (*http.Response, error) {
		if got := r.Header.Get("Last-Event-ID"); got != id {
			t.Errorf("connects after %q, want %q", got, id)
		}
		return then(r)
	}
}

// read returns the versions of a stream's first n events, with 0 for a checkpoint.
func read(ctx context.Context, c *client.Client, n int, options *client.StreamOptions) (versions []int64, err error) {
	for m, err := range c.Pickups.Stream(ctx, options) {
		switch {
		case err != nil:
			return versions, err
		case m.Event == nil:
			versions = append(versions, 0)
		default:
			versions = append(versions, m.Event.Version)
		}
		if len(versions) == n {
			return versions, nil
		}
	}
	return versions, nil
}

func TestStreamContinuesWhereItWasCut(t *testing.T) {
	t.Parallel()
	text := checkpoint + event(1) + event(2)
	whole := func(cut int) string { // the id of the last message before the cut
		switch {
		case cut >= len(checkpoint+event(1)):
			return "h-1-1"
		case cut >= len(checkpoint):
			return "h-0-0"
		}
		return "h-9-9"
	}
	for at := range text {
		synctest.Test(t, func(t *testing.T) {
			last := whole(at)
			rest := map[string]string{"h-9-9": text, "h-0-0": event(1) + event(2), "h-1-1": event(2)}[last]
			n := &network{steps: []step{after(t, "h-9-9", streams(text[:at])), loses,
				answers(502, "<html>"), refuses(503, client.CodeUnavailable), after(t, last, streams(rest))}}
			got, err := read(t.Context(), n.client(), 3, &client.StreamOptions{After: "h-9-9"})
			if check(t, err); !slices.Equal(got, []int64{0, 1, 2}) {
				t.Errorf("cut at %d: %v", at, got)
			}
		})
	}
}

func TestStreamTellsItsStateAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var states []client.StreamState
		n := &network{steps: []step{loses, streams(event(1)), silent(event(2))}}
		options := &client.StreamOptions{OnState: func(s client.StreamState) { states = append(states, s) }}
		count := 0
		for _, err := range n.client().Pickups.Stream(ctx, options) {
			check(t, err)
			if count++; count == 2 {
				cancel()
			}
		}
		want := []client.StreamState{
			client.StreamConnecting, client.StreamWaiting,
			client.StreamConnecting, client.StreamOpen, client.StreamWaiting,
			client.StreamConnecting, client.StreamOpen,
		}
		if count != 2 || !slices.Equal(states[:len(want)], want) {
			t.Errorf("%d messages, and the states %v", count, states)
		}
	})
}

// A silent connection counts as lost, but not while the caller is at work.
func TestStreamLeavesASilentConnection(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"silent": event(1), "half an event": event(1) + event(2)[:20]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := &network{steps: []step{silent(text), hangs, after(t, "h-1-1", silent(event(2)+event(3)))}}
				seen, began := 0, time.Now()
				for m, err := range n.client().Pickups.Stream(t.Context(), nil) {
					check(t, err)
					if seen++; m.Event.Version != int64(seen) {
						t.Fatalf("message %d is %+v", seen, m.Event)
					}
					if seen == 3 {
						break
					}
					time.Sleep(time.Hour)
				}
				took := time.Since(began) - 2*time.Hour
				if len(n.sent) != 3 || took < 80*time.Second || took > 81*time.Second {
					t.Errorf("%d connections in %v", len(n.sent), took)
				}
			})
		})
	}
}

// What another attempt would not change ends a stream; what is temporary does not.
func TestStreamEndsWithARefusal(t *testing.T) {
	t.Parallel()
	for _, code := range []client.Code{client.CodeUnauthenticated, client.CodeForbidden, client.CodeStreamRestarted} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{steps: []step{streams(event(1)), refuses(429, client.CodeConcurrencyLimit),
				refuses(500, client.CodeInternal), refuses(403, code), streams(event(2))}}
			options := &client.StreamOptions{OnRestart: func(context.Context) error { return nil }}
			if code == client.CodeStreamRestarted {
				options = nil
			}
			got, err := read(t.Context(), n.client(), 2, options)
			if wantCode(t, err, code); !slices.Equal(got, []int64{1}) {
				t.Errorf("read %v", got)
			}
		})
	}
}

// The state is read again before the first message of the new history, and until that succeeds.
func TestStreamGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		restarted := refuses(410, client.CodeStreamRestarted)
		n := &network{steps: []step{after(t, "old", restarted), after(t, "", streams(checkpoint)),
			after(t, "h-0-0", streams(event(1)+event(2))), after(t, "h-2-1", restarted),
			after(t, "", streams(event(3)))}}
		restarts := 0
		onRestart := func(context.Context) error {
			if restarts++; restarts == 1 {
				return &client.Problem{Code: client.CodeForbidden, Status: 403}
			}
			return nil
		}
		got, err := read(t.Context(), n.client(), 3, &client.StreamOptions{After: "old", OnRestart: onRestart})
		if check(t, err); !slices.Equal(got, []int64{1, 2, 3}) || restarts != 3 {
			t.Errorf("read %v, and the state %d times", got, restarts)
		}
	})
}

// The pauses grow while nothing comes, and begin anew with each message.
func TestStreamWaitsBriefAgainAfterAMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{steps: append(slices.Repeat([]step{loses}, 20), streams(event(1)), streams(event(2)))}
		got, err := read(t.Context(), n.client(), 2, nil)
		if check(t, err); !slices.Equal(got, []int64{1, 2}) {
			t.Errorf("read %v", got)
		}
		pause := func(i int) time.Duration { return n.sent[i+1].at.Sub(n.sent[i].at) }
		var before time.Duration
		for i := range 20 {
			before = max(before, pause(i))
		}
		if after := pause(20); before < time.Second || after > 100*time.Millisecond {
			t.Errorf("pauses of up to %v while nothing came, and of %v after a message", before, after)
		}
	})
}

// A loop that ends closes the connection.
func TestStreamOfALoopThatEndsIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		isClosed := make(chan struct{})
		n := &network{steps: []step{func(r *http.Request) (*http.Response, error) {
			context.AfterFunc(r.Context(), func() { close(isClosed) })
			return silent(event(1))(r)
		}}}
		for range n.client().Pickups.Stream(t.Context(), nil) {
			break
		}
		<-isClosed
	})
}

// An event that cannot be read is not passed over.
func TestStreamDoesNotSkipWhatItCannotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := strings.Replace(event(2), `"version":2`, `"version":"x"`, 1)
		n := &network{steps: []step{streams(event(1) + broken), after(t, "h-1-1", streams(event(2)))}}
		got, err := read(t.Context(), n.client(), 2, nil)
		if check(t, err); !slices.Equal(got, []int64{1, 2}) {
			t.Errorf("read %v", got)
		}
	})
}
