package db

import (
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// authority is the proof that a viewer's statements may run. The zero value is no proof: it permits
// neither writes nor reads of tables with row level security.
type authority struct {
	kind      authorityKind
	tokenHash tokenHash // of the session token
	claim     *claim    // nil if the session was looked up for this request
}

type authorityKind byte

const (
	ofNobody  authorityKind = iota
	ofSession               // the session is checked again with each write: see confirming.go
	ofReader                // a session that may only read
	ofSystem                // the program itself: no session to check
)

// SystemViewer returns the viewer for the program's own work: a job that continues what a user started,
// a demo, a benchmark. No session is checked with its writes.
func SystemViewer(tenantID, userID uuid.UUID, role UserRole) Viewer {
	return Viewer{TenantID: tenantID, UserID: userID, Role: role, authority: authority{kind: ofSystem}}
}

// ForReading returns the viewer for an operation that only reads: its session was checked just now, or is
// checked with its first statement, and not again afterwards. The store rejects its writes.
func (v Viewer) ForReading() Viewer {
	v.authority.kind = ofReader
	return v
}

// asSystem returns the viewer for work that must happen even if the session has ended.
func (v Viewer) asSystem() Viewer {
	v.authority = authority{kind: ofSystem}
	return v
}

// mayWrite returns Unauthenticated for a viewer without a session, unless it is the system's.
func (v Viewer) mayWrite() error {
	if v.authority.kind == ofSession || v.authority.kind == ofSystem {
		return nil
	}
	return refuse(Unauthenticated, "")
}

// mayRead returns Unauthenticated for a viewer that was not authenticated.
func (v Viewer) mayRead() error {
	if v.authority.kind == ofNobody {
		return refuse(Unauthenticated, "")
	}
	return nil
}

// The SQLSTATEs raised by refuse_authority.
const (
	sessionOver      = "WB001"
	authorityChanged = "WB002" // the session is valid, but the role or driver of its user has changed
	notSeenAnyMore   = "WB003" // the written row belongs to a facility that the user does not see any more
)

// lostAuthority reports whether err rejects a request because its session, role or driver changed after it
// was admitted. The request itself is not at fault.
func lostAuthority(err error) bool {
	if isNotAsCached(err) {
		return true
	}
	var server *pgconn.PgError
	return errors.As(err, &server) &&
		(server.Code == sessionOver || server.Code == authorityChanged || server.Code == notSeenAnyMore)
}

// notSeen reports whether err means that the viewer does not see the written row any more, which is
// reported as not found.
func notSeen(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == notSeenAnyMore
}
