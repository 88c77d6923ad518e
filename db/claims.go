package db

import (
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// A request whose viewer is cached sends its first statement before anybody has looked at
// its session: behind RequireSessions, in one round trip and one implicit transaction. If
// the session is not what was cached, the server refuses that, runs nothing behind it, and
// the request starts anew with a session that was looked up (see Viewer.Outdated).
//
// What is promised, to reads and writes: at a moment after the request came, its session
// was good, and its user had the role and the driver that its statements name. No answer
// is given, of whatever kind, before the server has said so for this very request; what it
// said for another, before, counts for nothing. The statement has a snapshot of its own,
// after that moment: a revocation that is committed between the two is one that came while
// the request was under way, like one that comes while its answer is on the wire. A write
// is confirmed once more when it has its locks: see confirming.go. Which facilities a user
// sees is no part of this: each statement joins the groups as they are.

// claim is what one request relies on: that its session is what is cached of it. The
// server decides about it once, and no answer is given before.
type claim struct {
	cached *cachedViewer
	cache  *viewerCache
	state  atomic.Int32
	// lost is that it was sent once and the connection broke: what was sent with it may have
	// been done, so that a later refusal does not say that nothing was.
	lost atomic.Bool
}

// The states of a claim. The last two are final.
const (
	claimMade      = iota
	claimSent      // and nothing was heard of it yet
	claimConfirmed // the session was what was cached
	claimRefused   // it was not: nothing of what was sent was done
)

func (c *claim) pending() bool { return c.state.Load() <= claimSent }

// settle has the server's decision. The first one stands.
func (c *claim) settle(decision int32) {
	if decision == claimRefused {
		c.cache.drop(c.cached.authority.tokenHash)
		if c.lost.Load() {
			return
		}
	}
	if !c.state.CompareAndSwap(claimMade, decision) {
		c.state.CompareAndSwap(claimSent, decision)
	}
}

// Confirmed tells whether v may be answered: its session was looked up, or confirmed
// with a statement, since its request came.
func (v Viewer) Confirmed() bool {
	return v.authority.claim == nil || v.authority.claim.state.Load() == claimConfirmed
}

// Outdated tells whether v came from the cache and was refused by the database. Nothing
// was done for it: its request can begin anew, with a viewer from Authenticate.
func (v Viewer) Outdated() bool {
	return v.authority.claim != nil && v.authority.claim.state.Load() == claimRefused
}

// Unasked tells whether v came from the cache and the database was not asked about it yet.
// If v is neither confirmed, outdated nor unasked, a statement of its own was sent and
// its answer was lost.
func (v Viewer) Unasked() bool {
	return v.authority.claim != nil && v.authority.claim.state.Load() == claimMade
}

// Confirm gives v's session the confirmation of fresh, which was looked up for the same
// request. It returns false if v is not what fresh is.
func (v Viewer) Confirm(fresh Viewer) bool {
	same := v.authority.tokenHash == fresh.authority.tokenHash && v.TenantID == fresh.TenantID &&
		v.UserID == fresh.UserID && v.Role == fresh.Role && v.DriverID == fresh.DriverID &&
		v.ExpiresAt.Equal(fresh.ExpiresAt)
	if c := v.authority.claim; same && c != nil {
		c.settle(claimConfirmed)
	}
	return same && v.Confirmed()
}

// errOutdated refuses what a request goes on to send after its claim was refused.
var errOutdated = &Error{Code: Unauthenticated, cause: errors.New("the session is not what was cached")}

// sessionNotAsCached is the SQLSTATE of RequireSessions.
const sessionNotAsCached = "WB004"

func isNotAsCached(err error) bool {
	var server *pgconn.PgError
	return errors.Is(err, errOutdated) || errors.As(err, &server) && server.Code == sessionNotAsCached
}

// claims are those of the requests that share a statement.
type claims []*claim

// claimsOf returns the viewers' claims that are not confirmed.
func claimsOf(viewers ...Viewer) (all claims) {
	for _, v := range viewers {
		if !v.Confirmed() {
			all = append(all, v.authority.claim)
		}
	}
	return all
}

// pending returns those that are to be confirmed with the next statement. It returns
// errOutdated if one was refused already.
func (all claims) pending() (pending claims, _ error) {
	for _, c := range all {
		switch c.state.Load() {
		case claimRefused:
			return nil, errOutdated
		case claimConfirmed:
		default:
			pending = append(pending, c)
		}
	}
	return pending, nil
}

// require returns the statement that confirms them, each session once.
func (all claims) require() queued {
	p := RequireSessionsParams{Idle: all[0].cached.idle}
	var known map[tokenHash]bool
	for _, c := range all {
		v := c.cached
		if len(all) > 1 {
			if known == nil {
				known = make(map[tokenHash]bool, len(all))
			}
			if known[v.authority.tokenHash] {
				continue
			}
			known[v.authority.tokenHash] = true
		}
		p.TenantIds = append(p.TenantIds, v.TenantID)
		p.TokenHashes = append(p.TokenHashes, v.authority.tokenHash[:])
		p.UserIds = append(p.UserIds, v.UserID)
		p.Roles = append(p.Roles, string(v.Role))
		p.DriverIds = append(p.DriverIds, v.DriverID)
		p.ExpiresAts = append(p.ExpiresAts, v.ExpiresAt)
		p.Idle = min(p.Idle, v.idle)
	}
	return queued{requireSessions,
		[]any{p.TenantIds, p.TokenHashes, p.UserIds, p.Roles, p.DriverIds, p.ExpiresAts, p.Idle}}
}

// sent notes that their statement is on its way.
func (all claims) sent() {
	for _, c := range all {
		c.state.CompareAndSwap(claimMade, claimSent)
	}
}

// answered has what the server said to require. Of several sessions it does not say which
// one it refused: the batch asks for each of them.
func (all claims) answered(err error) {
	switch {
	case err == nil:
		all.settle(claimConfirmed)
	case isNotAsCached(err) && all.ofOneSession():
		all.settle(claimRefused)
	case notApplied(err):
		for _, c := range all {
			if !c.lost.Load() {
				c.state.CompareAndSwap(claimSent, claimMade)
			}
		}
	default:
		for _, c := range all {
			c.lost.Store(true)
		}
	}
}

func (all claims) settle(decision int32) {
	for _, c := range all {
		c.settle(decision)
	}
}

func (all claims) ofOneSession() bool {
	for _, c := range all {
		if c.cached.authority.tokenHash != all[0].cached.authority.tokenHash {
			return false
		}
	}
	return true
}
