package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerSessions() {
	registerOpen(a, operation{
		id: "login", method: http.MethodPost, path: "/v1/sessions", tag: "sessions", status: http.StatusCreated,
		summary: "Log in", about: "Creates a session. After several failed logins the next one must wait, each " +
			"longer than the last.",
		anyone: true, codes: []db.Code{db.Unauthenticated, db.RateLimited, concurrencyLimit},
		maxBody: smallBody, // callers are not authenticated yet
	}, a.login)
	register(a, operation{
		id: "get-session", method: http.MethodGet, path: "/v1/session", tag: "sessions",
		summary: "Who am I", roles: everyRole,
	}, a.getSession)
	register(a, operation{
		id: "logout", method: http.MethodDelete, path: "/v1/session", tag: "sessions", status: http.StatusNoContent,
		summary: "Log out", about: "Revokes the session immediately.", roles: everyRole, alone: true,
	}, a.logout)
}

// Credentials is the body of login.
type Credentials struct {
	Tenant   string `json:"tenant" minLength:"1" maxLength:"63" doc:"The tenant's slug" example:"demo"`
	Email    string `json:"email" minLength:"1" maxLength:"254" doc:"Case-insensitive" example:"dispatcher@demo.example"`
	Password string `json:"password" minLength:"1" maxLength:"200" doc:"The user's password"`
}

// Login is a new session. The token is shown only once.
type Login struct {
	Token     string    `json:"token" doc:"Send it as: Authorization: Bearer <token>"`
	ExpiresAt time.Time `json:"expires_at" doc:"The absolute expiry; an unused session ends earlier"`
	User      db.User   `json:"user" doc:"The user who logged in"`
}

type loginInput struct{ Body Credentials }

type loginOutput struct{ Body *Login }

// login delays the answer of a refusal: see loginPause.
func (a *server) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	out, err := a.admitLogin(ctx, in)
	if err != nil && isUnseen(problemOf(err).Code) {
		select {
		case <-time.After(a.loginPause):
		case <-ctx.Done():
		}
	}
	return out, err
}

// isUnseen reports whether a login was refused before its password was checked.
func isUnseen(code db.Code) bool {
	return code == db.RateLimited || code == db.Overloaded || code == concurrencyLimit
}

func (a *server) admitLogin(ctx context.Context, in *loginInput) (*loginOutput, error) {
	try := a.newLoginTry(ctx, in.Body)
	leave, err := a.passwords.enter(try.caller) // a refused caller costs no database query
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx = withSource(ctx, try.source)
	unlock, err := a.passwords.lockTry(ctx, try.key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := a.admitTry(ctx, try); err != nil {
		return nil, err
	}
	tenant, err := a.store.GetTenantBySlug(ctx, in.Body.Tenant)
	if err != nil && !db.NoRow(err) {
		return nil, err
	}
	out, err := a.openSession(ctx, tenant.ID, try, in.Body)
	ctx = context.WithoutCancel(ctx) // the result stands
	switch {
	case err != nil && !try.counted && problemOf(err).Code != db.RateLimited: // it got no slot
		return nil, errors.Join(err, a.returnTokens(ctx, try))
	case err != nil:
		return nil, err
	}
	return out, a.loginSucceeded(ctx, try)
}

// openSession creates a session after the password was verified. If the hash has changed since, because
// another login renewed it or the password was changed, the password is verified again.
func (a *server) openSession(
	ctx context.Context, tenantID uuid.UUID, try *loginTry, given Credentials,
) (*loginOutput, error) {
	wrong := problem(db.Unauthenticated, "", "The tenant, the email address or the password is wrong.")
	// Not retry.Do: each round follows a concurrent change of the password, and costs a check.
	for verified := ""; ; {
		user, err := a.store.GetLogin(ctx, db.GetLoginParams{TenantID: tenantID, Email: given.Email})
		if err != nil && !db.NoRow(err) {
			return nil, err
		}
		if verified != "" && user.PasswordHash == verified {
			return nil, wrong // deactivated
		}
		verified = user.PasswordHash
		v, err := a.passwords.compare(ctx, try.caller, func() error { return a.countTry(ctx, try) },
			user.PasswordHash, given.Password)
		if err != nil {
			return nil, err
		}
		if !v.same {
			return nil, wrong
		}
		ctx = context.WithoutCancel(ctx) // the password was correct, however long the login waited
		token, opened, err := a.store.OpenSession(ctx, tenantID, user.ID, user.PasswordHash, a.lifetimes.Absolute)
		if db.CodeOf(err) == db.Unauthenticated {
			continue
		}
		if err != nil {
			return nil, err
		}
		if v.outdated {
			a.renewHash(ctx, tenantID, user, try.caller, given.Password)
		}
		return &loginOutput{&Login{string(token), opened.ExpiresAt, opened.User}}, nil
	}
}

// renewHash stores a hash with today's parameters. The login has already succeeded: if this fails, the
// next login tries again.
func (a *server) renewHash(ctx context.Context, tenantID uuid.UUID, user db.GetLoginRow, c caller, password string) {
	prepared, err := prepare(password)
	if err != nil {
		return // not allowed for new passwords any more; it stays valid until it is changed
	}
	hash, err := a.passwords.generate(ctx, c, prepared)
	if err == nil {
		err = a.store.RenewPasswordHash(ctx, db.RenewPasswordHashParams{
			TenantID: tenantID, ID: user.ID, PasswordHash: user.PasswordHash, NewPasswordHash: hash,
		})
	}
	if err != nil {
		a.log.WarnContext(ctx, "could not renew a password hash", "code", db.CodeOf(db.Explain(err)))
	}
}

// Session is the caller's session. Its size is bounded: operations look up what the user may see.
type Session struct {
	User      db.User   `json:"user" doc:"The user who logged in"`
	TenantID  uuid.UUID `json:"tenant_id" format:"uuid" doc:"The tenant of the user"`
	DriverID  uuid.UUID `json:"driver_id,omitzero" format:"uuid" doc:"The driver that the user is linked to"`
	ExpiresAt time.Time `json:"expires_at" doc:"The absolute expiry; an unused session ends earlier"`
}

type sessionOutput struct{ Body *Session }

func (a *server) getSession(ctx context.Context, v db.Viewer, _ *struct{}) (*sessionOutput, error) {
	user, err := a.store.GetUser(ctx,
		db.GetUserParams{TenantID: v.TenantID, ID: v.UserID, ViewerID: v.UserID, ViewerRole: v.Role})
	if err != nil {
		return nil, err
	}
	return &sessionOutput{&Session{user, v.TenantID, v.DriverID, v.ExpiresAt}}, nil
}

func (a *server) logout(ctx context.Context, _ db.Viewer, _ *struct{}) (*struct{}, error) {
	return nil, a.store.CloseSession(ctx, tokenOf(ctx))
}
