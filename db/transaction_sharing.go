package db

import (
	"context"
	"errors"
)

// Writes of one kind that follow each other in a transaction share statements, as concurrent requests do. Each
// write runs to its first statement, one after the other; then they are sent together, in the same order, and
// each goes on with its own answer. As the statements of a batch are the same as those of one write, so is
// what they do: but a write that is refused is explained behind those that came after it. So nothing but the
// success of all is an answer; otherwise the transaction is repeated with one statement for each write.

// WriteInTurn calls write for 0 to n-1, in the context of a transaction: see WriteTogether. The writes are of
// one kind. It returns the first error.
func (s *Store) WriteInTurn(ctx context.Context, n int, write func(ctx context.Context, i int) error) error {
	t := transactionOf(ctx)
	if n == 1 || t.sharesNot {
		for i := range n {
			if err := write(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	var turns []*turn
	for i := range n {
		turns = append(turns, begin(ctx, func(ctx context.Context) error { return write(ctx, i) }))
		if turns[i].err != nil || turns[i].panic != nil {
			break
		}
	}
	for first := 0; first < len(turns); {
		if len(turns) < n { // one has failed before its statement: none is sent
			turns[first].cancel()
			first++
			continue
		}
		first += send(ctx, turns[first:])
	}
	err := finish(turns)
	t.unshareable = err != nil && t.failed == nil
	return err
}

// turn is one write. Its goroutine and the one that has all of them never run at the same time.
type turn struct {
	request sharedRequest // that it waits with, or nil
	sent    bool
	resume  chan struct{}
	paused  chan struct{} // at the request, or closed at the end
	err     error
	panic   any
}

type turnKey struct{}

// begin runs the write to its first statement that can be shared.
func begin(ctx context.Context, write func(context.Context) error) *turn {
	t := &turn{resume: make(chan struct{}), paused: make(chan struct{})}
	go func() {
		defer close(t.paused)
		defer func() { t.panic = recover() }()
		t.err = write(context.WithValue(ctx, turnKey{}, t))
	}()
	<-t.paused
	return t
}

// send sends the first requests that can share a statement, and returns how many of the turns they are of.
func send(ctx context.Context, turns []*turn) int {
	if turns[0].request == nil { // it needs no statement, or none that can be shared
		return 1
	}
	together := []sharedRequest{turns[0].request}
	for _, t := range turns[1:] {
		if t.request == nil || !t.request.follows(together) {
			break
		}
		together = append(together, t.request)
	}
	together[0].send(ctx, together)
	return len(together)
}

// errNotSent is the error of a request that is not sent since another one failed before.
var errNotSent = errors.New("another write of the batch has failed")

// cancel has the request, if there is one, fail without being sent.
func (t *turn) cancel() {
	if t.request != nil {
		t.request.fail(errNotSent)
	}
}

// finish runs each write to its end, and returns the first error.
func finish(turns []*turn) (first error) {
	var panicked any
	for _, t := range turns {
		if t.request != nil {
			t.resume <- struct{}{}
			<-t.paused
		}
		if t.err != nil && (first == nil || first == errNotSent) {
			first = t.err
		}
		if t.panic != nil {
			panicked = t.panic
		}
	}
	if panicked != nil {
		panic(panicked)
	}
	return first
}

// sharedRequest is a request that waits to be sent with others.
type sharedRequest interface {
	// follows reports whether it can be sent in one statement with the earlier ones.
	follows(earlier []sharedRequest) bool
	// send sends all, which are of the same kind.
	send(ctx context.Context, all []sharedRequest)
	fail(err error)
}

// waitingRequest is a request to a batcher.
type waitingRequest[Q, A any] struct {
	b      *batcher[Q, A]
	ask    Q
	answer A
	err    error
}

func (w *waitingRequest[Q, A]) follows(earlier []sharedRequest) bool {
	mine := w.b.rows(w.ask)
	for _, e := range earlier {
		other, ok := e.(*waitingRequest[Q, A])
		if !ok || other.b != w.b {
			return false
		}
		for _, row := range w.b.rows(other.ask) {
			for _, own := range mine {
				if own == row { // the later one is to see what the earlier one did
					return false
				}
			}
		}
	}
	return true
}

func (w *waitingRequest[Q, A]) fail(err error) { w.err = err }

func (w *waitingRequest[Q, A]) send(ctx context.Context, all []sharedRequest) {
	waiting := mapSlice(all, func(r sharedRequest) *waitingRequest[Q, A] { return r.(*waitingRequest[Q, A]) })
	answers, err := w.b.flushWaiting(ctx, mapSlice(waiting, func(w *waitingRequest[Q, A]) Q { return w.ask }))
	for i, w := range waiting {
		if w.err = err; err == nil {
			w.answer = answers[i]
		}
	}
}

// flushInTurn sends a request in the context of a transaction: with those of other turns, if it is the first
// of its turn.
func (b *batcher[Q, A]) flushInTurn(ctx context.Context, ask Q) (A, error) {
	t, _ := ctx.Value(turnKey{}).(*turn)
	if t == nil || t.sent || b.rows == nil {
		return single(b.flushWaiting(ctx, []Q{ask}))
	}
	w := &waitingRequest[Q, A]{b: b, ask: ask}
	t.request, t.sent = w, true
	t.paused <- struct{}{}
	<-t.resume
	return w.answer, w.err
}
