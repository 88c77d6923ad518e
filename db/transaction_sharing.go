package db

import (
	"context"
	"errors"
)

// Writes of a transaction share statements, as concurrent requests do, also if others stand between them. Each write
// runs to its statement, one after the other. Then a statement is sent for the first of them and for those of its kind
// that may go with it: which no write before them, that is not sent yet, has to precede (see touch). Each goes on with
// its own answer before the next statement, and so reads what it would read if the writes were made in their order.
//
// So all of them succeed with the answers that they would have one by one, or one does not: then the transaction is
// repeated with one statement for each write, in order, whose refusal is the answer.

// WriteInTurn calls write for 0 to n-1, in the context of a transaction: see WriteTogether. Those for which shares
// reports true may share statements with others around them, and no other one passes another. It returns the first
// error.
func (s *Store) WriteInTurn(
	ctx context.Context, v Viewer, n int, shares func(i int) bool, write func(ctx context.Context, i int) error,
) error {
	t := transactionOf(ctx)
	for first := 0; first < n; {
		end := first
		for !t.sharesNot && end < n && shares(end) {
			end++
		}
		if end-first < 2 {
			if err := write(ctx, first); err != nil {
				return err
			}
			first++
			t.changed = nil // it may have changed the rows
			continue
		}
		if err := s.writeShared(ctx, v, first, end, write); err != nil {
			t.unshareable = t.failed == nil
			return err
		}
		first = end
	}
	return nil
}

// writeShared makes the writes from first to end, all of them or none.
func (s *Store) writeShared(
	ctx context.Context, v Viewer, first, end int, write func(ctx context.Context, i int) error,
) error {
	var turns, waiting []*turn
	defer func() { endAll(turns) }()
	for i := first; i < end; i++ {
		t := begin(ctx, func(ctx context.Context) error { return write(ctx, i) })
		turns = append(turns, t)
		if err := t.outcome(); err != nil {
			return err
		}
		if t.request != nil {
			waiting = append(waiting, t)
		}
	}
	touched, err := s.touchedBy(ctx, v, waiting)
	if err != nil {
		return err
	}
	for len(waiting) > 0 {
		var together []*turn
		together, waiting = nextTogether(waiting, touched)
		together[0].request.send(ctx, mapSlice(together, func(t *turn) sharedRequest { return t.request }))
		for _, t := range together {
			t.goOn()
		}
		for _, t := range together {
			if err := t.outcome(); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextTogether divides the waiting writes into those of the next statement, which are the first one and what may go
// with it, and the others.
func nextTogether(waiting []*turn, touched map[*turn][]touch) (together, others []*turn) {
	first := waiting[0].request
	for _, t := range waiting {
		if t.request.sharesWith(first) && !anyBefore(others, touched, touched[t], false) &&
			!anyBefore(together, touched, touched[t], first.isInOrder()) {
			together = append(together, t)
		} else {
			others = append(others, t)
		}
	}
	return together, others
}

// turn is one write. Its goroutine and the one that has all of them never run at the same time.
type turn struct {
	request sharedRequest // that it waits with, or nil
	resume  chan struct{}
	paused  chan struct{} // at the request, or closed at the end
	isOver  bool
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
	t.isOver = t.request == nil
	return t
}

// goOn runs a write that waits to its end.
func (t *turn) goOn() {
	t.isOver = true
	t.resume <- struct{}{}
	<-t.paused
}

// outcome returns the error of a write; it panics as the write did.
func (t *turn) outcome() error {
	if t.panic != nil {
		panic(t.panic)
	}
	return t.err
}

// errNotSent is the error of a request that is not sent since another one failed before.
var errNotSent = errors.New("another write of the batch has failed")

// endAll ends the writes that wait, without sending what they wait with.
func endAll(turns []*turn) {
	for _, t := range turns {
		if !t.isOver {
			t.request.fail(errNotSent)
			t.goOn()
		}
	}
}

// sharedRequest is a request that waits to be sent with others.
type sharedRequest interface {
	// sharesWith reports whether a statement may make both.
	sharesWith(sharedRequest) bool
	// isInOrder reports whether a statement changes the balance of an account in the order of its requests.
	isInOrder() bool
	// value returns what is asked for.
	value() any
	// send sends all, which share a statement.
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

func (w *waitingRequest[Q, A]) sharesWith(first sharedRequest) bool {
	other, ok := first.(*waitingRequest[Q, A])
	return ok && other.b == w.b
}

func (w *waitingRequest[Q, A]) isInOrder() bool { return w.b.inOrder }

func (w *waitingRequest[Q, A]) value() any { return w.ask }

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
// of its turn. A second one would be made behind writes that came after the first: it is refused, so that all is
// repeated in order.
func (b *batcher[Q, A]) flushInTurn(ctx context.Context, ask Q) (answer A, _ error) {
	t, _ := ctx.Value(turnKey{}).(*turn)
	switch {
	case t == nil || !b.shares:
		return single(b.flushWaiting(ctx, []Q{ask}))
	case t.request != nil:
		return answer, refuse(Overloaded, "")
	}
	w := &waitingRequest[Q, A]{b: b, ask: ask}
	t.request = w
	t.paused <- struct{}{}
	<-t.resume
	return w.answer, w.err
}
