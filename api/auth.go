package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// session is the session of a request: the token, needed for a logout, and the viewer.
type session struct {
	token  db.Token
	viewer db.Viewer
	gate   *gate // the gate that the request passed, or nil
}

func viewerOf(ctx context.Context) db.Viewer { return requestOf(ctx).session.viewer }

func tokenOf(ctx context.Context) db.Token { return requestOf(ctx).session.token }

// gate requires a valid session and one of the operation's roles. It runs before any part of
// the request is read. The viewer of a recent session comes from the store's cache; the
// request's first statement then confirms it in the same round trip. No request is answered
// before its session is confirmed by the database: see request.confirm.
type gate struct {
	*server
	roles  []db.UserRole
	writes bool // or reads what a body asks for
	// uncached has each session looked up first: a request that streams cannot be retried, and a batch has
	// many statements to confirm it.
	uncached bool
	replicas bool
}

func (a *server) gate(op operation) *gate {
	g := &gate{a, op.roles, op.writes() || op.search, op.long || op.raw != nil || op.together, op.replicas}
	if op.transition != "" {
		g.roles = a.dictionary[op.transition]
	}
	return g
}

// pass is a middleware.
func (g *gate) pass(ctx huma.Context, next func(huma.Context)) {
	if known := requestOf(ctx.Context()); known.partOf != nil {
		of := known.partOf.session
		if err := g.admit(known, of.token, of.viewer); err != nil {
			writeProblem(ctx, problemOf(err))
			return
		}
		next(ctx)
		return
	}
	token, ok := bearer(ctx.Header("Authorization"))
	if !ok {
		writeProblem(ctx, problem(db.Unauthenticated, "", "The request has no bearer token."))
		return
	}
	known := requestOf(ctx.Context())
	viewer, err := g.viewer(known, token)
	if err == nil {
		err = g.admit(known, token, viewer)
	}
	if err != nil {
		writeProblem(ctx, problemOf(err))
		return
	}
	next(ctx)
}

// viewer returns the viewer of a token. A cached one whose role may not call the operation is
// looked up: the role may have changed.
func (g *gate) viewer(ctx context.Context, token db.Token) (db.Viewer, error) {
	if !g.uncached {
		v, err := g.store.Admit(ctx, token, g.lifetimes.Idle)
		if err != nil || v.Confirmed() || slices.Contains(g.roles, v.Role) {
			return v, err
		}
	}
	return g.store.Authenticate(ctx, token, g.lifetimes.Idle)
}

// admit makes the request act for a viewer. It returns Forbidden if the role may not call the
// operation.
func (g *gate) admit(known *request, token db.Token, viewer db.Viewer) error {
	known.session = session{token, viewer, g}
	if !slices.Contains(g.roles, viewer.Role) {
		return problem(db.Forbidden, "", "")
	}
	if g.writes { // its statements run after the body was read: each checks the session again
		known.Context = db.Acting(known.Context, viewer)
	} else {
		known.Context = db.Reading(known.Context, viewer)
		if g.replicas {
			known.Context = g.store.FromReplicas(known.Context, viewer, known.sentPosition())
		}
		known.session.viewer = viewer.ForReading()
	}
	return nil
}

// confirm is called before a request is answered, with the error that would be its answer, or
// nil. If no statement of the request has confirmed the session, confirm looks it up. retry
// says that the session is valid but not as it was cached: no statement was applied, and the
// handler must run again. refused is the error to answer instead.
func (r *request) confirm(answer error) (retry bool, refused error) {
	v, g := r.session.viewer, r.session.gate
	if v.Confirmed() || !v.Outdated() && answer != nil && problemOf(answer).Status >= http.StatusInternalServerError {
		return false, nil // a server error reveals nothing
	}
	fresh, err := g.store.Authenticate(r, r.session.token, g.lifetimes.Idle)
	switch {
	case err != nil:
		r.session = session{}
		return false, err
	case v.Confirm(fresh):
		return false, nil
	case !v.Outdated() && !v.Unasked(): // the outcome of a statement is unknown
		r.session = session{}
		return false, problem(db.Unavailable, "", "")
	}
	if err := g.admit(r, r.session.token, fresh); err != nil {
		return false, err
	}
	return true, nil
}

// confirmed returns the problem to answer if the request does not reach its handler: p, or the problem that
// refuses the session. No such p depends on the viewer.
func (r *request) confirmed(p *Problem) *Problem {
	if _, refused := r.confirm(p); refused != nil {
		return problemOf(refused)
	}
	return p
}

func bearer(header string) (db.Token, bool) {
	scheme, token, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", false
	}
	return db.Token(strings.TrimSpace(token)), true
}
