package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// session is what a request carries of its own: the token, to end it, and the viewer.
type session struct {
	token  db.Token
	viewer db.Viewer
	gate   *gate // of its operation; nil if it was not let in
}

func viewerOf(ctx context.Context) db.Viewer { return requestOf(ctx).session.viewer }

func tokenOf(ctx context.Context) db.Token { return requestOf(ctx).session.token }

// gate lets through who has a good session and one of an operation's roles. It is passed
// before anything of the request is read, by what is cached of the session where that was
// used lately. Then the request's first statement confirms it in the same round trip, and
// nothing is answered that no statement has confirmed: see request.confirm.
type gate struct {
	*server
	roles  []db.UserRole
	writes bool
	// cold has each session looked up: what a stream sends, or has read, cannot be taken back.
	cold bool
}

func (a *server) gate(op operation) *gate {
	g := &gate{a, op.roles, op.writes(), op.long || op.raw != nil}
	if op.transition != "" {
		g.roles = a.dictionary[op.transition]
	}
	return g
}

// pass is a middleware.
func (g *gate) pass(ctx huma.Context, next func(huma.Context)) {
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

// viewer returns the viewer behind a token. One who may not call the operation is looked
// up: they may have another role by now.
func (g *gate) viewer(ctx context.Context, token db.Token) (db.Viewer, error) {
	if !g.cold {
		v, err := g.store.Admit(ctx, token, g.lifetimes.Idle)
		if err != nil || v.Confirmed() || slices.Contains(g.roles, v.Role) {
			return v, err
		}
	}
	return g.store.Authenticate(ctx, token, g.lifetimes.Idle)
}

// admit has the request act for a viewer. It returns a problem with Forbidden if their role
// may not.
func (g *gate) admit(known *request, token db.Token, viewer db.Viewer) error {
	known.session = session{token, viewer, g}
	if !slices.Contains(g.roles, viewer.Role) {
		return problem(db.Forbidden, "", "")
	}
	if g.writes { // its statements come after its body: each confirms the session once more
		known.Context = db.Acting(known.Context, viewer)
	} else {
		known.Context = db.Reading(known.Context, viewer)
		known.session.viewer = viewer.ForReading()
	}
	return nil
}

// confirm is asked before a request is answered, with the error that it would be answered
// with, nil for none. If none of its statements has confirmed the session, that is looked
// up. again says that the session is good and other than what was cached: nothing was done,
// and the handler is to be called once more. refused is what is to be answered instead.
func (r *request) confirm(answer error) (again bool, refused error) {
	v, g := r.session.viewer, r.session.gate
	if v.Confirmed() || !v.Outdated() && answer != nil && problemOf(answer).Status >= http.StatusInternalServerError {
		return false, nil // the server's own troubles tell nothing
	}
	fresh, err := g.store.Authenticate(r, r.session.token, g.lifetimes.Idle)
	switch {
	case err != nil:
		r.session = session{}
		return false, err
	case v.Confirm(fresh):
		return false, nil
	case !v.Outdated() && !v.Unasked(): // something was sent, and nobody knows what became of it
		r.session = session{}
		return false, problem(db.Unavailable, "", "")
	}
	if err := g.admit(r, r.session.token, fresh); err != nil {
		return false, err
	}
	return true, nil
}

// confirmed returns the problem for a request that does not reach its handler: p, or what
// its session is refused with. No such p depends on who calls.
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
