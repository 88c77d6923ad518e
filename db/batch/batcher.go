package batch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Relative and conditional updates compose: what many callers ask for at once can go
// in one statement, and each gets the answer that it would have got alone. While one
// flush runs, the next requests gather; no timer is involved, so that a request that
// comes alone starts at once, on its caller's goroutine.
//
// One flush at a time serves more than two would: each of the two takes half of the
// requests, and costs nearly as much as one with all of them. Another departs beside it
// only for a crowd, or when it is late: it may wait for a row that somebody else holds.

// Batcher shares statements among the requests of one kind.
//
// Two requests of one key never share a flush, nor are two of them under way at once:
// they are served in the order in which they came. A flush that the server refused is
// rolled back, whole: it is halved until the guilty request stands alone, with its own
// error. One that waited in vain for what somebody else holds is parted, so that only
// those who need that wait on. Where the outcome is not known, each request is resolved
// by itself.
type Batcher[Q, A any, K comparable] struct {
	Config[Q, A, K]

	mu      sync.Mutex
	queue   []*request[Q, A, K]
	held    map[K]struct{}     // by one request each
	shared  map[K]struct{}     // by one flight each
	flying  []*flight[Q, A, K] // in the order of their departure
	watched bool               // somebody looks whether they are late
	alone   bool               // a suspect's request is under way, in its own lane
	suspect map[K]int          // callers whose requests were refused, and how many more go alone

	flushed, served, refused atomic.Int64 // for Stats
}

// Config says how the requests of one kind are batched. Q is a request, A its answer, K
// the key of a row or a caller.
type Config[Q, A any, K comparable] struct {
	// Flush sends one statement. It gives an answer for each request, in their order.
	Flush func(context.Context, []Q) ([]A, error)
	// FlushWaiting sends the same statement in a form that waits for what somebody else
	// holds, where Flush leaves it out; nil, if Flush waits.
	FlushWaiting func(context.Context, []Q) ([]A, error)
	// Resolve finds out what became of a request whose statement may have been
	// committed or not, and may still be running. It may be asked again.
	Resolve func(context.Context, Q) (A, error)
	// Classify tells what the error of a statement means.
	Classify func(error) Failure

	// OwnRows names the rows that a request has for itself; nil, if it needs none.
	OwnRows func(Q) []K
	// SharedRows names the rows that those of one flush share, and no two flushes: the
	// second would only wait for the first; nil, if there are none.
	// The first is what a flush may have to wait for.
	SharedRows func(Q) []K
	// Caller is whose request it is: they go alone for a while after one of their requests
	// was refused; nil, if nobody does.
	Caller func(Q) K
	// BatchContext gives the context of a flush of one request that others may gather
	// behind; nil, if it is the request's own.
	BatchContext func(context.Context) context.Context

	Limits
	Unbatched bool // each request is a flush of its own, whoever else asks
}

// Limits bound what a batcher does at once.
type Limits struct {
	MaxInFlight int // flushes under way at once, at most; mostly it is one
	MaxBatch    int // requests in one flush, at most
	MaxQueue    int // requests that wait, at most
}

// Failure is what the error of a statement means.
type Failure int

// What a statement may fail of.
const (
	Unknown     Failure = iota // the connection broke: the statement may be committed, or be running still
	Unavailable                // nothing was done, for want of a server or a connection to it
	Rejected                   // the server refused what a request asks, and rolled the statement back
	Deadlock                   // the server chose the statement among those of which each alone would pass
	LockTimeout                // it waited in vain for what somebody else holds
	Revoked                    // a request's caller may not do it any more, for no fault of their others
)

var (
	// ErrQueueFull refuses a request because too many wait already.
	ErrQueueFull = errors.New("too many requests wait")
	// ErrUnknownOutcome says that a request may be done or not.
	ErrUnknownOutcome = errors.New("the outcome is not known")
)

// PanicError is what a statement's function panicked with.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }

// New gives a batcher without requests.
func New[Q, A any, K comparable](c Config[Q, A, K]) *Batcher[Q, A, K] {
	if c.FlushWaiting == nil {
		c.FlushWaiting = c.Flush
	}
	return &Batcher[Q, A, K]{Config: c}
}

// request waits for its answer.
type request[Q, A any, K comparable] struct {
	ctx     context.Context
	ask     Q
	keys    []K
	shares  []K
	patient bool // waits for what others hold
	answer  A
	err     error
	done    chan struct{} // nil for one that its caller serves
}

// flight is a group whose flush is under way.
type flight[Q, A any, K comparable] struct {
	group    []*request[Q, A, K]
	departed time.Time
}

const (
	// probation is how many requests of a refused caller go alone: each that is
	// refused again starts it anew.
	probation = 16
	// victims is how often a flush that lost a deadlock is tried again, whole.
	victims = 3
	// late is how long a flight may be under way before the next departs beside it.
	late = 20 * time.Millisecond
	// crowd is how many have a flight of their own without waiting for one to land.
	crowd = 64
	// flushTimeout bounds a flush that the server does not end by itself; longer than
	// its statement_timeout.
	flushTimeout = 10 * time.Second
	// lookUps is how often the outcome of a request is asked for.
	lookUps = 7
)

// Do gives the answer to one request: after the commit, never before. The request of a
// caller who goes away before its flush is dropped; after that, its write stands.
func (c *Batcher[Q, A, K]) Do(ctx context.Context, ask Q) (A, error) {
	if c.Unbatched {
		return c.DoUnbatched(ctx, ask)
	}
	r := &request[Q, A, K]{ctx: ctx, ask: ask}
	if c.OwnRows != nil {
		r.keys = c.OwnRows(ask)
	}
	if c.SharedRows != nil {
		r.shares = c.SharedRows(ask)
	}
	c.mu.Lock()
	if len(c.queue) == 0 && c.mayDepart() && c.mayHold(r) && !anyIn(c.shared, r.shares) && !c.suspected(r) {
		c.hold(r)
		f := c.takeOff([]*request[Q, A, K]{r})
		c.mu.Unlock()
		defer c.land(f)
		c.serve(f.group)
		return r.answer, r.err
	}
	if len(c.queue) >= c.MaxQueue {
		c.mu.Unlock()
		c.refused.Add(1)
		return r.answer, ErrQueueFull
	}
	r.done = make(chan struct{})
	c.queue = append(c.queue, r)
	if n := len(c.queue); n == 1 || n%crowd == 0 || len(c.flying) == 0 {
		c.depart() // else they are looked through when one lands, or is late
	}
	c.watch()
	c.mu.Unlock()
	select {
	case <-r.done:
		return r.answer, r.err
	case <-ctx.Done():
		var none A // the request's own may be written at this moment
		return none, ctx.Err()
	}
}

// DoUnbatched gives the answer to a request that shares nothing, and waits for what others
// hold: beside the flights, so that none of them has to.
func (c *Batcher[Q, A, K]) DoUnbatched(ctx context.Context, ask Q) (A, error) {
	r := &request[Q, A, K]{ctx: ctx, ask: ask, patient: true}
	c.serve([]*request[Q, A, K]{r})
	return r.answer, r.err
}

// land gives back what a flight held, and lets the next one depart.
func (c *Batcher[Q, A, K]) land(f *flight[Q, A, K]) {
	// Those who were just answered may ask again: let them board.
	runtime.Gosched()
	c.mu.Lock()
	c.release(f.group)
	c.flying = slices.DeleteFunc(c.flying, func(other *flight[Q, A, K]) bool { return other == f })
	c.depart()
	c.mu.Unlock()
}

// depart starts the flights that may be under way with those who wait.
func (c *Batcher[Q, A, K]) depart() {
	for len(c.queue) > 0 && c.mayDepart() {
		group := c.board()
		if len(group) == 0 {
			return
		}
		f := c.takeOff(group)
		go func() {
			c.serve(f.group)
			c.land(f)
		}()
	}
}

// mayDepart tells whether a flight may take off now, beside what is under way.
func (c *Batcher[Q, A, K]) mayDepart() bool {
	n := len(c.flying)
	if n == 0 || n >= c.MaxInFlight {
		return n == 0
	}
	return len(c.queue) >= crowd || time.Since(c.flying[n-1].departed) >= late
}

func (c *Batcher[Q, A, K]) takeOff(group []*request[Q, A, K]) *flight[Q, A, K] {
	f := &flight[Q, A, K]{group, time.Now()}
	c.flying = append(c.flying, f)
	return f
}

// watch looks, as long as somebody waits, whether what is under way is late.
func (c *Batcher[Q, A, K]) watch() {
	if c.watched || len(c.queue) == 0 {
		return
	}
	c.watched = true
	time.AfterFunc(late, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watched = false
		c.depart()
		c.watch()
	})
}

// board takes from the queue, in its order, those who can share a flush: neither do
// they need what is held, nor overtake one who waits for the same.
func (c *Batcher[Q, A, K]) board() (group []*request[Q, A, K]) {
	var waiting []*request[Q, A, K]
	passed, elsewhere := map[K]struct{}{}, maps.Clone(c.shared)
	for _, r := range c.queue {
		switch {
		case r.ctx.Err() != nil: // went away: nobody waits for it
		case c.suspected(r) && !c.alone && c.mayHold(r) && !anyIn(passed, r.keys):
			r.shares = nil // it waits by itself
			c.hold(r)
			c.alone = true
			go c.serveAlone(r)
		case c.suspected(r), len(group) == c.MaxBatch, !c.mayHold(r), anyIn(passed, r.keys), anyIn(elsewhere, r.shares):
			waiting = append(waiting, r)
			for _, k := range r.keys {
				passed[k] = struct{}{}
			}
		default:
			c.hold(r)
			group = append(group, r)
		}
	}
	c.queue = waiting
	return group
}

// serveAlone serves a suspect beside the others' flights, so that what it does wrong
// once more costs them nothing.
func (c *Batcher[Q, A, K]) serveAlone(r *request[Q, A, K]) {
	c.serve([]*request[Q, A, K]{r})
	c.mu.Lock()
	if who := c.Caller(r.ask); r.err == nil {
		if c.suspect[who]--; c.suspect[who] <= 0 {
			delete(c.suspect, who)
		}
	} else if c.guilty(r, r.err) {
		c.suspect[who] = probation
	}
	c.release([]*request[Q, A, K]{r})
	c.alone = false
	c.depart()
	c.mu.Unlock()
}

// serve answers each of the group.
func (c *Batcher[Q, A, K]) serve(group []*request[Q, A, K]) {
	ctx, cancel := c.flushContext(group)
	defer cancel()
	c.serveUntil(ctx, group, whole)
}

// cut is how a group came about.
type cut int

const (
	whole  cut = iota
	half       // of one that was refused
	parted     // from those who do not need the same rows, after a wait in vain
)

// serveUntil answers each of the group, or what it is cut into, before the context ends.
// Whoever is guilty of the halving is accused before they hear of it: their next request
// is already a suspect's.
func (c *Batcher[Q, A, K]) serveUntil(ctx context.Context, group []*request[Q, A, K], of cut) {
	if group = present(group); len(group) == 0 {
		return
	}
	answers, err := c.try(ctx, group)
	for range victims {
		if err == nil || c.failure(err) != Deadlock {
			break
		}
		answers, err = c.try(ctx, group)
	}
	if err == nil {
		for i, r := range group {
			r.finish(answers[i], nil)
		}
		return
	}
	switch failure := c.failure(err); {
	case failure == Unknown:
		for _, r := range present(group) {
			r.finish(c.lookUp(ctx, r.ask))
		}
	case failure == LockTimeout:
		if parts := c.parts(group); of != parted && len(parts) > 1 {
			c.serveParts(ctx, parts)
			return
		}
		for _, r := range group {
			r.finish(r.answer, err)
		}
	case len(group) == 1, failure == Unavailable: // without a connection, none of them has one
		for _, r := range group {
			if of == half && c.guilty(r, err) {
				c.accuse(r)
			}
			r.finish(r.answer, err)
		}
	default:
		for part := range slices.Chunk(group, (len(group)+1)/2) {
			c.serveUntil(ctx, part, half)
		}
	}
}

// serveParts serves the parts beside each other. The rows of those that are answered are
// free at once, and not only when the last has waited enough.
func (c *Batcher[Q, A, K]) serveParts(ctx context.Context, parts [][]*request[Q, A, K]) {
	var served sync.WaitGroup
	for _, part := range parts {
		served.Go(func() {
			c.serveUntil(ctx, part, parted)
			c.mu.Lock()
			c.release(part)
			c.depart()
			c.mu.Unlock()
		})
	}
	served.Wait()
}

// parts are the requests of a group by the row that they share, so that those who need
// the one that is held stand together; or halves, where nobody knows who does.
func (c *Batcher[Q, A, K]) parts(group []*request[Q, A, K]) [][]*request[Q, A, K] {
	if c.SharedRows == nil {
		return slices.Collect(slices.Chunk(group, (len(group)+1)/2))
	}
	var parts [][]*request[Q, A, K]
	of := map[K]int{}
	for _, r := range group {
		row := c.SharedRows(r.ask)[0]
		if _, known := of[row]; !known {
			of[row] = len(parts)
			parts = append(parts, nil)
		}
		parts[of[row]] = append(parts[of[row]], r)
	}
	return parts
}

// present are those of the group who have not gone away; the others are dropped.
func present[Q, A any, K comparable](group []*request[Q, A, K]) []*request[Q, A, K] {
	here := make([]*request[Q, A, K], 0, len(group))
	for _, r := range group {
		if err := r.ctx.Err(); err != nil {
			r.finish(r.answer, err)
		} else {
			here = append(here, r)
		}
	}
	return here
}

// try sends the group's statement once.
func (c *Batcher[Q, A, K]) try(ctx context.Context, group []*request[Q, A, K]) ([]A, error) {
	flush := c.Flush
	if group[0].patient {
		flush = c.FlushWaiting
	}
	c.flushed.Add(1)
	c.served.Add(int64(len(group)))
	asks := make([]Q, len(group))
	for i, r := range group {
		asks[i] = r.ask
	}
	return safely(func() ([]A, error) { return flush(ctx, asks) })
}

// lookUp resolves a request, again where the connection breaks on this as well: when
// a server goes, it takes all of the pool's along. That the caller may not do it any more
// tells nothing of the first try.
func (c *Batcher[Q, A, K]) lookUp(ctx context.Context, ask Q) (answer A, err error) {
	for attempt := range lookUps {
		if attempt > 0 {
			pause(ctx, attempt)
		}
		answer, err = safely(func() (A, error) { return c.Resolve(ctx, ask) })
		if err == nil {
			return answer, nil
		}
		switch c.failure(err) {
		case Unknown:
		case Revoked:
			return answer, ErrUnknownOutcome
		default:
			return answer, err
		}
	}
	return answer, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// pause lets the server come back, a little longer before each next attempt, and not in
// step with others who wait for it.
func pause(ctx context.Context, attempt int) {
	longest := 2 * time.Millisecond << attempt
	select {
	case <-ctx.Done():
	case <-time.After(longest/2 + rand.N(longest/2)):
	}
}

// failure classifies an error that is not nil.
func (c *Batcher[Q, A, K]) failure(err error) Failure {
	var panicked *PanicError
	if errors.As(err, &panicked) {
		return Unavailable
	}
	return c.Classify(err)
}

// safely makes an error of a panic, which on a goroutine without a caller would be
// the end of the program.
func safely[V any](do func() (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{p, debug.Stack()}
		}
	}()
	return do()
}

// flushContext is the caller's own where there is one, so that the query of a caller
// who goes away is canceled; else nobody's: one who goes away takes no other along. What
// others may gather behind waits for no share of a caller's.
func (c *Batcher[Q, A, K]) flushContext(group []*request[Q, A, K]) (context.Context, context.CancelFunc) {
	if len(group) == 1 {
		if !group[0].patient && c.BatchContext != nil {
			return c.BatchContext(group[0].ctx), func() {}
		}
		return group[0].ctx, func() {}
	}
	return context.WithTimeout(context.Background(), flushTimeout)
}

func (r *request[Q, A, K]) finish(answer A, err error) {
	r.answer, r.err = answer, err
	if r.done != nil {
		close(r.done)
	}
}

// guilty tells whether the error is the server's, for what the request asks: neither
// because its caller went away, nor for what somebody else holds, nor for what the server
// cannot do for anybody, nor because a session was ended under way, of which its user may
// have others.
func (c *Batcher[Q, A, K]) guilty(r *request[Q, A, K], err error) bool {
	failure := c.failure(err)
	return (failure == Rejected || failure == Deadlock) && r.ctx.Err() == nil
}

// accuse notes whose request made the server refuse a whole flush.
func (c *Batcher[Q, A, K]) accuse(r *request[Q, A, K]) {
	if c.Caller == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.suspect == nil {
		c.suspect = map[K]int{}
	}
	c.suspect[c.Caller(r.ask)] = probation
}

func (c *Batcher[Q, A, K]) suspected(r *request[Q, A, K]) bool {
	return len(c.suspect) > 0 && c.suspect[c.Caller(r.ask)] > 0
}

func (c *Batcher[Q, A, K]) mayHold(r *request[Q, A, K]) bool { return !anyIn(c.held, r.keys) }

func (c *Batcher[Q, A, K]) hold(r *request[Q, A, K]) {
	if c.held == nil {
		c.held, c.shared = map[K]struct{}{}, map[K]struct{}{}
	}
	for _, k := range r.keys {
		c.held[k] = struct{}{}
	}
	for _, k := range r.shares {
		c.shared[k] = struct{}{}
	}
}

// release gives back what those of the group hold. Once: it may be another's afterwards.
func (c *Batcher[Q, A, K]) release(group []*request[Q, A, K]) {
	for _, r := range group {
		for _, k := range r.keys {
			delete(c.held, k)
		}
		for _, k := range r.shares {
			delete(c.shared, k)
		}
		r.keys, r.shares = nil, nil
	}
}

// Stats tell how the requests of one kind shared statements.
type Stats struct {
	Flushes, Requests int64 // statements sent, and the requests in them, those sent again included
	Refused           int64 // requests that found the queue full
	Waiting           int   // requests in the queue
}

// Stats counts since the batcher was made, and who waits now.
func (c *Batcher[Q, A, K]) Stats() Stats {
	c.mu.Lock()
	waiting := len(c.queue)
	c.mu.Unlock()
	return Stats{Flushes: c.flushed.Load(), Requests: c.served.Load(), Refused: c.refused.Load(), Waiting: waiting}
}

func anyIn[K comparable](set map[K]struct{}, keys []K) bool {
	for _, k := range keys {
		if _, ok := set[k]; ok {
			return true
		}
	}
	return false
}
