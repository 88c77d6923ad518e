package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"
)

// StreamMessage is one of the event stream.
type StreamMessage struct {
	// ID is its position: StreamOptions.After continues behind it.
	ID string
	// Event is nil for a checkpoint, which is only a position.
	Event *PickupEvent
}

// StreamState is that of a stream's connection.
type StreamState string

// The states of a stream.
const (
	StreamConnecting StreamState = "connecting"
	StreamOpen       StreamState = "open"
	StreamWaiting    StreamState = "waiting" // to connect again
)

// StreamOptions are those of the event stream.
type StreamOptions struct {
	// After is the ID of the last message that was received; without it the stream begins with new events.
	After string
	// OnState is told of each change of the state.
	OnState func(StreamState)
	// OnRestart is called when the history of events has ended, because the database was restored or another server
	// took over after a failure: it reads again what the caller keeps of the pickups. The stream goes on with the
	// events since the call; if it fails, it is called again. Without it the stream ends with CodeStreamRestarted.
	OnRestart func(context.Context) error
	// Silence is how long without a byte until the connection counts as lost: 40 seconds by default. The server sends
	// something every 15 seconds.
	Silence time.Duration
}

const longestSilence = 40 * time.Second

// follower is one iteration of the stream.
type follower struct {
	*transport
	options     StreamOptions
	path, after string
	state       StreamState
	isRestarted bool
}

// stream follows the event stream, and connects again behind the last message that it delivered, so that none is
// missed and none comes twice. It ends when its context is done, without an error; a problem that another attempt
// would not change (the session has ended) ends it with that.
func stream(ctx context.Context, t *transport, path string, options *StreamOptions) iter.Seq2[*StreamMessage, error] {
	return func(yield func(*StreamMessage, error) bool) {
		f := &follower{transport: t, path: path}
		if options != nil {
			f.options = *options
		}
		f.after = f.options.After
		for failures := 0; ctx.Err() == nil; failures++ {
			f.tell(StreamConnecting)
			delivered, err := f.connection(ctx, yield)
			if errors.Is(err, errEnough) {
				return
			}
			if delivered {
				failures = 0 // the first pause is short again
			}
			if err = f.lasting(err); err != nil && ctx.Err() == nil {
				yield(nil, err)
				return
			}
			f.tell(StreamWaiting)
			_ = sleep(ctx, f.limits.pause(failures))
		}
	}
}

// errEnough says that the caller's loop has ended.
var errEnough = errors.New("enough")

func (f *follower) tell(state StreamState) {
	if f.options.OnState != nil && f.state != state {
		f.options.OnState(state)
	}
	f.state = state
}

// lasting returns what ends the stream of the error that ended a connection.
func (f *follower) lasting(err error) error {
	p, ok := errors.AsType[*Problem](err)
	switch {
	case errors.Is(err, errUnsendable):
		return err
	case !ok, isTemporary(p.Status), p.Status >= 500:
		return nil
	case p.Code == CodeStreamRestarted && f.options.OnRestart != nil:
		f.isRestarted, f.after = true, ""
		return nil
	}
	return p
}

// connection delivers what one connection brings until it is lost, and whether that was anything.
func (f *follower) connection(ctx context.Context, yield func(*StreamMessage, error) bool) (delivered bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := f.options.Silence
	if silence == 0 {
		silence = longestSilence
	}
	timer := time.AfterFunc(silence, cancel)
	defer timer.Stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if f.after != "" {
		header.Set("Last-Event-ID", f.after)
	}
	res, err := f.roundTrip(ctx, http.MethodGet, f.path, header, nil)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	body := &timedReader{res.Body, timer, silence}
	if res.StatusCode != http.StatusOK {
		text, err := io.ReadAll(body)
		if p := problemOf(text); err == nil && p != nil {
			return false, p
		}
		return false, fmt.Errorf("an answer that is not Waybill's, with the status %d", res.StatusCode)
	}
	for reader := bufio.NewReader(body); ; delivered = true {
		m, err := readMessage(reader)
		if err != nil {
			return delivered, err
		}
		timer.Stop() // while the caller is at work
		if err := f.deliver(ctx, m, yield); err != nil {
			return delivered, err
		}
	}
}

// deliver gives the caller a message, after it has read its state again if that must be.
func (f *follower) deliver(ctx context.Context, m *StreamMessage, yield func(*StreamMessage, error) bool) error {
	f.tell(StreamOpen)
	f.after = m.ID
	if f.isRestarted {
		if err := f.options.OnRestart(ctx); err != nil {
			return fmt.Errorf("reading the state again: %v", err) // not wrapped: no problem of the stream's
		}
		f.isRestarted = false
	}
	if !yield(m, nil) {
		return errEnough
	}
	return nil
}

// timedReader reads with a timer, which runs only while there is nothing to read.
type timedReader struct {
	io.Reader
	timer   *time.Timer
	silence time.Duration
}

func (r *timedReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.silence)
	return r.Reader.Read(p)
}

// readMessage reads the next message, which ends with an empty line: one that was cut is none.
func readMessage(r *bufio.Reader) (*StreamMessage, error) {
	fields := map[string]string{}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			fields[name] = strings.TrimPrefix(value, " ") // a comment, which keeps the connection open, has no name
			continue
		}
		id, hasID := fields["id"]
		data, hasData := fields["data"]
		if !hasID || !hasData {
			clear(fields)
			continue
		}
		m := &StreamMessage{ID: id}
		if fields["event"] != "checkpoint" {
			err = json.Unmarshal([]byte(data), &m.Event)
		}
		return m, err
	}
}
