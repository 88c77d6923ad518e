package db

import (
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// authority is what stands behind a viewer's statements. The zero one is nobody's: it
// neither writes nor reads what row level security guards.
type authority struct {
	kind      authorityKind
	tokenHash tokenHash // of the session
	claim     *claim    // nil if the session was looked up for this request
}

type authorityKind byte

const (
	ofNobody  authorityKind = iota
	ofSession               // its writes are confirmed: see confirming.go
	ofReader                // a session's, let in to read alone
	ofSystem                // the program's own work: there is no session to confirm
)

// SystemViewer is on whose behalf the program itself works: a job that goes on with what
// a user began, a demo, a benchmark. Its writes are confirmed by no session.
func SystemViewer(tenantID, userID uuid.UUID, role UserRole) Viewer {
	return Viewer{TenantID: tenantID, UserID: userID, Role: role, authority: authority{kind: ofSystem}}
}

// ForReading is the viewer of an operation that only reads: it was let in just now, or is
// with its first statement, and nothing is confirmed once more. The store takes no write
// from it.
func (v Viewer) ForReading() Viewer {
	v.authority.kind = ofReader
	return v
}

// asSystem is the viewer of what the program has to do whatever became of the session.
func (v Viewer) asSystem() Viewer {
	v.authority = authority{kind: ofSystem}
	return v
}

// mayWrite is Unauthenticated for a viewer without a session, unless it is the system's.
func (v Viewer) mayWrite() error {
	if v.authority.kind == ofSession || v.authority.kind == ofSystem {
		return nil
	}
	return refuse(Unauthenticated, "")
}

// mayRead is Unauthenticated for a viewer who came from nowhere.
func (v Viewer) mayRead() error {
	if v.authority.kind == ofNobody {
		return refuse(Unauthenticated, "")
	}
	return nil
}

// The SQLSTATEs of refuse_authority.
const (
	sessionOver      = "WB001"
	authorityChanged = "WB002" // the session is good, but its user's role or driver is another
	notSeenAnyMore   = "WB003" // what was written is of a facility that the user does not see by now
)

// lostAuthority tells whether err refuses a request because what it was let in with is
// gone: no fault of what it asks for.
func lostAuthority(err error) bool {
	if isNotAsCached(err) {
		return true
	}
	var server *pgconn.PgError
	return errors.As(err, &server) &&
		(server.Code == sessionOver || server.Code == authorityChanged || server.Code == notSeenAnyMore)
}

// notSeen tells whether err says that the viewer does not see, by now, what they wrote:
// like a row that was not there for them.
func notSeen(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == notSeenAnyMore
}
