package bench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"sync"
	"time"
)

// eventLag measures the delay between a commit and its event in a stream. The zero value is ready to
// use.
type eventLag struct {
	running sync.WaitGroup
	opened  chan struct{} // closed at the first bytes, or when there are none

	mu        sync.Mutex
	err       error // why the stream ended too early, or could not be opened
	isOpen    bool
	rest      []byte // an incomplete line
	commits   map[string]time.Time
	delivered map[string]time.Time
	arrived   chan struct{} // closed at the next bytes, or at the end
}

var errEnough = errors.New("that is enough")

// follow reads a stream in the background, and returns when it is open or was refused.
func (l *eventLag) follow(ctx context.Context, stream func(context.Context, io.Writer) error) {
	l.opened, l.arrived = make(chan struct{}), make(chan struct{})
	l.commits, l.delivered = map[string]time.Time{}, map[string]time.Time{}
	l.running.Go(func() {
		err := stream(ctx, l)
		l.mu.Lock()
		defer l.mu.Unlock()
		if ctx.Err() == nil {
			l.err = errors.Join(errors.New("the stream ended"), err)
		}
		l.changed()
	})
	<-l.opened
}

// changed wakes all waiters.
func (l *eventLag) changed() {
	if !l.isOpen {
		l.isOpen = true
		close(l.opened)
	}
	close(l.arrived)
	l.arrived = make(chan struct{})
}

var pickupOf = regexp.MustCompile(`^data: .*"pickup_id":"([0-9a-f-]+)"`)

// Write parses the stream's bytes.
func (l *eventLag) Write(text []byte) (int, error) {
	at := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, text...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		if found := pickupOf.FindSubmatch(line); found != nil {
			l.delivered[string(found[1])] = at
		}
		l.rest = rest
	}
	l.changed()
	return len(text), nil
}

// committed records when the submit of a pickup was answered.
func (l *eventLag) committed(pickup string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commits[pickup] = at
}

// maxEventWait is the longest wait for an event.
const maxEventWait = time.Minute

// await waits for the outstanding events.
func (l *eventLag) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maxEventWait)
	defer cancel()
	for {
		l.mu.Lock()
		_, missing := l.lags()
		done, arrived := missing == 0 || l.err != nil, l.arrived
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-arrived:
		}
	}
}

// ended waits for the end of the stream, whose context has been canceled.
func (l *eventLag) ended() { l.running.Wait() }

// lags returns the delays of the events, and the number of missing events.
func (l *eventLag) lags() (late *Latencies, missing int) {
	late = &Latencies{}
	for pickup, at := range l.commits {
		delivered, ok := l.delivered[pickup]
		if !ok {
			missing++
			continue
		}
		late.Record(max(0, delivered.Sub(at)))
	}
	return late, missing
}
