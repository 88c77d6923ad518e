package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Reads that may be older than the primary are served by replicas: standbys of the same history. A read takes two
// round trips. The first one, on a replica, requires that it has replayed a position in the WAL. The second one, on
// the primary, confirms the session, as for every request, and that the primary shows each transaction that the
// replica may have shown: a commit is replayed while the primary still waits for other standbys, and would be lost
// if one of them took over. Only then are the rows an answer. So
//
//   - a read is never older than its position: what its client wrote or read before, or, without one, what the
//     primary showed when the request arrived;
//   - what it shows, the primary shows too, and later reads of the primary are no older;
//   - whoever's rights depend on rows (staff, drivers, the hub) reads what the primary showed when the request
//     arrived: a right that was taken away is not used any more.
//
// Whatever is not so is served by the primary: a replica that is behind for too long, is away, follows another
// history or was promoted. No write decides by a replica: the context of a write has no replicaRead.
type replicaSet struct {
	all     []*replica
	primary pooled
	wait    time.Duration
	stale   bool // see Config.ReadStale
	turn    atomic.Uint32
	known   atomic.Pointer[primaryState] // the newest one
	states  *batcher[struct{}, *primaryState]
	// confirms confirms the sessions of concurrent reads in one statement, and reads the state.
	confirms *batcher[claims, *primaryState]
	counts   [readRefused + 1]atomic.Int64
}

// readOutcome says who served a read that a replica might have served, and why.
type readOutcome int

const (
	readReplica     readOutcome = iota // a replica
	readUnavailable                    // the primary: no replica can be used
	readBehind                         // the primary: the replicas are behind
	readFailed                         // the primary: the replicas failed
	readAhead                          // the primary: a replica showed what the primary does not show yet
	readRefused                        // nobody: the session was not confirmed
)

var readOutcomes = [readRefused + 1]string{"replica", "unavailable", "behind", "failed", "ahead", "refused"}

// replicaRead is the state of one request's reads.
type replicaRead struct {
	after   Position // they must show it; the zero value: what the primary showed when the request arrived
	seen    Position // what those that replicas served have shown
	primary bool     // the primary served one
}

type replicaReadKey struct{}

// FromReplicas returns the context of a request that only reads for v, whose reads may be served by replicas that show
// at least what was there at a position: one that Store.Position returned to the same client, or the zero value.
func (s *Store) FromReplicas(ctx context.Context, v Viewer, after Position) context.Context {
	if s.replicas == nil {
		return ctx
	}
	if !seesWholeTenant(v.Role) {
		after = Position{}
	}
	r := &replicaRead{after: after}
	ctx = context.WithValue(ctx, replicaReadKey{}, r)
	return withConfirmation(ctx, confirmation{claims: claimsOf(v), replica: r})
}

// seesWholeTenant reports whether what a role sees depends on nothing but the role, which the session confirms.
func seesWholeTenant(role UserRole) bool { return role == UserRoleAdmin || role == UserRoleDispatcher }

// Position returns a position behind all that the request of ctx has read and written, for its client. ok is false
// without replicas, or if the primary does not tell it in time: the client then forgets the one it has.
func (s *Store) Position(ctx context.Context) (p Position, ok bool) {
	if s.replicas == nil {
		return p, false
	}
	if r, _ := ctx.Value(replicaReadKey{}).(*replicaRead); r != nil && r.seen != (Position{}) && !r.primary {
		return r.seen, true
	}
	state, err := s.replicas.states.do(unconfirmed(ctx), struct{}{})
	if err != nil {
		return p, false
	}
	return state.position, true
}

// HasReplicas reports whether replicas serve reads.
func (s *Store) HasReplicas() bool { return s.replicas != nil }

// openReplicas opens the pools of the replicas, which may be away. It returns nil if there are none.
func openReplicas(ctx context.Context, c Config, primary pooled, lineage *Lineage) (*replicaSet, error) {
	if len(c.ReplicaURLs) == 0 {
		return nil, nil
	}
	set := &replicaSet{primary: primary, wait: cmp.Or(c.ReplicaWait, 10*time.Millisecond), stale: c.ReadStale}
	flush := func(ctx context.Context, asks []struct{}) ([]*primaryState, error) {
		state, err := set.primaryState(ctx, nil)
		return mapSlice(asks, func(struct{}) *primaryState { return state }), err
	}
	set.states = oneAtATime(c.OneByOne, flush)
	set.confirms = batchedReads(c.OneByOne, claims.tenant, set.confirmAll)
	for i, url := range c.ReplicaURLs {
		r, err := openReplica(ctx, c, set, lineage, url)
		if err != nil {
			set.close()
			return nil, fmt.Errorf("the URL %d of the replicas (REPLICA_DATABASE_URL) %w", i+1, err)
		}
		set.all = append(set.all, r)
	}
	for _, r := range set.all {
		r.isUsable() // begins to find out
	}
	return set, nil
}

func (set *replicaSet) close() {
	if set == nil {
		return
	}
	for _, r := range set.all {
		r.pool.Close()
	}
}

// primaryState reads the primary's state, after it has confirmed the claims.
func (set *replicaSet) primaryState(ctx context.Context, pending claims) (*primaryState, error) {
	state, err := set.primary.state(ctx, pending)
	if err == nil {
		set.known.Store(state)
	}
	return state, err
}

// confirmAll confirms the claims of several reads, and reads the primary's state. If one is refused, the batch is
// split.
func (set *replicaSet) confirmAll(ctx context.Context, asks []claims) ([]*primaryState, error) {
	state, err := set.primaryState(ctx, slices.Concat(asks...))
	return mapSlice(asks, func(claims) *primaryState { return state }), err
}

// read has a replica serve a statement. ok is false if the primary must.
func (set *replicaSet) read(
	ctx context.Context, r *replicaRead, pending claims, statement queued,
) (rows pgx.Rows, ok bool, err error) {
	if set == nil {
		return nil, false, nil
	}
	rows, outcome, err := set.attempt(ctx, r, pending, statement)
	set.counts[outcome].Add(1)
	r.primary = r.primary || outcome != readReplica
	return rows, outcome == readReplica, err
}

func (set *replicaSet) attempt(
	ctx context.Context, r *replicaRead, pending claims, statement queued,
) (rows pgx.Rows, outcome readOutcome, err error) {
	usable := set.usable()
	if len(usable) == 0 {
		return nil, readUnavailable, nil
	}
	base, err := set.base(ctx, r)
	if err != nil {
		return nil, readFailed, nil // the primary tells why
	}
	outcome = readUnavailable
	for _, replica := range usable {
		shown, err := replica.read(ctx, replicaAsk{base, r.after.lsn, set.stale, statement}, set.wait)
		switch {
		case err == nil:
			return set.confirm(ctx, r, pending, base, shown)
		case errors.Is(err, errBehind):
			outcome = max(outcome, readBehind)
		case ctx.Err() != nil:
			return nil, readFailed, nil
		default:
			outcome = max(outcome, readFailed)
		}
	}
	return nil, outcome, nil
}

// usable returns the replicas that can be used, in an order that gives each its turn.
func (set *replicaSet) usable() (usable []*replica) {
	first := int(set.turn.Add(1))
	for i := range set.all {
		if r := set.all[(first+i)%len(set.all)]; r.isUsable() {
			usable = append(usable, r)
		}
	}
	return usable
}

// maxStateAge bounds how many transactions there are since the state of the primary by which a read is judged.
const maxStateAge = time.Second

// base returns a state of the primary, and sets the position that the request's reads must show. One of another
// timeline, or that the primary has not reached, says nothing: it was told before a failover or a restore.
func (set *replicaSet) base(ctx context.Context, r *replicaRead) (base *primaryState, err error) {
	base = set.known.Load()
	isNew := base == nil || r.after.lsn > base.position.lsn || r.after.timeline != base.position.timeline ||
		time.Since(base.at) > maxStateAge
	if isNew {
		if base, err = set.states.do(unconfirmed(ctx), struct{}{}); err != nil {
			return nil, err
		}
		if r.after.timeline != base.position.timeline || r.after.lsn > base.position.lsn {
			r.after = base.position
		}
	}
	if r.after.lsn < r.seen.lsn { // by an earlier statement of the request
		r.after = r.seen
	}
	return base, nil
}

// confirm returns what a replica showed, once the primary has confirmed the claims and shows it too.
func (set *replicaSet) confirm(
	ctx context.Context, r *replicaRead, pending claims, base *primaryState, shown *replicaAnswer,
) (pgx.Rows, readOutcome, error) {
	begun := time.Now()
	now, err := set.confirms.do(unconfirmed(ctx), pending)
	if err != nil {
		shown.rows.Close()
		return nil, readRefused, err
	}
	for now.goesOn(base) && !set.stale && !now.shows(shown.seen) {
		if time.Since(begun) > set.wait || sleep(ctx, time.Millisecond) != nil {
			shown.rows.Close()
			return nil, readAhead, nil
		}
		if now, err = set.states.do(unconfirmed(ctx), struct{}{}); err != nil {
			shown.rows.Close()
			return nil, readFailed, nil
		}
	}
	if !now.goesOn(base) {
		shown.rows.Close()
		return nil, readFailed, nil
	}
	r.seen = Position{base.position.timeline, max(shown.position, r.after.lsn)}
	return shown.rows, readReplica, nil
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ReplicaStats are statistics of one replica, for metrics.
type ReplicaStats struct {
	Name   string // its host and port
	Usable bool
	Reads  int64  // that it served
	Behind uint64 // bytes of the WAL that it had not replayed, as far as is known
}

// Replicas returns the statistics of the replicas, and how often a read that one might have served had which outcome.
// It has those that cannot be used looked at.
func (s *Store) Replicas() (all []ReplicaStats, outcomes map[string]int64) {
	if s.replicas == nil {
		return nil, nil
	}
	outcomes = make(map[string]int64, len(readOutcomes))
	for i, name := range readOutcomes {
		outcomes[name] = s.replicas.counts[i].Load()
	}
	state := s.replicas.known.Load()
	for _, r := range s.replicas.all {
		stats := ReplicaStats{Name: r.name, Usable: r.isUsable(), Reads: r.reads.Load()}
		if replayed := r.replayed.Load(); state != nil && replayed < state.position.lsn {
			stats.Behind = state.position.lsn - replayed
		}
		all = append(all, stats)
	}
	return all, outcomes
}
