package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

func (a *server) registerSessions() {
	registerOpen(a, operation{
		id: "login", method: http.MethodPost, path: "/v1/sessions", tag: "sessions", status: http.StatusCreated,
		summary: "Log in", about: "Opens a session. Failed tries make the next one wait, each longer than the last.",
		anyone: true, codes: []db.Code{db.Unauthenticated, db.RateLimited},
	}, a.login)
	register(a, operation{
		id: "get-session", method: http.MethodGet, path: "/v1/session", tag: "sessions",
		summary: "Who am I", roles: everyRole,
	}, a.getSession)
	register(a, operation{
		id: "logout", method: http.MethodDelete, path: "/v1/session", tag: "sessions", status: http.StatusNoContent,
		summary: "Log out", about: "Revokes the session, at once and everywhere.", roles: everyRole,
	}, a.logout)
}

// Credentials are what a login takes.
type Credentials struct {
	Tenant   string `json:"tenant" minLength:"1" maxLength:"63" doc:"The tenant's slug" example:"demo"`
	Email    string `json:"email" minLength:"1" maxLength:"254" doc:"In whatever case" example:"dispatcher@demo.example"`
	Password string `json:"password" minLength:"1" maxLength:"200"`
}

// Login is an opened session. The token is shown this once.
type Login struct {
	Token     string    `json:"token" doc:"Send it as: Authorization: Bearer <token>"`
	ExpiresAt time.Time `json:"expires_at" doc:"When it ends at the latest; unused, it ends earlier"`
	User      db.User   `json:"user"`
}

type loginInput struct{ Body Credentials }

type loginOutput struct{ Body *Login }

func (a *server) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	leave, err := a.passwords.enter() // who is refused costs the database nothing
	if err != nil {
		return nil, err
	}
	defer leave()
	tenant, err := a.store.GetTenantBySlug(ctx, in.Body.Tenant)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	var out *loginOutput
	err = a.verify(ctx, tenant.ID, in.Body.Email, in.Body.Password, func(user db.CountLoginAttemptRow) error {
		token, opened, err := a.store.OpenSession(ctx, tenant.ID, user.ID, user.PasswordHash, a.lifetimes.Absolute)
		out = &loginOutput{&Login{string(token), opened.ExpiresAt, opened.User}}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// verify finds the user whose password this is, for then, which sets the count of
// attempts back. The caller has a place in the queue of passwords. The attempt is counted
// before the password is looked at: parallel guesses are all counted. One user's are taken
// one after the other, then included: as many good logins as come at once do not look like
// failures. Who does not exist costs the same time.
func (a *server) verify(ctx context.Context, tenantID uuid.UUID, email, password string, then func(db.CountLoginAttemptRow) error) error {
	leave, err := a.passwords.turn(ctx, tenantID, email)
	if err != nil {
		return err
	}
	defer leave()
	user, err := a.countAttempt(ctx, tenantID, email)
	if err != nil {
		return err
	}
	same, err := a.passwords.compare(ctx, user.PasswordHash, password)
	if err != nil {
		return err
	}
	if !same {
		return problem(db.Unauthenticated, "", "The tenant, the email address or the password is wrong.")
	}
	return then(user)
}

// countAttempt gives the user whose try was counted, none if there is no such user, or
// RateLimited if they have to wait. Where by a fresh read they need not wait any more,
// since a login succeeded meanwhile, it is counted after all.
func (a *server) countAttempt(ctx context.Context, tenantID uuid.UUID, email string) (db.CountLoginAttemptRow, error) {
	limited := problem(db.RateLimited, "", "")
	for range 2 {
		user, err := a.store.CountLoginAttempt(ctx, db.CountLoginAttemptParams{TenantID: tenantID, Email: email})
		if !errors.Is(err, pgx.ErrNoRows) {
			return user, err
		}
		wait, err := a.store.GetLoginWait(ctx, db.GetLoginWaitParams{TenantID: tenantID, Email: email})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return user, nil
		case err != nil:
			return user, err
		case wait > 0:
			limited.retryAfter = wait
			return user, limited
		}
	}
	return db.CountLoginAttemptRow{}, limited
}

// Session is who calls. Its size is bounded: what the user may see is looked up by
// the operations that show it.
type Session struct {
	User      db.User   `json:"user"`
	TenantID  uuid.UUID `json:"tenant_id" format:"uuid"`
	DriverID  uuid.UUID `json:"driver_id,omitzero" format:"uuid" doc:"The driver whose login this is"`
	ExpiresAt time.Time `json:"expires_at"`
}

type sessionOutput struct{ Body *Session }

func (a *server) getSession(ctx context.Context, v db.Viewer, _ *struct{}) (*sessionOutput, error) {
	user, err := a.store.GetUser(ctx, db.GetUserParams{TenantID: v.TenantID, ID: v.UserID, ViewerID: v.UserID, ViewerRole: v.Role})
	if err != nil {
		return nil, err
	}
	return &sessionOutput{&Session{user, v.TenantID, v.DriverID, v.ExpiresAt}}, nil
}

func (a *server) logout(ctx context.Context, _ db.Viewer, _ *struct{}) (*struct{}, error) {
	return nil, a.store.CloseSession(ctx, tokenOf(ctx))
}
