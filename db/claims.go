package db

import (
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// A request with a cached viewer sends its first statement behind RequireSessions, in one
// round trip and one implicit transaction. If the session is not as it was cached,
// RequireSessions raises an error, the statement does not run, and the request is retried
// with a session that was looked up (see Viewer.Outdated).
//
// The guarantee, for reads and writes: at some moment after the request arrived, its session
// was valid, and its user had the role and the driver that its statements name. No request
// is answered, not even with a refusal, before the database has confirmed this for the
// request itself; a confirmation for an earlier request does not count. The statement runs
// with a later snapshot than RequireSessions: a revocation that commits between the two
// happened while the request was under way, like one that commits while the answer is on the
// wire. A write is confirmed again after it has its locks: see confirming.go. The facilities
// that a user sees are not cached: each statement joins the groups as they are.

// claim is one request's use of a cached viewer, until the database confirms or refuses it.
type claim struct {
	cached *cachedViewer
	cache  *viewerCache
	state  atomic.Int32
	// lost says that the connection broke after the claim was sent. The statement behind it
	// may have been applied, so a later refusal does not make the request safe to retry.
	lost atomic.Bool
}

// The states of a claim. The last two are final.
const (
	claimMade      = iota
	claimSent      // without an answer yet
	claimConfirmed // the session is as it was cached
	claimRefused   // it is not: no statement was applied
)

// settle records the database's decision. The first one is final.
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

// Confirmed reports whether v's request may be answered: since the request arrived, the session was looked up
// or confirmed with a statement.
func (v Viewer) Confirmed() bool {
	return v.authority.claim == nil || v.authority.claim.state.Load() == claimConfirmed
}

// Outdated reports whether v came from the cache and the database refused it. No statement was applied for
// it: the request can be retried with a viewer from Authenticate.
func (v Viewer) Outdated() bool {
	return v.authority.claim != nil && v.authority.claim.state.Load() == claimRefused
}

// Unasked reports whether v came from the cache and no statement was sent for it yet. If v is neither
// confirmed, outdated nor unasked, the outcome of its statement is unknown.
func (v Viewer) Unasked() bool {
	return v.authority.claim != nil && v.authority.claim.state.Load() == claimMade
}

// Confirm confirms v by fresh, the viewer looked up for the same request. It returns false if the two differ.
func (v Viewer) Confirm(fresh Viewer) bool {
	same := v.authority.tokenHash == fresh.authority.tokenHash && v.TenantID == fresh.TenantID &&
		v.UserID == fresh.UserID && v.Role == fresh.Role && v.DriverID == fresh.DriverID &&
		v.ExpiresAt.Equal(fresh.ExpiresAt)
	if c := v.authority.claim; same && c != nil {
		c.settle(claimConfirmed)
	}
	return same && v.Confirmed()
}

// errOutdated refuses the statements of a request whose claim was refused.
var errOutdated = &Error{Code: Unauthenticated, cause: errors.New("the session is not what was cached")}

// sessionNotAsCached is the SQLSTATE of RequireSessions.
const sessionNotAsCached = "WB004"

func isNotAsCached(err error) bool {
	var server *pgconn.PgError
	return errors.Is(err, errOutdated) || errors.As(err, &server) && server.Code == sessionNotAsCached
}

// claims are the claims of the requests that share a statement.
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

// pending returns the claims that the next statement has to confirm, or errOutdated if one was
// refused.
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

// require returns the statement that confirms the claims, each session once.
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

// sent records that the claims are being sent.
func (all claims) sent() {
	for _, c := range all {
		c.state.CompareAndSwap(claimMade, claimSent)
	}
}

// answered records the result of require. An error does not tell which of several sessions was
// refused: the batch is then split.
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

// tenant returns the tenant of a request's claims.
func (all claims) tenant() key {
	if len(all) == 0 {
		return key{}
	}
	return key{tenantID: all[0].cached.TenantID}
}

func (all claims) ofOneSession() bool {
	for _, c := range all {
		if c.cached.authority.tokenHash != all[0].cached.authority.tokenHash {
			return false
		}
	}
	return true
}
