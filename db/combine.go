package db

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Relative and conditional updates compose: what many callers ask for at once can go
// in one statement, and each gets the answer that it would have got alone. While one
// flush runs, the next requests gather; no timer is involved, so that a request that
// comes alone starts at once, on its caller's goroutine.
//
// One flush at a time serves more than two would: each of the two takes half of the
// requests, and costs nearly as much as one with all of them. Another departs beside it
// only for a crowd, or when it is late: it may wait for a row that somebody else holds.

// combiner shares statements among the requests of one kind.
//
// Two requests of one key never share a flush, nor are two of them under way at once:
// they are served in the order in which they came. A flush that the server refused is
// rolled back, whole: it is halved until the guilty request stands alone, with its own
// error. One that waited in vain for what somebody else holds is parted, so that only
// those who need that wait on. Where the outcome is not known, each request is resolved
// by itself.
type combiner[Q, A any] struct {
	// flush is one statement. It gives an answer for each request, in their order.
	flush func(context.Context, []Q) ([]A, error)
	// wait is the same statement in a form that waits for what somebody else holds,
	// where flush leaves it out; nil, if flush waits.
	wait func(context.Context, []Q) ([]A, error)
	// resolve finds out what became of a request whose statement may have been
	// committed or not, and may still be running. It may be asked again.
	resolve func(context.Context, Q) (A, error)
	// keys names the rows that a request has for itself; nil, if it needs none.
	keys func(Q) []key
	// shares names the rows that those of one flush share, and no two flushes: the
	// second would only wait for the first; nil, if there are none.
	// The first is what a flush may have to wait for.
	shares func(Q) []key
	// viewer is whose request it is: they may write, and go alone for a while after one of
	// their requests was refused; nil for reads.
	viewer func(Q) Viewer

	off     bool // each request is a flush of its own, whoever else asks
	flights int  // flushes under way at once, at most; mostly it is one
	largest int  // requests in one flush, at most
	longest int  // requests that wait, at most

	mu      sync.Mutex
	queue   []*request[Q, A]
	held    map[key]struct{}  // by one request each
	shared  map[key]struct{}  // by one flight each
	flying  []*flight[Q, A]   // in the order of their departure
	watched bool              // somebody looks whether they are late
	alone   bool              // a suspect's request is under way, in its own lane
	suspect map[uuid.UUID]int // callers whose requests were refused, and how many more go alone

	flushed, served, refused atomic.Int64 // for Stats
}

// key is a row of a tenant.
type key struct{ tenantID, id uuid.UUID }

// request waits for its answer.
type request[Q, A any] struct {
	ctx     context.Context
	ask     Q
	keys    []key
	shares  []key
	patient bool // waits for what others hold
	answer  A
	err     error
	done    chan struct{} // nil for one that its caller serves
}

// flight is a group whose flush is under way.
type flight[Q, A any] struct {
	group    []*request[Q, A]
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
)

// do gives the answer to one request: after the commit, never before. The request of a
// caller who goes away before its flush is dropped; after that, its write stands.
func (c *combiner[Q, A]) do(ctx context.Context, ask Q) (A, error) {
	if c.off {
		return c.apart(ctx, ask)
	}
	if err := c.mayAsk(ask); err != nil {
		var none A
		return none, err
	}
	r := &request[Q, A]{ctx: ctx, ask: ask}
	if c.keys != nil {
		r.keys = c.keys(ask)
	}
	if c.shares != nil {
		r.shares = c.shares(ask)
	}
	c.mu.Lock()
	if len(c.queue) == 0 && c.mayDepart() && c.mayHold(r) && !anyIn(c.shared, r.shares) && !c.suspected(r) {
		c.hold(r)
		f := c.takeOff([]*request[Q, A]{r})
		c.mu.Unlock()
		defer c.land(f)
		c.serve(f.group)
		return r.answer, r.err
	}
	if len(c.queue) >= c.longest {
		c.mu.Unlock()
		c.refused.Add(1)
		return r.answer, refuse(Overloaded, "")
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

// apart gives the answer to a request that shares nothing, and waits for what others
// hold: beside the flights, so that none of them has to.
func (c *combiner[Q, A]) apart(ctx context.Context, ask Q) (A, error) {
	if err := c.mayAsk(ask); err != nil {
		var none A
		return none, err
	}
	r := &request[Q, A]{ctx: ctx, ask: ask, patient: true}
	c.serve([]*request[Q, A]{r})
	return r.answer, r.err
}

// mayAsk refuses the write of a viewer who has no session to confirm it by, and is not
// the system's.
func (c *combiner[Q, A]) mayAsk(ask Q) error {
	if c.viewer == nil {
		return nil
	}
	return c.viewer(ask).mayWrite()
}

// land gives back what a flight held, and lets the next one depart.
func (c *combiner[Q, A]) land(f *flight[Q, A]) {
	// Those who were just answered may ask again: let them board.
	runtime.Gosched()
	c.mu.Lock()
	c.release(f.group)
	c.flying = slices.DeleteFunc(c.flying, func(other *flight[Q, A]) bool { return other == f })
	c.depart()
	c.mu.Unlock()
}

// depart starts the flights that may be under way with those who wait.
func (c *combiner[Q, A]) depart() {
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
func (c *combiner[Q, A]) mayDepart() bool {
	n := len(c.flying)
	if n == 0 || n >= c.flights {
		return n == 0
	}
	return len(c.queue) >= crowd || time.Since(c.flying[n-1].departed) >= late
}

func (c *combiner[Q, A]) takeOff(group []*request[Q, A]) *flight[Q, A] {
	f := &flight[Q, A]{group, time.Now()}
	c.flying = append(c.flying, f)
	return f
}

// watch looks, as long as somebody waits, whether what is under way is late.
func (c *combiner[Q, A]) watch() {
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
func (c *combiner[Q, A]) board() (group []*request[Q, A]) {
	var waiting []*request[Q, A]
	passed, elsewhere := map[key]struct{}{}, maps.Clone(c.shared)
	for _, r := range c.queue {
		switch {
		case r.ctx.Err() != nil: // went away: nobody waits for it
		case c.suspected(r) && !c.alone && c.mayHold(r) && !anyIn(passed, r.keys):
			r.shares = nil // it waits by itself
			c.hold(r)
			c.alone = true
			go c.serveAlone(r)
		case c.suspected(r), len(group) == c.largest, !c.mayHold(r), anyIn(passed, r.keys), anyIn(elsewhere, r.shares):
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
func (c *combiner[Q, A]) serveAlone(r *request[Q, A]) {
	c.serve([]*request[Q, A]{r})
	c.mu.Lock()
	if who := c.viewer(r.ask).UserID; r.err == nil {
		if c.suspect[who]--; c.suspect[who] <= 0 {
			delete(c.suspect, who)
		}
	} else if r.guilty(r.err) {
		c.suspect[who] = probation
	}
	c.release([]*request[Q, A]{r})
	c.alone = false
	c.depart()
	c.mu.Unlock()
}

// serve answers each of the group.
func (c *combiner[Q, A]) serve(group []*request[Q, A]) {
	ctx, cancel := flushContext(group)
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
func (c *combiner[Q, A]) serveUntil(ctx context.Context, group []*request[Q, A], of cut) {
	if group = present(group); len(group) == 0 {
		return
	}
	answers, err := c.try(ctx, group)
	for range victims {
		if !lostDeadlock(err) {
			break
		}
		answers, err = c.try(ctx, group)
	}
	switch {
	case err == nil:
		for i, r := range group {
			r.finish(answers[i], nil)
		}
	case !neverDone(err):
		for _, r := range present(group) {
			r.finish(c.lookUp(ctx, r.ask))
		}
	case heldUp(err):
		if parts := c.parts(group); of != parted && len(parts) > 1 {
			c.serveParts(ctx, parts)
			return
		}
		for _, r := range group {
			r.finish(r.answer, err)
		}
	case len(group) == 1, !rolledBack(err), isUnavailable(err): // without a connection, none of them has one
		for _, r := range group {
			if of == half && r.guilty(err) {
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
func (c *combiner[Q, A]) serveParts(ctx context.Context, parts [][]*request[Q, A]) {
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
func (c *combiner[Q, A]) parts(group []*request[Q, A]) [][]*request[Q, A] {
	if c.shares == nil {
		return slices.Collect(slices.Chunk(group, (len(group)+1)/2))
	}
	var parts [][]*request[Q, A]
	of := map[key]int{}
	for _, r := range group {
		row := c.shares(r.ask)[0]
		if _, known := of[row]; !known {
			of[row] = len(parts)
			parts = append(parts, nil)
		}
		parts[of[row]] = append(parts[of[row]], r)
	}
	return parts
}

// present are those of the group who have not gone away; the others are dropped.
func present[Q, A any](group []*request[Q, A]) []*request[Q, A] {
	here := make([]*request[Q, A], 0, len(group))
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
func (c *combiner[Q, A]) try(ctx context.Context, group []*request[Q, A]) ([]A, error) {
	flush := c.flush
	if group[0].patient {
		flush = c.waiting()
	}
	c.flushed.Add(1)
	c.served.Add(int64(len(group)))
	asks := each(group, func(r *request[Q, A]) Q { return r.ask })
	return safely(func() ([]A, error) { return flush(ctx, asks) })
}

// waiting is the statement that leaves nothing out.
func (c *combiner[Q, A]) waiting() func(context.Context, []Q) ([]A, error) {
	if c.wait == nil {
		return c.flush
	}
	return c.wait
}

// lookUp resolves a request, again where the connection breaks on this as well: when
// a server goes, it takes all of the pool's along. What was committed is told whatever
// became of the session meanwhile. What is tried again is confirmed like the first time;
// that this is refused tells nothing of the first.
func (c *combiner[Q, A]) lookUp(ctx context.Context, ask Q) (answer A, err error) {
	ctx = unconfirmed(ctx)
	for attempt := range attempts {
		if attempt > 0 {
			pause(ctx, attempt)
		}
		answer, err = safely(func() (A, error) { return c.resolve(ctx, ask) })
		switch {
		case lostAuthority(err):
			return answer, errUnknown
		case err == nil || neverDone(err):
			return answer, err
		}
	}
	return answer, &Error{Code: Unavailable, cause: err}
}

// safely makes an error of a panic, which on a goroutine without a caller would be
// the end of the program.
func safely[V any](do func() (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Code: Internal, cause: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return do()
}

// flushContext is the caller's own where there is one, so that the query of a caller
// who goes away is canceled; else nobody's: one who goes away takes no other along. What
// others may gather behind waits for no share of a caller's.
func flushContext[Q, A any](group []*request[Q, A]) (context.Context, context.CancelFunc) {
	if len(group) == 1 {
		if !group[0].patient {
			return uncounted(group[0].ctx), func() {}
		}
		return group[0].ctx, func() {}
	}
	return context.WithTimeout(context.Background(), flushTimeout)
}

func (r *request[Q, A]) finish(answer A, err error) {
	r.answer, r.err = answer, err
	if r.done != nil {
		close(r.done)
	}
}

// guilty tells whether the error is the server's, for what the request asks: neither
// because its caller went away, nor for what somebody else holds, nor for what the server
// cannot do for anybody, nor because a session was ended under way, of which its user may
// have others.
func (r *request[Q, A]) guilty(err error) bool {
	return rolledBack(err) && !heldUp(err) && !isUnavailable(err) && !lostAuthority(err) && r.ctx.Err() == nil
}

// accuse notes whose request made the server refuse a whole flush.
func (c *combiner[Q, A]) accuse(r *request[Q, A]) {
	if c.viewer == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.suspect == nil {
		c.suspect = map[uuid.UUID]int{}
	}
	c.suspect[c.viewer(r.ask).UserID] = probation
}

func (c *combiner[Q, A]) suspected(r *request[Q, A]) bool {
	return len(c.suspect) > 0 && c.suspect[c.viewer(r.ask).UserID] > 0
}

func (c *combiner[Q, A]) mayHold(r *request[Q, A]) bool { return !anyIn(c.held, r.keys) }

func (c *combiner[Q, A]) hold(r *request[Q, A]) {
	if c.held == nil {
		c.held, c.shared = map[key]struct{}{}, map[key]struct{}{}
	}
	for _, k := range r.keys {
		c.held[k] = struct{}{}
	}
	for _, k := range r.shares {
		c.shared[k] = struct{}{}
	}
}

// release gives back what those of the group hold. Once: it may be another's afterwards.
func (c *combiner[Q, A]) release(group []*request[Q, A]) {
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

func (c *combiner[Q, A]) stats() Stats {
	c.mu.Lock()
	waiting := len(c.queue)
	c.mu.Unlock()
	return Stats{Flushes: c.flushed.Load(), Requests: c.served.Load(), Refused: c.refused.Load(), Waiting: waiting}
}

func anyIn(set map[key]struct{}, keys []key) bool {
	for _, k := range keys {
		if _, ok := set[k]; ok {
			return true
		}
	}
	return false
}

// found is the row that a request of a flush was answered with, if any was.
type found[T any] struct {
	row T
	is  bool
}

// byKey gives each request of a flush the row of its key.
func byKey[Q, T any](asks []Q, keyOf func(Q) key, rows []T, rowKey func(T) key) []found[T] {
	known := make(map[key]T, len(rows))
	for _, r := range rows {
		known[rowKey(r)] = r
	}
	return each(asks, func(ask Q) (f found[T]) {
		f.row, f.is = known[keyOf(ask)]
		return f
	})
}

// inPlace gives each request of a flush the row that says, from 1, which it is of.
func inPlace[Q, R any](asks []Q, rows []R, asked func(R) int64) []found[R] {
	out := make([]found[R], len(asks))
	for _, r := range rows {
		out[asked(r)-1] = found[R]{r, true}
	}
	return out
}

// again resolves what does no harm twice: a read.
func again[Q, A any](flush func(context.Context, []Q) ([]A, error)) func(context.Context, Q) (A, error) {
	return func(ctx context.Context, ask Q) (A, error) { return one(flush(ctx, []Q{ask})) }
}

// one is the answer of a flush of one.
func one[A any](answers []A, err error) (answer A, _ error) {
	if err != nil {
		return answer, err
	}
	return answers[0], nil
}

// each gives one value of each.
func each[Q, V any](asks []Q, value func(Q) V) []V {
	out := make([]V, len(asks))
	for i, a := range asks {
		out[i] = value(a)
	}
	return out
}

// skipping sends the statements of the transitions in a form that does not wait for a
// pickup that somebody else holds, but leaves it out: it would keep waiting all the
// others of the flush, and those behind it. Who was left out is tried again apart.
type skipping struct{ DBTX }

func (q skipping) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return q.DBTX.Query(ctx, skippingForm[sql], args...)
}

var skippingForm = func() map[string]string {
	forms := map[string]string{}
	for _, sql := range []string{transitionPickups} {
		const lock = "FOR NO KEY UPDATE OF p\n"
		if strings.Count(sql, lock) != 1 {
			panic("a transition locks its pickups otherwise")
		}
		forms[sql] = strings.Replace(sql, lock, "FOR NO KEY UPDATE OF p SKIP LOCKED\n", 1)
	}
	return forms
}()

// rolledBack tells whether err is the server's own refusal of a statement, of which
// nothing is left.
func rolledBack(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.SeverityUnlocalized == "ERROR"
}

// lostDeadlock tells whether err is the server's choice among statements of which each
// alone would pass.
func lostDeadlock(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "40P01" || server.Code == "40001")
}

// heldUp tells whether err is the end of a wait in vain for what somebody else holds.
func heldUp(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "55P03"
}

// neverDone tells whether a statement that failed with err did certainly nothing. It
// did, or may yet, where the connection broke: the server may be running it still.
func neverDone(err error) bool {
	var refused *Error // for want of a connection, or what safely caught
	var connect *pgconn.ConnectError
	return rolledBack(err) || errors.As(err, &refused) || errors.As(err, &connect) || pgconn.SafeToRetry(err)
}
