package api

import (
	"context"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// session is the session of a request: the token, needed for a logout, and the viewer.
type session struct {
	token  db.Token
	viewer db.Viewer
}

func viewerOf(ctx context.Context) db.Viewer { return requestOf(ctx).session.viewer }

func tokenOf(ctx context.Context) db.Token { return requestOf(ctx).session.token }

// authorize requires a valid session, checked in the database for every request, and one of the
// operation's roles. It runs before any part of the request is read.
func (a *server) authorize(op operation) func(huma.Context, func(huma.Context)) {
	roles := op.roles
	if op.transition != "" {
		roles = a.dictionary[op.transition]
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		token, ok := bearer(ctx.Header("Authorization"))
		if !ok {
			writeProblem(ctx, problem(db.Unauthenticated, "", "The request has no bearer token."))
			return
		}
		viewer, err := a.store.Authenticate(ctx.Context(), token, a.lifetimes.Idle)
		if err != nil {
			writeProblem(ctx, problemOf(err))
			return
		}
		known := requestOf(ctx.Context())
		known.session = session{token, viewer}
		if !slices.Contains(roles, viewer.Role) {
			writeProblem(ctx, problem(db.Forbidden, "", ""))
			return
		}
		if op.writes() { // its statements run after the body was read: each checks the session again
			known.Context = db.Acting(known.Context, viewer)
		} else {
			known.session.viewer = viewer.ForReading()
		}
		next(ctx)
	}
}

func bearer(header string) (db.Token, bool) {
	scheme, token, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", false
	}
	return db.Token(strings.TrimSpace(token)), true
}
